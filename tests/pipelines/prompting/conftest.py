from collections.abc import Iterator

import pytest

from tests.pipelines.prompting.llm_server import LanguageServer, language_server


@pytest.fixture
def server() -> Iterator[LanguageServer]:
    with language_server() as server:
        yield server

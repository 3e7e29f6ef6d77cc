import json

import pytest
from pydantic import ValidationError

from pipelines.prompting.settings import PromptingSettings

ENDPOINT = {"url": "http://localhost:11434/v1", "model": "neural-chat", "key": "secret"}


def test_a_key_reaches_the_worker_and_no_log() -> None:
    settings = PromptingSettings.model_validate({"endpoint": ENDPOINT})
    assert "secret" not in repr(settings)
    assert "secret" not in str(settings.model_dump())
    assert PromptingSettings.model_validate_json(settings.model_dump_json()) == settings
    assert json.loads(settings.model_dump_json())["endpoint"]["key"] == "secret"


@pytest.mark.parametrize(
    "section",
    [
        {},
        {"endpoint": ENDPOINT, "weights_dir": "weights/llm"},
        {"endpoint": {"url": "localhost:11434", "model": "m"}},
        {"endpoint": {"url": "ftp://localhost/v1", "model": "m"}},
        {"endpoint": {"url": "http://", "model": "m"}},
        {"endpoint": {"url": "http://[::bad/v1", "model": "m"}},
        {"endpoint": {"url": "http://localhost:99999/v1", "model": "m"}},
        {"endpoint": {"url": "http://localhost/v1", "model": ""}},
        {"endpoint": {"url": "http://localhost/v1"}},
        {"endpoint": {**ENDPOINT, "key": "two words"}},
        {"endpoint": {**ENDPOINT, "key": "ключ"}},
        {"weights_dir": "weights/llm", "timeout_s": 0},
        {"weights_dir": "weights/llm", "temperature": 1},
    ],
)
def test_a_section_that_cannot_work_is_refused(section: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        PromptingSettings.model_validate(section)

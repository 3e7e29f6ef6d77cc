import logging
import threading
from pathlib import Path
from typing import Any

import pytest

from pipelines.prompting.looking import look, look_soon
from pipelines.prompting.settings import PromptingSettings
from tests.pipelines.prompting.llm_server import LanguageServer

NOBODY = {"endpoint": {"url": "http://127.0.0.1:9/v1", "model": "chatty"}}


def settings(**fields: Any) -> PromptingSettings:
    return PromptingSettings.model_validate(fields)


def test_what_is_wrong_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    look(settings(**NOBODY))
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage().startswith(
        "prompts are drawn as typed until this is mended: http://127.0.0.1:9/v1/models: "
    )


def test_a_folder_that_is_no_language_model_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    look(settings(weights_dir=tmp_path / "nowhere"))
    assert str(tmp_path / "nowhere") in caplog.text
    caplog.clear()
    (tmp_path / "config.json").write_text("{}")
    look(settings(weights_dir=tmp_path))
    assert caplog.text == ""


def test_of_a_server_in_order_nothing_is_said(
    server: LanguageServer, caplog: pytest.LogCaptureFixture
) -> None:
    look(settings(endpoint={"url": server.url, "model": "chatty"}))
    assert [r for r in caplog.records if r.name.startswith("pipelines")] == []


def test_nobody_waits_for_the_look(caplog: pytest.LogCaptureFixture) -> None:
    look_soon(settings(**NOBODY))
    for thread in [t for t in threading.enumerate() if t.name == "prompting"]:
        assert thread.daemon
        thread.join(20)
    assert "until this is mended" in caplog.text

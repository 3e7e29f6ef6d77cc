"""A look at the language model when the program starts, so that its operator need not wait."""

import logging
import threading
from typing import Final

from pipelines.prompting.settings import PromptingSettings

_LOG: Final = logging.getLogger(__name__)


def look_soon(settings: PromptingSettings) -> None:
    """Look in a thread of its own: nobody shall wait for a server that may not be there."""
    threading.Thread(target=look, args=[settings], name="prompting", daemon=True).start()


def look(settings: PromptingSettings) -> None:
    """Say in the log what is wrong with the language model, if anything is."""
    if reason := _trouble(settings):
        _LOG.warning("prompts are drawn as typed until this is mended: %s", reason)


def _trouble(settings: PromptingSettings) -> str | None:
    if settings.endpoint is not None:
        # The bot imports these settings, and no HTTP client beside its own.
        from pipelines.prompting.endpoint import Endpoint  # noqa: PLC0415

        return Endpoint(settings.endpoint, settings.timeout_s).trouble()
    assert settings.weights_dir is not None  # noqa: S101 - one of the two is there
    if (settings.weights_dir / "config.json").is_file():
        return None
    return f"{settings.weights_dir}: expected a language model as transformers saves it"

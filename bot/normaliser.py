"""The child process that looks at pictures: no byte a stranger sent is decoded in the bot.

``python -m pipelines.uploads`` gets the bytes and answers with a normalised picture, or with the
code of the sentence that says why not. It limits its own memory and its seconds at work; that it
comes to an end at all is seen to here.
"""

import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from bot.jobs.job import Rejected

logger = logging.getLogger(__name__)

BYTES_MAX: Final = 20 * 2**20
"""Of one file: what Telegram hands to a bot."""
LONGEST_PX: Final = 1536
"""The longest side of a normalised picture."""
COMMAND: Final = (sys.executable, "-m", "pipelines.uploads")
LOOKED_AT_ONCE: Final = 2
"""Most child processes at the same time: each may have a processor, and half a gigabyte."""
LOOK_S: Final = 60.0
"""By the clock, however busy the machine is; the process itself counts its seconds at work."""
_INHERITED: Final = ("PATH", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "TZ")
"""What a Python needs of our environment. The rest, the bot's token first of all, is not for a
process that decodes strangers' bytes."""
_ENDED_BY_LIMIT: Final = (-signal.SIGXCPU, -signal.SIGKILL)
"""By its limit of seconds at work; by the kernel, which is out of memory."""


class Unfit(Rejected):
    """The bytes are no picture one could draw from."""

    code = "error-upload-broken"


class FileTooLarge(Unfit):
    """More than ``limit_mb`` megabytes, which Telegram does not hand to a bot."""

    code = "error-upload-too-large"


class NotAPicture(Unfit):
    """None of the kinds of file we read."""

    code = "error-upload-not-a-picture"


class ForeignFormat(Unfit):
    """A picture as ``name`` writes it, which Telegram itself can turn into one we read."""

    code = "error-upload-format"


class TooManyPixels(Unfit):
    """``width_px`` x ``height_px`` are more than ``limit_mp`` megapixels."""

    code = "error-upload-too-many-pixels"


class TooSmall(Unfit):
    """``width_px`` x ``height_px``, a side of which is shorter than ``limit_px``."""

    code = "error-upload-too-small"


class TooNarrow(Unfit):
    """``width_px`` x ``height_px``, one side more than ``limit`` times the other."""

    code = "error-upload-too-narrow"


class TooMuchWork(Unfit):
    """It takes longer, or more memory, than any honest picture does."""

    code = "error-upload-too-much-work"


_UNFIT: Final[dict[str, type[Unfit]]] = {
    kind.code: kind
    for kind in (
        Unfit,
        FileTooLarge,
        NotAPicture,
        ForeignFormat,
        TooManyPixels,
        TooSmall,
        TooNarrow,
        TooMuchWork,
    )
}


@dataclass(frozen=True, slots=True)
class Normalised:
    """A picture fit to be drawn from: an RGB PNG, the longest side 1536 px at most."""

    png: bytes
    width_px: int
    height_px: int
    is_first_frame: bool


class _Head(BaseModel):
    """What stands before the picture: its measures, or why there is none."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    width_px: int = 0
    height_px: int = 0
    is_first_frame: bool = False
    code: str | None = None
    params: dict[str, str] = {}


class Normaliser:
    """Has pictures looked at and normalised, one process for each."""

    def __init__(self, *, limit_s: float = LOOK_S) -> None:
        self._limit_s = limit_s
        self._places = asyncio.Semaphore(LOOKED_AT_ONCE)

    async def normalise(self, data: bytes) -> Normalised:
        """Look at a file's bytes.

        Raises:
            Unfit: they are no picture one could draw from; the subclass says why.
        """
        async with self._places:
            head, _, png = (await self._answer(data)).partition(b"\n")
        try:
            found = _Head.model_validate(json.loads(head))
        except (ValueError, ValidationError):
            # The decoder was brought down, which no honest picture does.
            logger.warning("the process that looks at pictures died of one")
            raise Unfit from None
        if found.code is not None:
            raise _UNFIT.get(found.code, Unfit)(**found.params)
        return Normalised(png, found.width_px, found.height_px, found.is_first_frame)

    async def _answer(self, data: bytes) -> bytes:
        """Ask a process of its own; whatever happens, it is gone when this returns."""
        process = await asyncio.create_subprocess_exec(
            *COMMAND,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=_environment(),
            process_group=0,  # a Ctrl-C at the terminal is not for it
        )
        try:
            async with asyncio.timeout(self._limit_s):
                answer, _ = await process.communicate(data)
        except TimeoutError:
            raise TooMuchWork from None
        else:
            if process.returncode in _ENDED_BY_LIMIT:
                raise TooMuchWork
            return answer
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()


def _environment() -> dict[str, str]:
    """The harmless part of ours, with this program importable wherever it was started."""
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    root = str(Path(__file__).parents[1])
    paths = [root, *filter(None, [inherited.get("PYTHONPATH")])]
    return {**inherited, "PYTHONPATH": os.pathsep.join(paths)}

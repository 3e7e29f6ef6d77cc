"""How long to wait before trying again."""

import asyncio
import logging
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from itertools import repeat
from typing import Final, TypeVar

logger = logging.getLogger(__name__)

T = TypeVar("T")

STORAGE_FIRST_S: Final = 0.2
STORAGE_LONGEST_S: Final = 30.0


def backoff(first_s: float, longest_s: float) -> Iterator[float]:
    """Pauses in seconds, each twice the one before, ``longest_s`` for ever after."""
    pause_s = first_s
    while pause_s < longest_s:
        yield pause_s
        pause_s *= 2
    yield from repeat(longest_s)


async def insist(step: Callable[[], Awaitable[T]], what: str) -> T:
    """Repeat ``step`` until the storage takes it: a full disk is no reason to forget a picture.

    Meanwhile the caller holds its slot, so no more work is started than can be written down.
    """
    pauses_s = backoff(STORAGE_FIRST_S, STORAGE_LONGEST_S)
    while True:
        try:
            return await step()
        except (OSError, sqlite3.Error):
            logger.exception("%s: the storage failed, trying again", what)
        await asyncio.sleep(next(pauses_s))

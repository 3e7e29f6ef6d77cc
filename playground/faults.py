"""Failures on demand: what a test asks the playground to do wrong, for the next calls."""

import asyncio
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import BaseModel, ConfigDict, Field

from playground.model import Json


class Fault(BaseModel):
    """What happens to the next `times` calls of a method.

    Attributes:
        method: "*" for any method but getUpdates.
        error_code: answer with this error instead of doing the work.
        raw_body: answer with these very characters instead of JSON, with status `error_code`
            or 200.
        delay_ms: wait first.
        drop_after: do the work, then cut the connection: the bot cannot know that it was done.
    """

    model_config = ConfigDict(extra="forbid")

    method: str = "*"
    times: int = Field(1, ge=1, le=1_000_000)
    error_code: int | None = Field(None, ge=400, le=599)
    description: str = "Internal Server Error"
    parameters: Json | None = None
    raw_body: str | None = None
    delay_ms: int = Field(0, ge=0, le=600_000)
    drop_after: bool = False

    def matches(self, method: str) -> bool:
        """Whether the fault is meant for a method."""
        if self.method == "*":
            return method.lower() != "getupdates"
        return self.method.lower() == method.lower()


class Faults:
    """Faults in the order they were asked for; each goes when it is used up. And restarts."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []
        self._connections: list[asyncio.Transport] = []
        self._down_until = -math.inf

    def add(self, fault: Fault) -> None:
        """Ask for a fault."""
        self._waiting.append(fault)

    def take(self, method: str) -> Fault | None:
        """Use up one turn of the first fault that matches a call."""
        for fault in self._waiting:
            if fault.matches(method):
                fault.times -= 1
                if fault.times == 0:
                    self._waiting.remove(fault)
                return fault
        return None

    def clear(self) -> None:
        """Let everything work again."""
        self._waiting.clear()
        self._down_until = -math.inf

    @contextmanager
    def watching(self, connection: asyncio.Transport | None) -> Iterator[None]:
        """Note the connection of a call for as long as the call lasts."""
        if connection is None:
            yield
            return
        self._connections.append(connection)
        try:
            yield
        finally:
            self._connections.remove(connection)

    def restart(self, down_s: float) -> int:
        """Cut the connections of all calls in progress and be away for a while.

        Returns:
            How many were cut.
        """
        for connection in self._connections:
            connection.abort()
        self._down_until = time.monotonic() + down_s
        return len(self._connections)

    @property
    def is_down(self) -> bool:
        """Whether a restart is under way."""
        return time.monotonic() < self._down_until

"""What the page is told: a numbered log of events, followed by server-sent events.

A page that lost its connection names the last event it saw and gets the rest, or is told to load
everything anew where the log no longer reaches back so far.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Final

from playground.model import Json

MAX_EVENTS: Final = 2000


@dataclass(frozen=True)
class Event:
    """Something that changed; `number` grows by one."""

    number: int
    body: Json


class EventLog:
    """Keeps the newest events and wakes those who follow."""

    def __init__(self, first_number: int = 1, size: int = MAX_EVENTS) -> None:
        self._events: deque[Event] = deque(maxlen=size)
        self._next = first_number
        self._wakers: set[asyncio.Event] = set()
        self._closed = False
        self.watch: Callable[[str, Json], None] | None = None

    @property
    def last_number(self) -> int:
        """The number of the newest event."""
        return self._next - 1

    def add(self, kind: str, **body: object) -> None:
        """Append an event and wake followers; `watch`, where it is set, sees it first."""
        if self.watch:
            self.watch(kind, body)
        self._events.append(Event(self._next, {"kind": kind, **body}))
        self._next += 1
        for waker in self._wakers:
            waker.set()

    def close(self) -> None:
        """End every follower: the server stops."""
        self._closed = True
        for waker in self._wakers:
            waker.set()

    async def follow(self, after: int, idle_s: float) -> AsyncIterator[Event | None]:
        """Yield events after a number as they come; None after every `idle_s` of silence.

        An event of kind `reload` stands for a gap: the follower has to load the state anew.
        """
        waker = asyncio.Event()
        self._wakers.add(waker)
        try:
            while not self._closed:
                waker.clear()
                oldest = self._events[0].number if self._events else self._next
                if after > self.last_number or after + 1 < oldest:
                    after = self.last_number
                    yield Event(after, {"kind": "reload"})
                    continue
                for event in [known for known in self._events if known.number > after]:
                    after = event.number
                    yield event
                if waker.is_set():
                    continue
                try:
                    await asyncio.wait_for(waker.wait(), idle_s)
                except TimeoutError:
                    yield None
        finally:
            self._wakers.discard(waker)

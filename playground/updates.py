"""A bot's incoming updates: kept until confirmed, handed out by long polling."""

import asyncio
import itertools
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from playground.errors import conflict
from playground.model import Json

MAX_PENDING: Final = 10_000
MAX_TIMEOUT_S: Final = 50
_DAY_S: Final = 24 * 3600.0
_LIFETIME_S: Final = {"callback_query": 150.0, "inline_query": 30.0}
_NOT_BY_DEFAULT: Final = frozenset({"chat_member", "message_reaction", "message_reaction_count"})


@dataclass(frozen=True)
class _Update:
    id: int
    kind: str
    payload: Json
    dies_at: float

    def to_json(self) -> Json:
        return {"update_id": self.id, self.kind: self.payload}


class _Poll:
    """One waiting getUpdates; `ended_by` is the sentence that a newer rival sends it off with."""

    def __init__(self) -> None:
        self.woken = asyncio.Event()
        self.ended_by: str | None = None

    def end(self, sentence: str) -> None:
        self.ended_by = sentence
        self.woken.set()


class UpdateQueue:
    """Updates of one bot, oldest first, ids growing also over restarts of the playground.

    Invariant: at most one poll waits; a second one ends the first with 409.
    """

    def __init__(self, first_id: int, clock: Callable[[], float]) -> None:
        self._ids = itertools.count(first_id)
        self._clock = clock
        self._pending: deque[_Update] = deque(maxlen=MAX_PENDING)
        self._poll: _Poll | None = None
        self._allowed: frozenset[str] | None = None
        self._closed = False
        self.first_poll = asyncio.Event()
        self.arrived = asyncio.Event()
        self.duplicate_next = False

    @property
    def pending_count(self) -> int:
        """How many updates wait for confirmation."""
        self._drop_dead()
        return len(self._pending)

    @property
    def allowed_updates(self) -> list[str]:
        """The kinds a bot asked for; empty where it takes the default."""
        return sorted(self._allowed or ())

    def allow(self, kinds: list[str] | None) -> None:
        """Set the kinds to keep; None leaves the earlier setting, [] restores the default."""
        if kinds is not None:
            self._allowed = frozenset(kinds) or None

    def put(self, kind: str, payload: Json) -> None:
        """Add an update, unless the bot did not ask for its kind."""
        wanted = kind in self._allowed if self._allowed else kind not in _NOT_BY_DEFAULT
        if not wanted:
            return
        dies_at = self._clock() + _LIFETIME_S.get(kind, _DAY_S)
        update = _Update(next(self._ids), kind, payload, dies_at)
        # The same update_id twice: a bot must not act on it twice.
        for _ in range(2 if self.duplicate_next else 1):
            self._pending.append(update)
        self.duplicate_next = False
        self.arrived.set()
        if self._poll:
            self._poll.woken.set()

    async def take(self, offset: int, limit: int, timeout_s: float) -> list[Json]:
        """Wait up to `timeout_s` for updates from `offset` on; earlier ones are confirmed.

        Offset 0 means all unconfirmed; -n forgets all but the last n.

        Raises:
            ApiError: 409, when a newer poll or setWebhook ends this one.
        """
        self.end_poll(
            "terminated by other getUpdates request; "
            "make sure that only one bot instance is running"
        )
        self._confirm(offset)
        poll = self._poll = _Poll()
        try:
            if not self._pending and timeout_s > 0 and not self._closed:
                await asyncio.wait_for(poll.woken.wait(), min(timeout_s, MAX_TIMEOUT_S))
        except TimeoutError:
            return []
        finally:
            if self._poll is poll:
                self._poll = None
        if poll.ended_by:
            raise conflict(poll.ended_by)
        self._drop_dead()
        return [update.to_json() for update in itertools.islice(self._pending, limit)]

    def first(self) -> Json | None:
        """Look at the oldest update, for delivery by webhook."""
        self._drop_dead()
        return self._pending[0].to_json() if self._pending else None

    def confirm(self, update_id: int) -> None:
        """Drop the oldest update, if it is still this one: the webhook took it."""
        if self._pending and self._pending[0].id == update_id:
            self._pending.popleft()

    def clear(self) -> None:
        """Drop everything that waits."""
        self._pending.clear()

    def end_poll(self, sentence: str) -> None:
        """End a waiting poll with 409."""
        if self._poll:
            self._poll.end(sentence)

    def close(self) -> None:
        """Answer a waiting poll at once and later ones without waiting: the server stops."""
        self._closed = True
        if self._poll:
            self._poll.woken.set()

    def _confirm(self, offset: int) -> None:
        self._drop_dead()
        if offset < 0:
            while len(self._pending) > -offset:
                self._pending.popleft()
        while offset > 0 and self._pending and self._pending[0].id < offset:
            self._pending.popleft()

    def _drop_dead(self) -> None:
        now = self._clock()
        if any(update.dies_at <= now for update in self._pending):
            alive = [update for update in self._pending if update.dies_at > now]
            self._pending = deque(alive, maxlen=MAX_PENDING)

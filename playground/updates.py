"""A bot's incoming updates: kept until confirmed, handed out by long polling."""

import asyncio
import itertools
import math
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from playground.errors import conflict
from playground.model import Json

MAX_PENDING: Final = 10_000
MAX_TIMEOUT_S: Final = 50
_DAY_S: Final = 24 * 3600.0
_LIFETIME_S: Final = {
    "callback_query": 150.0,
    "pre_checkout_query": 150.0,
    "inline_query": 30.0,
    "chosen_inline_result": 600.0,
}
_REPEATED_S: Final = 3.0  # the same offset again so soon waits for something new this long
_HASTY_S: Final = 0.5  # and so soon, it gets no more than one update
_NOT_BY_DEFAULT: Final = frozenset({"chat_member", "message_reaction", "message_reaction_count"})


@dataclass(frozen=True, slots=True)
class Update:
    """Something a bot is told; `dies_at` is when nobody would want to know any more."""

    id: int
    kind: str
    payload: Json
    dies_at: float

    @property
    def lane(self) -> int:
        """The chat, or else the person: within it a webhook gets updates in their order."""
        message = self.payload.get("message", self.payload)
        place = message.get("chat") or self.payload.get("from") or {"id": 0}
        return int(place["id"])

    def to_json(self) -> Json:
        """Show the update as the Bot API does."""
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

    Attributes:
        first_poll: set once the bot has asked for updates, or has given a webhook.
        news: set whenever a webhook may have something to deliver.
        duplicate_next: whether the next update comes twice, under one number.
        last_id: the newest update's number.
        changes: grows with whatever a state file has to know.
    """

    def __init__(
        self,
        first_id: int,
        clock: Callable[[], float],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ids = itertools.count(first_id)
        self.last_id = first_id - 1
        self.changes = 0
        self._clock = clock
        self._monotonic = monotonic
        self._pending: deque[Update] = deque(maxlen=MAX_PENDING)
        self._next_death = math.inf
        self._poll: _Poll | None = None
        self._last_offset: int | None = None
        self._last_asked = 0.0
        self._allowed: frozenset[str] | None = None
        self._closed = False
        self.first_poll = asyncio.Event()
        self.news = asyncio.Event()
        self.duplicate_next = False

    @property
    def pending(self) -> list[Update]:
        """What waits for confirmation, oldest first."""
        self._drop_dead()
        return list(self._pending)

    def restore(self, pending: Iterable[Update], last_id: int) -> None:
        """Take up what waited before a restart; numbers go on behind `last_id`."""
        self._pending.extend(pending)
        self._next_death = min((update.dies_at for update in self._pending), default=math.inf)
        self.last_id = max(last_id, self.last_id)
        self._ids = itertools.count(self.last_id + 1)

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
            self.changes += 1

    def put(self, kind: str, payload: Json) -> None:
        """Add an update, unless the bot did not ask for its kind."""
        wanted = kind in self._allowed if self._allowed else kind not in _NOT_BY_DEFAULT
        if not wanted:
            return
        dies_at = self._clock() + _LIFETIME_S.get(kind, _DAY_S)
        self._next_death = min(self._next_death, dies_at)
        self.last_id = next(self._ids)
        self.changes += 1
        update = Update(self.last_id, kind, payload, dies_at)
        # The same update_id twice: a bot must not act on it twice.
        for _ in range(2 if self.duplicate_next else 1):
            self._pending.append(update)
        self.duplicate_next = False
        self.news.set()
        if self._poll:
            self._poll.woken.set()

    async def take(
        self, offset: int, limit: int, timeout_s: float, *, paced: bool = False
    ) -> list[Json]:
        """Wait up to `timeout_s` for updates from `offset` on; earlier ones are confirmed.

        Offset 0 means all unconfirmed; -n forgets all but the last n. With `paced`, a bot that
        asks the same again at once is slowed down.

        Raises:
            ApiError: 409, when a newer poll or setWebhook ends this one.
        """
        if paced:
            limit, timeout_s = self._pace(offset, limit, timeout_s)
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

    def _pace(self, offset: int, limit: int, timeout_s: float) -> tuple[int, float]:
        """Slow down as Telegram's server does: a longer wait, and one update at a time.

        Source: tdlib/telegram-bot-api, Client::process_get_updates_query.
        """
        now = self._monotonic()
        since_s = now - self._last_asked if offset == self._last_offset else math.inf
        self._last_offset, self._last_asked = offset, now
        if since_s < _REPEATED_S:
            timeout_s = max(timeout_s, _REPEATED_S)
        return (1 if since_s < _HASTY_S else limit), timeout_s

    def next_for_webhook(self, busy_lanes: Collection[int]) -> Update | None:
        """Look at the oldest update of a lane in which none is on its way."""
        self._drop_dead()
        return next((update for update in self._pending if update.lane not in busy_lanes), None)

    def confirm(self, update: Update) -> None:
        """Drop an update: the webhook took it."""
        with suppress(ValueError):
            self._pending.remove(update)
            self.changes += 1

    def clear(self) -> None:
        """Drop everything that waits."""
        self._pending.clear()
        self.changes += 1

    def end_poll(self, sentence: str) -> None:
        """End a waiting poll with 409."""
        if self._poll:
            self._poll.end(sentence)

    def release_poll(self) -> None:
        """Answer a waiting poll at once: its connection is no more."""
        if self._poll:
            self._poll.woken.set()

    def close(self) -> None:
        """Answer a waiting poll at once and later ones without waiting: the server stops."""
        self._closed = True
        self.release_poll()

    def _confirm(self, offset: int) -> None:
        self._drop_dead()
        before = len(self._pending)
        if offset < 0:
            while len(self._pending) > -offset:
                self._pending.popleft()
        while offset > 0 and self._pending and self._pending[0].id < offset:
            self._pending.popleft()
        self.changes += len(self._pending) < before

    def _drop_dead(self) -> None:
        now = self._clock()
        if self._next_death > now:
            return
        alive = [update for update in self._pending if update.dies_at > now]
        self._pending = deque(alive, maxlen=MAX_PENDING)
        self._next_death = min((update.dies_at for update in alive), default=math.inf)

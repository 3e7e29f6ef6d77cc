"""Texts still being written, and the Stop that a person may press under them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from playground.bounded import Bounded
from playground.errors import bad_request

LIFETIME_S: Final = 30.0
_MAX_DRAFTS: Final = 1000


@dataclass
class Draft:
    """A draft as its bot last sent it; gone at `dies_at`, unix seconds."""

    can_stop: bool
    keep_on_stop: bool
    dies_at: float
    is_stopped: bool = False


class Drafts:
    """The drafts of all chats, bounded in number."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._drafts: Bounded[tuple[str, int], Draft] = Bounded(_MAX_DRAFTS)

    def write(self, chat_key: str, draft_id: int, *, can_stop: bool, keep_on_stop: bool) -> bool:
        """Note a draft; False where the person has stopped it, so that it is not shown."""
        known = self._alive(chat_key, draft_id)
        if known and known.is_stopped:
            return False
        draft = Draft(can_stop, keep_on_stop, self._clock() + LIFETIME_S)
        self._drafts.add((chat_key, draft_id), draft)
        return True

    def stop(self, chat_key: str, draft_id: int) -> Draft:
        """Press Stop.

        Raises:
            ApiError: there is no such draft, or it cannot be stopped.
        """
        draft = self._alive(chat_key, draft_id)
        if draft is None or not draft.can_stop or draft.is_stopped:
            raise bad_request("the draft cannot be stopped")
        draft.is_stopped = True
        return draft

    def end(self, chat_key: str) -> None:
        """Drop a chat's drafts: its bot has sent a message."""
        for key in self._drafts.keys():  # noqa: SIM118 - a copy
            if key[0] == chat_key:
                self._drafts.pop(key)

    def _alive(self, chat_key: str, draft_id: int) -> Draft | None:
        draft = self._drafts.get((chat_key, draft_id))
        return draft if draft and draft.dies_at > self._clock() else None

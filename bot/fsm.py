"""aiogram's conversation storage over our own table, so that conversations survive a restart."""

from collections.abc import Mapping
from typing import Any

from aiogram.fsm.state import State
from aiogram.fsm.storage.base import BaseStorage, StateType, StorageKey

from storage.conversations import Conversations


class ConversationStorage(BaseStorage):
    """Adapts :class:`storage.conversations.Conversations` to aiogram's contract."""

    def __init__(self, conversations: Conversations) -> None:
        self._conversations = conversations

    async def set_state(self, key: StorageKey, state: StateType = None) -> None:
        """Move the conversation; ``None`` ends it."""
        name = state.state if isinstance(state, State) else state
        await self._conversations.set_state(text_key(key), name)

    async def get_state(self, key: StorageKey) -> str | None:
        """Tell where the conversation stands."""
        return await self._conversations.state(text_key(key))

    async def set_data(self, key: StorageKey, data: Mapping[str, Any]) -> None:
        """Replace what was gathered."""
        await self._conversations.set_data(text_key(key), data)

    async def get_data(self, key: StorageKey) -> dict[str, Any]:
        """Return what was gathered, a copy."""
        return await self._conversations.data(text_key(key))

    async def close(self) -> None:
        """Leave the database open: it is not ours to close."""


def text_key(key: StorageKey) -> str:
    """Write every part of the key; what is absent stays empty, so no two keys look alike."""
    parts = (
        key.bot_id,
        key.chat_id,
        key.user_id,
        key.thread_id,
        key.business_connection_id,
        key.destiny,
    )
    return ":".join("" if part is None else str(part) for part in parts)

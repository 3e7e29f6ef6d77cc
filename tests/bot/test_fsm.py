"""One contract over aiogram's own memory storage and ours."""

from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import pytest
from aiogram.fsm.state import State, StatesGroup
from aiogram.fsm.storage.base import BaseStorage, StorageKey
from aiogram.fsm.storage.memory import MemoryStorage
from hypothesis import given
from hypothesis import strategies as st

from bot.fsm import ConversationStorage, text_key
from storage.conversations import Conversations
from storage.database import Database

KEY = StorageKey(bot_id=1, chat_id=2, user_id=3)
OTHERS = [
    replace(KEY, bot_id=9),
    replace(KEY, chat_id=-9),
    replace(KEY, user_id=9),
    replace(KEY, thread_id=9),
    replace(KEY, business_connection_id="9"),
    replace(KEY, destiny="scenes_history"),
]


class Steps(StatesGroup):
    one = State()
    two = State()


@pytest.fixture(params=["memory", "ours"])
async def storage(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[BaseStorage]:
    if request.param == "memory":
        yield MemoryStorage()
        return
    db = await Database.open(tmp_path / "bot.sqlite")
    storage = ConversationStorage(Conversations(db))
    yield storage
    await storage.close()
    await db.close()


async def test_a_stranger_has_no_state_and_no_data(storage: BaseStorage) -> None:
    assert await storage.get_state(KEY) is None
    assert await storage.get_data(KEY) == {}


async def test_a_state_is_kept_until_it_is_taken_away(storage: BaseStorage) -> None:
    await storage.set_state(KEY, Steps.one)
    assert await storage.get_state(KEY) == "Steps:one"
    await storage.set_state(KEY, "plain")
    assert await storage.get_state(KEY) == "plain"
    await storage.set_state(KEY)
    assert await storage.get_state(KEY) is None


async def test_data_is_replaced_as_a_whole_and_updated_in_parts(storage: BaseStorage) -> None:
    await storage.set_data(KEY, {"a": 1, "b": [1, {"c": None}]})
    assert await storage.get_data(KEY) == {"a": 1, "b": [1, {"c": None}]}
    assert await storage.update_data(KEY, {"a": 2}) == {"a": 2, "b": [1, {"c": None}]}
    assert await storage.get_value(KEY, "a") == 2
    assert await storage.get_value(KEY, "z", "default") == "default"
    await storage.set_data(KEY, {})
    assert await storage.get_data(KEY) == {}


async def test_what_was_read_is_a_copy(storage: BaseStorage) -> None:
    await storage.set_data(KEY, {"a": 1})
    (await storage.get_data(KEY))["a"] = 2
    assert await storage.get_data(KEY) == {"a": 1}


async def test_state_and_data_do_not_disturb_each_other(storage: BaseStorage) -> None:
    await storage.set_state(KEY, Steps.two)
    await storage.set_data(KEY, {"a": 1})
    await storage.set_state(KEY)
    assert await storage.get_data(KEY) == {"a": 1}


@pytest.mark.parametrize("other", OTHERS)
async def test_every_part_of_the_key_counts(storage: BaseStorage, other: StorageKey) -> None:
    await storage.set_state(KEY, Steps.one)
    await storage.set_data(KEY, {"a": 1})
    assert await storage.get_state(other) is None
    assert await storage.get_data(other) == {}


def test_no_two_keys_look_alike() -> None:
    for one, other in combinations([KEY, *OTHERS], 2):
        assert text_key(one) != text_key(other)


NUMBERS = st.integers(-(10**13), 10**13)
KEYS = st.builds(
    StorageKey,
    bot_id=NUMBERS,
    chat_id=NUMBERS,
    user_id=NUMBERS,
    thread_id=st.none() | NUMBERS,
    business_connection_id=st.none() | st.text("abc:1", min_size=1),
)


@given(KEYS, KEYS)
def test_different_keys_are_written_differently(one: StorageKey, other: StorageKey) -> None:
    assert (one == other) == (text_key(one) == text_key(other))

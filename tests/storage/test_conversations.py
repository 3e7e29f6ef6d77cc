import pytest

from storage.conversations import Conversations
from storage.database import Database
from tests.storage.stock import FakeClock


@pytest.fixture
def conversations(db: Database, clock: FakeClock) -> Conversations:
    return Conversations(db, clock)


async def test_a_stranger_has_neither_state_nor_data(conversations: Conversations) -> None:
    assert await conversations.state("1:2:3") is None
    assert await conversations.data("1:2:3") == {}


async def test_state_and_data_are_kept_apart(conversations: Conversations) -> None:
    await conversations.set_data("1:2:3", {"prompt": "ёж", "n": 2, "tags": ["a", None]})
    await conversations.set_state("1:2:3", "drawing:prompt")
    assert await conversations.state("1:2:3") == "drawing:prompt"
    assert await conversations.data("1:2:3") == {"prompt": "ёж", "n": 2, "tags": ["a", None]}
    assert await conversations.state("1:2:4") is None


async def test_data_is_replaced_as_a_whole(conversations: Conversations) -> None:
    await conversations.set_data("key", {"a": 1})
    await conversations.set_data("key", {"b": 2})
    assert await conversations.data("key") == {"b": 2}


async def test_a_copy_changed_outside_changes_nothing_inside(
    conversations: Conversations,
) -> None:
    await conversations.set_data("key", {"a": [1]})
    (await conversations.data("key"))["a"].append(2)
    assert await conversations.data("key") == {"a": [1]}


async def test_no_state_deletes_the_state_and_spares_the_data(
    conversations: Conversations,
) -> None:
    await conversations.set_state("key", "drawing")
    await conversations.set_data("key", {"a": 1})
    await conversations.set_state("key", None)
    assert await conversations.state("key") is None
    assert await conversations.data("key") == {"a": 1}


async def test_an_ended_conversation_takes_no_row(
    conversations: Conversations, db: Database
) -> None:
    await conversations.set_state("key", "drawing")
    await conversations.set_data("key", {"a": 1})
    await conversations.set_data("key", {})
    assert await conversations.state("key") == "drawing"
    await conversations.set_state("key", None)
    assert await db.rows("SELECT * FROM conversations") == []


async def test_data_that_is_not_plain_is_refused(conversations: Conversations) -> None:
    await conversations.set_data("key", {"a": 1})
    with pytest.raises(TypeError):
        await conversations.set_data("key", {"picture": b"bytes"})
    assert await conversations.data("key") == {"a": 1}


async def test_what_nobody_has_touched_for_long_is_forgotten(
    conversations: Conversations, clock: FakeClock
) -> None:
    await conversations.set_data("left", {"prompt": "secret words"})
    await conversations.set_data("taken up", {"prompt": "a cat"})
    clock.now += 100
    await conversations.set_state("taken up", "drawing")
    clock.now += 50
    assert await conversations.forget_older_than(100) == 1
    assert await conversations.data("left") == {}
    assert await conversations.data("taken up") == {"prompt": "a cat"}

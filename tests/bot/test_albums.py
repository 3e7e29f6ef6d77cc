"""Albums: what Telegram sends as so many messages is handled as one."""

import asyncio
import json
import random
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiogram import Bot, Dispatcher, F
from aiogram.filters import Command
from aiogram.types import CallbackQuery, Message
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.inbox import (
    ALBUM_MAX,
    ALBUM_QUIET_S,
    ATTEMPTS_MAX,
    GATHERED_MAX,
    NEXT_ALBUM_S,
    Reception,
)
from storage.database import Database
from storage.inbox import Inbox
from tests.jobs.fakes import until
from tests.telegram import TOKEN, FakeClock, RecordingSession

ROOT = Path(__file__).parents[2]


class StillClock(FakeClock):
    """Time stands still until it is told to pass."""

    def __init__(self) -> None:
        super().__init__()
        self._passing = asyncio.Event()

    async def sleep(self, duration_s: float) -> None:
        self.slept.append(duration_s)
        await self._passing.wait()

    def pass_by(self) -> bool:
        """Let whoever sleeps now wake up; False, for those who ask until it is so."""
        self._passing.set()
        self._passing = asyncio.Event()
        return False


class Office:
    """Notes what is handled: the message that is fed, and the album around it."""

    def __init__(self, db: Database) -> None:
        self.inbox = Inbox(db)
        self.clock = StillClock()
        self.heard: list[tuple[int, tuple[int, ...]]] = []
        self.replayed: list[bool] = []
        self.commands: list[int] = []
        self.presses = 0
        self.gate = asyncio.Event()
        self.gate.set()
        dispatcher = Dispatcher()
        dispatcher.message.register(self.obey, Command("variations"))
        dispatcher.message.register(self.hear, F.photo | F.text)
        dispatcher.callback_query.register(self.press)
        self.reception = Reception(
            self.inbox, dispatcher, Bot(TOKEN, session=RecordingSession()), self.clock
        )

    async def obey(self, message: Message, album: tuple[Message, ...], is_replayed: bool) -> None:
        self.commands.append(message.message_id)
        await self.hear(message, album, is_replayed)

    async def hear(self, message: Message, album: tuple[Message, ...], is_replayed: bool) -> None:
        self.heard.append((message.message_id, tuple(one.message_id for one in album)))
        self.replayed.append(is_replayed)
        await self.gate.wait()

    async def press(self, query: CallbackQuery) -> None:
        self.presses += 1

    async def until_empty(self) -> None:
        """Let time pass until everything is handled."""
        async with asyncio.timeout(10):
            while await self.inbox.pending():
                self.clock.pass_by()
                await asyncio.sleep(0.002)


def message(number: int, *, update: int | None = None, **fields: Any) -> dict[str, Any]:
    return {
        "update_id": update or number,
        "message": {
            "message_id": number,
            "date": 1,
            "chat": {"id": 7, "type": "private", "first_name": "V"},
            "from": {"id": 7, "is_bot": False, "first_name": "V"},
            **fields,
        },
    }


def photo(
    number: int, album: str | None = "a", *, update: int | None = None, **fields: Any
) -> dict[str, Any]:
    size = {"file_id": f"f{number}", "file_unique_id": "u", "width": 64, "height": 64}
    group = {"media_group_id": album} if album else {}
    return message(number, update=update, photo=[size], **group, **fields)


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    db = await Database.open(tmp_path / "bot.sqlite")
    yield db
    await db.close()


@pytest.fixture
async def office(db: Database) -> AsyncIterator[Office]:
    office = Office(db)
    yield office
    await office.reception.stop(0)


async def test_an_album_is_handled_once_with_all_its_messages_in_order(office: Office) -> None:
    for number, update in ((12, 1), (10, 2), (11, 3)):
        await office.reception.take(photo(number, update=update))
    await office.until_empty()
    assert office.heard == [(10, (10, 11, 12))]
    assert set(office.clock.slept) == {ALBUM_QUIET_S}


async def test_a_message_alone_is_its_own_album_and_is_not_waited_with(office: Office) -> None:
    await office.reception.take(photo(10, album=None))
    await office.until_empty()
    assert office.heard == [(10, (10,))]
    assert office.clock.slept == []


async def test_the_message_with_the_caption_speaks_for_its_album(office: Office) -> None:
    await office.reception.take(photo(10))
    await office.reception.take(photo(11, caption="/variations"))
    await office.until_empty()
    assert office.heard == [(11, (10, 11))]
    assert office.commands == [11]


async def test_an_album_is_waited_for_until_nothing_new_has_come(db: Database) -> None:
    office = Office(db)
    clock = office.clock
    await office.reception.take(photo(10))
    await until(lambda: len(clock.slept) == 1)
    await office.reception.take(photo(11))
    clock.pass_by()
    await until(lambda: len(clock.slept) == 2)
    assert office.heard == []
    clock.pass_by()
    await office.until_empty()
    assert office.heard == [(10, (10, 11))]


async def test_what_comes_after_an_album_is_another_one(office: Office) -> None:
    await office.reception.take(photo(10))
    await office.until_empty()
    await office.reception.take(photo(11))
    await office.until_empty()
    assert office.heard == [(10, (10,)), (11, (11,))]


async def test_what_apps_cut_into_several_albums_is_one(db: Database) -> None:
    """Twelve photos come as ten and two, and the two may be a while on their way up."""
    office = Office(db)
    await office.reception.take(photo(1, "a", caption="/variations"))
    for number in range(2, ALBUM_MAX + 1):
        await office.reception.take(photo(number, "a"))
    clock = office.clock
    await until(lambda: clock.slept[-1:] == [NEXT_ALBUM_S] or clock.pass_by())
    for number in (ALBUM_MAX + 1, ALBUM_MAX + 2):
        await office.reception.take(photo(number, "b"))
    await office.until_empty()
    assert office.heard == [(1, tuple(range(1, ALBUM_MAX + 3)))]
    assert clock.slept[-1] == ALBUM_QUIET_S
    await office.reception.stop(0)


@pytest.mark.parametrize(
    "next_one",
    [photo(21, "b", caption="/variations"), photo(21, None), message(21, text="and now?")],
    ids=["an album with words of its own", "a photo alone", "words"],
)
async def test_what_else_comes_after_a_full_album_is_no_part_of_it(
    office: Office, next_one: dict[str, Any]
) -> None:
    full = tuple(range(1, ALBUM_MAX + 1))
    for number in full:
        await office.reception.take(photo(number, "a"))
    await office.reception.take(next_one)
    await office.until_empty()
    assert office.heard == [(1, full), (21, (21,))]


async def test_no_more_are_gathered_than_apps_let_people_choose(office: Office) -> None:
    for number in range(GATHERED_MAX + 3):
        await office.reception.take(photo(number + 1, f"album {number // ALBUM_MAX}"))
    await office.until_empty()
    assert [len(album) for _, album in office.heard] == [GATHERED_MAX, 3]


async def test_a_press_does_not_wait_for_an_album(db: Database) -> None:
    office = Office(db)
    await office.reception.take(photo(10))
    who = {"id": 7, "is_bot": False, "first_name": "V"}
    shown = message(5, text="card")["message"]
    query = {"id": "1", "from": who, "chat_instance": "1", "data": "x", "message": shown}
    await office.reception.take({"update_id": 11, "callback_query": query})
    await until(lambda: office.presses == 1)
    assert office.heard == []
    await office.reception.stop(0)


async def test_what_is_said_after_an_album_waits_for_it(office: Office) -> None:
    await office.reception.take(photo(10))
    await office.reception.take(message(12, text="and this"))
    await office.reception.take(photo(11))
    await office.until_empty()
    assert office.heard == [(10, (10, 11)), (12, (12,))]


async def test_a_member_that_cannot_be_read_takes_no_other_with_it(office: Office) -> None:
    broken = photo(10)
    broken["message"]["chat"] = {"id": 7}
    await office.reception.take(broken)
    await office.reception.take(photo(11))
    await office.until_empty()
    assert office.heard == [(11, (11,))]


LINE = st.lists(st.sampled_from(["a", "b", ""]), min_size=1, max_size=20).filter(
    lambda line: max(map(line.count, "ab")) < ALBUM_MAX
)


@settings(max_examples=15, deadline=None)
@given(line=LINE, seed=st.integers(0, 2**16))
def test_however_they_come_each_album_is_whole_and_in_order(
    tmp_path_factory: pytest.TempPathFactory, line: list[str], seed: int
) -> None:
    """Messages of two albums and loose ones, sent in one order and received in another."""
    numbered = list(enumerate(line, start=100))
    random.Random(seed).shuffle(numbered)
    folder = tmp_path_factory.mktemp("line")
    heard = asyncio.run(handled(folder, numbered))

    albums = [album for _, album in heard]
    assert sorted(n for album in albums for n in album) == [100 + i for i in range(len(line))]
    names = dict(numbered)
    for album in albums:
        assert list(album) == sorted(album)
        assert len({names[number] for number in album}) == 1
        assert len(album) == 1 or names[album[0]]
    for name in ("a", "b"):
        made = [album for album in albums if names[album[0]] == name]
        assert len(made) == int(name in line)
    loose = [number for number, name in numbered if not name]
    assert [album[0] for album in albums if not names[album[0]]] == loose


async def handled(
    folder: Path, numbered: list[tuple[int, str]]
) -> list[tuple[int, tuple[int, ...]]]:
    db = await Database.open(folder / "bot.sqlite")
    office = Office(db)
    # All are in the line before the first is handled, as one answer of Telegram's brings them.
    for update, (number, name) in enumerate(numbered, start=1):
        raw = photo(number, name or None, update=update)
        await office.inbox.put(update, json.dumps(raw))
    await office.reception.replay()
    await office.until_empty()
    await office.reception.stop(0)
    await db.close()
    return office.heard


async def test_an_album_cut_short_while_it_was_gathered_is_whole_after_the_next_start(
    db: Database,
) -> None:
    before = Office(db)
    await before.reception.take(photo(10))
    await before.reception.take(photo(11))
    await until(lambda: before.clock.slept == [ALBUM_QUIET_S])
    await before.reception.stop(0)
    assert before.heard == []

    after = Office(db)
    assert await after.reception.replay() == 2
    await after.reception.take(photo(12))
    await after.until_empty()
    assert after.heard == [(10, (10, 11, 12))]
    assert after.replayed == [False]
    await after.reception.stop(0)


async def test_an_album_cut_short_while_it_was_handled_is_handled_again_as_a_whole(
    db: Database,
) -> None:
    before = Office(db)
    before.gate.clear()
    for number in (10, 11):
        await before.reception.take(photo(number))
    await until(lambda: before.clock.pass_by() or bool(before.heard))
    await before.reception.stop(0)

    after = Office(db)
    assert await after.reception.replay() == 2
    await after.until_empty()
    assert after.heard == [(10, (10, 11))]
    assert after.replayed == [True]
    await after.reception.stop(0)


async def test_an_album_that_kills_us_every_time_is_given_up_as_a_whole(office: Office) -> None:
    given: list[bool] = []

    async def note(message: Message, is_given_up: bool = False) -> None:
        given.append(is_given_up)

    for update in (photo(10), photo(11)):
        await office.inbox.put(update["update_id"], json.dumps(update))
    for _ in range(ATTEMPTS_MAX):
        await office.inbox.attempt(10, 11)
    office.reception._dispatcher.message.handlers.clear()
    office.reception._dispatcher.message.register(note)
    await office.reception.replay()
    await office.until_empty()
    assert given == [True]


VICTIM = """
import quick_aiogram
import asyncio, json, sys
from pathlib import Path
from aiogram import Bot, Dispatcher
from bot.clock import Clock
from bot.inbox import Reception
from storage.database import Database
from storage.inbox import Inbox

async def main():
    db = await Database.open(Path(sys.argv[1]))
    reception = Reception(Inbox(db), Dispatcher(), Bot("42:TEST"), Clock())
    for raw in sys.argv[2:]:
        await reception.take(json.loads(raw))
    print(len(reception._lanes), flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


async def test_killed_while_an_album_was_gathered_it_is_whole_after_the_next_start(
    tmp_path: Path,
) -> None:
    path = tmp_path / "killed.sqlite"
    victim = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", VICTIM, str(path)),
        *map(json.dumps, (photo(10), photo(11))),
        cwd=ROOT,
        stdout=subprocess.PIPE,
    )
    assert victim.stdout is not None
    assert await victim.stdout.readline() == b"1\n"  # it waits for more
    victim.kill()
    assert await victim.wait() == -signal.SIGKILL

    db = await Database.open(path)
    office = Office(db)
    assert await office.reception.replay() == 2
    # Telegram was never told that these had come: it sends them all again.
    for number in (10, 11, 12):
        await office.reception.take(photo(number))
    await office.until_empty()
    assert office.heard == [(10, (10, 11, 12))]
    await office.reception.stop(0)
    await db.close()

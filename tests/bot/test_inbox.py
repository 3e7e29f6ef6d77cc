import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiogram import Bot, Dispatcher, Router
from aiogram.types import CallbackQuery, Message

from bot.inbox import ATTEMPTS_MAX, Poller, Reception, TokenRefused, WebhookRefused, lane_of
from storage.database import Database
from storage.inbox import Inbox
from tests.jobs.fakes import until
from tests.telegram import (
    GARBAGE,
    SILENCE,
    TOKEN,
    FakeClock,
    Fault,
    RecordingSession,
    refused,
    slow_down,
)


def update(number: int, text: str = "x", *, user: int = 7, chat: int = 7) -> dict[str, Any]:
    return {
        "update_id": number,
        "message": {
            "message_id": number,
            "date": 1,
            "text": text,
            "chat": {"id": chat, "type": "private", "first_name": "V"},
            "from": {"id": user, "is_bot": False, "first_name": "V"},
        },
    }


def press(number: int, data: str, *, user: int = 7) -> dict[str, Any]:
    who = {"id": user, "is_bot": False, "first_name": "V"}
    query = {"id": str(number), "from": who, "chat_instance": "1", "data": data}
    return {
        "update_id": number,
        "callback_query": {**query, "message": update(number)["message"]},
    }


class Office:
    """A dispatcher that notes what it is given, and the inbox before it."""

    def __init__(self, db: Database) -> None:
        self.inbox = Inbox(db)
        self.session = RecordingSession()
        self.bot = Bot(TOKEN, session=self.session)
        self.heard: list[tuple[str, bool]] = []
        self.gates: dict[str, asyncio.Event] = {}
        self.dispatcher = Dispatcher()
        router = Router()
        router.message.register(self.hear)
        self.dispatcher.include_router(router)
        self.reception = Reception(self.inbox, self.dispatcher, self.bot, FakeClock())

    async def hear(self, message: Message, is_replayed: bool) -> None:
        text = message.text or ""
        self.heard.append((text, is_replayed))
        if text == "break":
            raise ZeroDivisionError
        if text in self.gates:
            await self.gates[text].wait()

    @property
    def texts(self) -> list[str]:
        return [text for text, _ in self.heard]

    async def is_empty(self) -> bool:
        return await self.inbox.pending() == []


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


async def until_empty(office: Office) -> None:
    async with asyncio.timeout(10):
        while not await office.is_empty():  # noqa: ASYNC110 - asks the database
            await asyncio.sleep(0.002)


async def test_an_update_is_on_disk_before_it_is_handled(office: Office) -> None:
    office.gates["a"] = asyncio.Event()
    await office.reception.take(update(1, "a"))
    assert await office.inbox.pending() == [(1, json.dumps(update(1, "a")))]
    office.gates["a"].set()
    await until_empty(office)
    assert office.heard == [("a", False)]


async def test_an_update_that_comes_twice_is_handled_once(office: Office) -> None:
    await office.reception.take(update(1, "a"))
    await office.reception.take(update(1, "a"))
    await until_empty(office)
    await office.reception.take(update(1, "a"))
    await asyncio.sleep(0.01)
    assert office.texts == ["a"]


async def test_one_person_is_heard_in_order_and_holds_up_nobody_else(office: Office) -> None:
    office.gates["first"] = asyncio.Event()
    await office.reception.take(update(1, "first"))
    await office.reception.take(update(2, "second"))
    await office.reception.take(update(3, "other", user=8, chat=8))
    await until(lambda: "other" in office.texts)
    assert "second" not in office.texts
    office.gates["first"].set()
    await until_empty(office)
    assert [text for text in office.texts if text != "other"] == ["first", "second"]


async def test_a_press_does_not_wait_behind_what_was_said(office: Office) -> None:
    presses: list[str | None] = []

    async def note(query: CallbackQuery) -> None:
        presses.append(query.data)

    office.dispatcher.callback_query.register(note)
    office.gates["slow"] = asyncio.Event()
    await office.reception.take(update(1, "slow"))
    await until(lambda: office.texts == ["slow"])
    await office.reception.take(press(2, "cancel"))
    await until(lambda: presses == ["cancel"])
    office.gates["slow"].set()
    await until_empty(office)


async def test_a_press_does_not_wait_for_what_all_others_say(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.inbox.AT_ONCE_MAX", 2)
    crowded = Reception(office.inbox, office.dispatcher, office.bot, FakeClock())
    presses: list[str | None] = []

    async def note(query: CallbackQuery) -> None:
        presses.append(query.data)

    office.dispatcher.callback_query.register(note)
    office.gates["slow"] = asyncio.Event()
    for number in (1, 2, 3):
        await crowded.take(update(number, "slow", user=number))
    await until(lambda: office.texts == ["slow", "slow"])
    await crowded.take(press(4, "cancel", user=3))
    await until(lambda: presses == ["cancel"])
    assert office.texts == ["slow", "slow"]
    office.gates["slow"].set()
    await until_empty(office)
    assert len(office.texts) == 3


async def test_a_failing_storage_is_waited_for(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.jobs.backoff.STORAGE_FIRST_S", 0.001)
    for name in ("put", "attempt", "done"):
        monkeypatch.setattr(office.inbox, name, failing_twice(getattr(office.inbox, name)))
    await office.reception.take(update(1, "a"))
    await office.reception.take(update(2, "b"))
    await until_empty(office)
    assert office.texts == ["a", "b"]


def failing_twice(step: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    faults = 2

    async def try_it(*arguments: Any) -> Any:
        nonlocal faults
        if faults:
            faults -= 1
            raise sqlite3.OperationalError("database or disk is full")
        return await step(*arguments)

    return try_it


async def test_what_a_kill_left_is_handled_by_the_next_start(db: Database) -> None:
    before = Office(db)
    before.gates["a"] = asyncio.Event()
    await before.reception.take(update(1, "a"))
    await before.reception.take(update(2, "b"))
    await until(lambda: before.texts == ["a"])
    await before.reception.stop(0)

    after = Office(db)
    assert await after.reception.replay() == 2
    await until_empty(after)
    assert after.heard == [("a", True), ("b", False)]
    await after.reception.stop(0)


async def test_an_update_that_kills_us_every_time_is_given_up(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    await office.inbox.put(1, json.dumps(update(1, "a")))
    for _ in range(ATTEMPTS_MAX):
        await office.inbox.attempt(1)
    await office.reception.replay()
    await until_empty(office)
    assert office.texts == []
    assert "given up" in caplog.text


async def test_stops_in_good_order_give_nothing_up(db: Database) -> None:
    for _ in range(ATTEMPTS_MAX + 1):
        before = Office(db)
        before.gates["a"] = asyncio.Event()
        await before.reception.take(update(1, "a"))
        await before.reception.replay()
        await until(lambda before=before: before.texts == ["a"])  # type: ignore[misc]
        await before.reception.stop(0)

    after = Office(db)
    await after.reception.replay()
    await until_empty(after)
    assert after.heard == [("a", True)]
    await after.reception.stop(0)


async def test_a_handler_that_breaks_is_logged_and_the_next_update_handled(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    await office.reception.take(update(1, "break"))
    await office.reception.take(update(2, "b"))
    await until_empty(office)
    assert office.texts == ["break", "b"]
    assert "update 1 failed" in caplog.text


@pytest.mark.parametrize("strange", [{}, {"update_id": "x"}, {"update_id": True and "1"}])
async def test_an_update_without_a_number_is_dropped(
    office: Office, strange: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    await office.reception.take(strange)
    assert await office.is_empty()
    assert "without a number" in caplog.text


async def test_an_update_that_cannot_be_read_hides_no_other(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    for number, message in enumerate(
        [{"text": "my secret"}, {"from": "x"}, {"chat": {"id": "a"}}, {"text": "\ud800"}]
    ):
        await office.reception.take({"update_id": number, "message": message})
    await office.reception.take(update(9, "b"))
    await until_empty(office)
    assert office.texts == ["b"]
    assert "update 0 cannot be read" in caplog.text
    assert "my secret" not in caplog.text


@pytest.mark.parametrize(
    ("raw", "lane"),
    [
        (update(1, user=8, chat=-5), (-5, 8, False)),
        (
            {
                "update_id": 1,
                "callback_query": {"from": {"id": 8}, "message": {"chat": {"id": -5}}},
            },
            (-5, 8, True),
        ),
        ({"update_id": 1, "callback_query": {"from": {"id": 8}}}, (0, 8, True)),
        ({"update_id": 1}, (0, 0, False)),
        ({"update_id": 1, "message": {"from": "x"}}, (0, 0, False)),
        ({"update_id": 1, "message": {"chat": {"id": "a"}, "from": []}}, (0, 0, False)),
    ],
)
def test_a_lane_is_a_person_in_a_chat_and_presses_have_their_own(
    raw: dict[str, Any], lane: tuple[int, int, bool]
) -> None:
    assert lane_of(raw) == lane


async def polled(office: Office, clock: FakeClock) -> Poller:
    """Poll until Telegram has nothing more to say."""
    poller = Poller(office.bot, office.reception, clock)

    class Enough(Exception):
        pass

    def stop_when_empty(method: Any) -> None:
        if method.__api_method__ == "getUpdates" and not office.session.updates:
            if office.session.faults["getUpdates"]:
                return
            raise Enough

    office.session.before = stop_when_empty
    await poller.identify()
    with pytest.raises(Enough):
        await poller.run()
    return poller


async def test_updates_are_confirmed_only_once_they_are_on_disk(office: Office) -> None:
    office.session.updates.extend([[update(5, "a"), update(6, "b")], [update(7, "c")]])
    poller = await polled(office, FakeClock())
    await until_empty(office)

    polls = [call for call in office.session.calls if call.__api_method__ == "getUpdates"]
    assert [poll.model_dump()["offset"] for poll in polls] == [None, 7, 8]
    assert office.session.names()[:2] == ["getMe", "deleteWebhook"]
    assert office.texts == ["a", "b", "c"]
    assert poller.silence_s == 0


async def test_an_update_without_a_readable_number_stops_no_poll(office: Office) -> None:
    office.session.updates.extend([[{"update_id": "abc"}, {}, update(5, "a")]])
    await polled(office, FakeClock())
    await until_empty(office)
    assert office.texts == ["a"]


@pytest.mark.parametrize("name", ["getMe", "deleteWebhook", "getUpdates"])
async def test_telegram_is_left_alone_for_as_long_as_it_asks(office: Office, name: str) -> None:
    clock = FakeClock()
    office.session.meets(name, slow_down(300))
    await polled(office, clock)
    assert clock.slept == [300]


@pytest.mark.parametrize("fault", [SILENCE, GARBAGE, refused(502, "Bad Gateway")])
async def test_a_telegram_that_is_away_is_asked_again_and_logged_once(
    office: Office, caplog: pytest.LogCaptureFixture, fault: Fault
) -> None:
    clock = FakeClock()
    office.session.meets("getUpdates", *[fault] * 6)
    office.session.updates.append([update(5, "a")])
    await polled(office, clock)
    await until_empty(office)

    assert clock.slept == [1.0, 2.0, 5.0, 10.0, 10.0, 10.0]
    assert caplog.text.count("Telegram cannot be reached") == 1
    assert caplog.text.count("Telegram answers again") == 1


async def test_a_second_program_with_the_same_token_is_named(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    office.session.meets("getUpdates", refused(409, "Conflict: terminated by other"))
    await polled(office, FakeClock())
    assert "another program receives this bot's updates" in caplog.text


@pytest.mark.parametrize("status", [401, 404])
async def test_a_token_telegram_does_not_know_ends_it_with_one_line(
    office: Office, status: int
) -> None:
    office.session.meets("getMe", refused(status, "Unauthorized"))
    with pytest.raises(TokenRefused, match="Telegram refuses the bot token"):
        await Poller(office.bot, office.reception, FakeClock()).identify()


async def test_silence_is_counted_before_telegram_ever_answered(office: Office) -> None:
    clock = FakeClock()
    poller = Poller(office.bot, office.reception, clock)
    assert poller.silence_s is None
    office.session.meets("getMe", SILENCE, SILENCE)
    longest = 0.0

    def look(_method: Any) -> None:
        nonlocal longest
        longest = max(longest, poller.silence_s or 0)

    office.session.before = look
    await poller.identify()
    assert longest == 3
    assert poller.silence_s == 0


async def test_a_webhook_telegram_refuses_ends_it_with_one_line(office: Office) -> None:
    office.session.meets("setWebhook", refused(400, "Bad Request: bad webhook: IP is reserved"))
    poller = Poller(office.bot, office.reception, FakeClock())
    with pytest.raises(WebhookRefused, match=r"https://b\.example/webhook: .*reserved"):
        await poller.be_called("https://b.example/webhook", "s3")


async def test_with_a_webhook_telegram_is_told_where_to_call(office: Office) -> None:
    poller = Poller(office.bot, office.reception, FakeClock())
    calling = asyncio.ensure_future(poller.be_called("https://b.example/webhook", "s3"))  # noqa: TID251
    await until(lambda: office.session.names() == ["setWebhook"])
    await asyncio.sleep(0.01)
    call = office.session.calls[0].model_dump()
    assert (call["url"], call["secret_token"]) == ("https://b.example/webhook", "s3")
    assert poller.silence_s is None
    calling.cancel()

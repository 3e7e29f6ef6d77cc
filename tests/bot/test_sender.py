import asyncio

import pytest
from aiogram import Bot
from aiogram.exceptions import (
    AiogramError,
    TelegramBadRequest,
    TelegramEntityTooLarge,
    TelegramNetworkError,
    TelegramRetryAfter,
    TelegramServerError,
)
from aiogram.methods import SendMessage, TelegramMethod
from aiogram.types import BotCommand, InputMediaPhoto
from aiohttp import ClientConnectorError, ConnectionTimeoutError
from aiohttp.client_reqrep import ConnectionKey

from bot.jobs.ports import ChatGone
from bot.sender import BACKOFF_S, CardIsOtherKind, CardLost, Pace, Sender, SendUnknown, once
from tests.telegram import (
    BLOCKED,
    DONE_BUT_UNHEARD,
    GARBAGE,
    SILENCE,
    TOKEN,
    FakeClock,
    Fault,
    RecordingSession,
    refused,
    slow_down,
)

PRIVATE, GROUP = 7, -100
SERVER_ERROR = refused(500, "Internal Server Error")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def session() -> RecordingSession:
    return RecordingSession()


@pytest.fixture
def bot(session: RecordingSession, clock: FakeClock) -> Bot:
    session.middleware(Sender(clock))
    return Bot(TOKEN, session=session)


@pytest.mark.parametrize("fault", [SERVER_ERROR, GARBAGE, SILENCE, DONE_BUT_UNHEARD])
async def test_a_send_of_unknown_fate_is_never_repeated(
    bot: Bot, session: RecordingSession, fault: Fault
) -> None:
    session.meets("sendMessage", fault)
    with pytest.raises(SendUnknown):
        await bot.send_message(PRIVATE, "hello")
    assert session.names() == ["sendMessage"]


@pytest.mark.parametrize("fault", [SERVER_ERROR, GARBAGE, SILENCE, DONE_BUT_UNHEARD])
async def test_an_edit_is_repeated_until_it_works(
    bot: Bot, session: RecordingSession, clock: FakeClock, fault: Fault
) -> None:
    sent = await bot.send_message(PRIVATE, "hello")
    session.meets("editMessageText", fault, fault)
    await bot.edit_message_text("bye", chat_id=PRIVATE, message_id=sent.message_id)
    assert session.chats[PRIVATE][sent.message_id].text == "bye"
    assert clock.slept == [BACKOFF_S[0], BACKOFF_S[1]]


async def test_a_harmless_call_is_given_up_in_the_end(
    bot: Bot, session: RecordingSession, clock: FakeClock
) -> None:
    session.meets("answerCallbackQuery", *[SERVER_ERROR] * 20)
    with pytest.raises(TelegramServerError):
        await bot.answer_callback_query("1")
    assert len(session.calls) == len(BACKOFF_S) + 1
    assert clock.slept == list(BACKOFF_S)


@pytest.mark.parametrize("fault", [SERVER_ERROR, GARBAGE, SILENCE])
async def test_what_is_stale_at_once_is_not_repeated(
    bot: Bot, session: RecordingSession, clock: FakeClock, fault: Fault
) -> None:
    sent = await bot.send_message(PRIVATE, "hello")
    session.meets("editMessageText", fault)
    with pytest.raises(AiogramError), once():
        await bot.edit_message_text("bye", chat_id=PRIVATE, message_id=sent.message_id)
    assert session.names().count("editMessageText") == 1
    assert clock.slept == []

    session.meets("editMessageText", fault)
    await bot.edit_message_text("bye", chat_id=PRIVATE, message_id=sent.message_id)
    assert session.chats[PRIVATE][sent.message_id].text == "bye"


async def test_silence_asked_for_by_what_is_not_repeated_is_kept_by_what_follows(
    bot: Bot, session: RecordingSession, clock: FakeClock
) -> None:
    sent = await bot.send_message(PRIVATE, "hello")
    session.meets("editMessageText", slow_down(17))
    started = clock.now
    with pytest.raises(TelegramRetryAfter), once():
        await bot.edit_message_text("bye", chat_id=PRIVATE, message_id=sent.message_id)
    assert clock.now == started
    await bot.send_message(PRIVATE, "hello")
    assert clock.now - started == pytest.approx(17)


@pytest.mark.parametrize(
    "cause",
    [
        ClientConnectorError(
            ConnectionKey("localhost", 80, False, True, None, None, None), OSError("refused")
        ),
        ConnectionTimeoutError("Connection timeout to host"),
    ],
    ids=["refused", "too late"],
)
async def test_a_send_that_never_left_is_repeated(
    bot: Bot, session: RecordingSession, cause: Exception
) -> None:
    def refuse_once(method: TelegramMethod[object]) -> None:
        if len(session.calls) == 1:
            raise TelegramNetworkError(method=method, message="no") from cause

    session.before = refuse_once
    await bot.send_message(PRIVATE, "hello")
    assert session.names() == ["sendMessage"] * 2
    assert len(session.chats[PRIVATE]) == 1


async def test_silence_is_kept_as_long_as_telegram_asks_and_the_call_repeated(
    bot: Bot, session: RecordingSession, clock: FakeClock
) -> None:
    session.meets("sendMessage", slow_down(17))
    started = clock.now
    await bot.send_message(PRIVATE, "hello")
    assert clock.now - started == pytest.approx(17)
    assert len(session.chats[PRIVATE]) == 1


async def test_silence_in_one_chat_is_not_silence_in_another(
    bot: Bot, session: RecordingSession, clock: FakeClock
) -> None:
    session.meets("sendMessage", slow_down(1000))
    waiting = asyncio.Event()
    clock_sleep = clock.sleep

    async def sleep(duration_s: float) -> None:
        waiting.set()
        await asyncio.Event().wait()

    clock.sleep = sleep  # type: ignore[method-assign]
    held = asyncio.ensure_future(bot.send_message(PRIVATE, "hello"))  # noqa: TID251
    await waiting.wait()
    await bot.send_message(8, "hello")
    assert len(session.chats[8]) == 1
    held.cancel()
    clock.sleep = clock_sleep  # type: ignore[method-assign]


async def test_an_answer_refused_for_flood_waits_and_silences_no_chat(
    bot: Bot, session: RecordingSession, clock: FakeClock
) -> None:
    session.meets("answerCallbackQuery", slow_down(9))
    started = clock.now
    with pytest.raises(TelegramRetryAfter), once():
        await bot.answer_callback_query("1")
    await bot.send_message(PRIVATE, "hello")
    assert clock.now == started
    await bot.answer_callback_query("2")
    assert clock.now - started == pytest.approx(9)


async def test_an_introduction_refused_for_flood_is_not_repeated_and_silences_nothing(
    bot: Bot, session: RecordingSession, clock: FakeClock
) -> None:
    session.meets("setMyCommands", slow_down(3600))
    started = clock.now
    with pytest.raises(TelegramRetryAfter):
        await bot.set_my_commands([BotCommand(command="help", description="help")])
    await bot.send_message(PRIVATE, "hello")
    await bot.answer_callback_query("1")
    assert clock.now == started


async def test_a_shorter_silence_does_not_end_a_longer_one(clock: FakeClock) -> None:
    pace = Pace(clock)
    started = clock.now
    pace.hold(PRIVATE, 60)
    pace.hold(PRIVATE, 1)
    await pace.turn(PRIVATE)
    assert clock.now - started == pytest.approx(60)


@pytest.mark.parametrize(
    "description",
    [
        "Bad Request: message is not modified: specified new message content is the same",
        "Bad Request: query is too old and response timeout expired or query ID is invalid",
    ],
)
async def test_what_is_so_already_counts_as_done(
    bot: Bot, session: RecordingSession, description: str
) -> None:
    session.meets("answerCallbackQuery", refused(400, description))
    assert await bot.answer_callback_query("1") is True


async def test_a_message_that_is_gone_already_is_deleted(bot: Bot) -> None:
    assert await bot.delete_message(PRIVATE, 5) is True


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (BLOCKED, ChatGone),
        (refused(403, "Forbidden: user is deactivated"), ChatGone),
        (refused(400, "Bad Request: chat not found"), ChatGone),
        (refused(400, "Bad Request: message to edit not found"), CardLost),
        (refused(400, "Bad Request: message can't be edited"), CardLost),
        (refused(400, "Bad Request: there is no text in the message to edit"), CardIsOtherKind),
        (refused(400, "Bad Request: can't parse entities"), TelegramBadRequest),
        (refused(413, "Request Entity Too Large"), TelegramEntityTooLarge),
    ],
)
async def test_each_refusal_has_its_name(
    bot: Bot, session: RecordingSession, fault: Fault, expected: type[Exception]
) -> None:
    session.meets("editMessageText", fault)
    with pytest.raises(expected):
        await bot.edit_message_text("x", chat_id=PRIVATE, message_id=1)
    assert len(session.calls) == 1


async def test_a_group_that_moved_is_written_to_at_its_new_place(
    bot: Bot, session: RecordingSession
) -> None:
    session.meets("sendMessage", refused(400, "upgraded", migrate_to_chat_id=-1009))
    await bot.send_message(GROUP, "hello")
    assert len(session.chats[-1009]) == 1


@pytest.mark.parametrize("name", ["getMe", "deleteWebhook"])
async def test_receiving_makes_its_own_rules(
    bot: Bot, session: RecordingSession, name: str
) -> None:
    session.meets(name, SERVER_ERROR)
    with pytest.raises(TelegramServerError):
        await (bot.get_me() if name == "getMe" else bot.delete_webhook())
    assert len(session.calls) == 1


async def test_a_chat_takes_five_at_once_and_then_one_a_second(bot: Bot, clock: FakeClock) -> None:
    started = clock.now
    for _ in range(5):
        await bot.send_message(PRIVATE, "x")
    assert clock.now == started
    for _ in range(3):
        await bot.send_message(PRIVATE, "x")
    assert clock.now - started == pytest.approx(3)


async def test_a_group_takes_twenty_a_minute(bot: Bot, clock: FakeClock) -> None:
    started = clock.now
    for _ in range(40):
        await bot.send_message(GROUP, "x")
    assert clock.now - started == pytest.approx(60, abs=2)


async def test_everybody_together_takes_thirty_a_second(bot: Bot, clock: FakeClock) -> None:
    started = clock.now
    for chat in range(1, 91):
        await bot.send_message(chat, "x")
    assert clock.now - started == pytest.approx(2, abs=0.1)


async def test_an_album_costs_what_it_holds(bot: Bot, clock: FakeClock) -> None:
    media = [InputMediaPhoto(media=str(number)) for number in range(4)]
    started = clock.now
    await bot.send_media_group(PRIVATE, list(media))
    await bot.send_media_group(PRIVATE, list(media))
    await bot.send_message(PRIVATE, "x")
    assert clock.now - started == pytest.approx(4)


async def test_ready_waits_for_a_turn_but_takes_none(clock: FakeClock) -> None:
    pace = Pace(clock)
    for _ in range(5):
        await pace.turn(PRIVATE)
    started = clock.now
    await pace.ready(PRIVATE)
    await pace.ready(PRIVATE)
    assert clock.now - started == pytest.approx(1)


async def test_chats_at_rest_are_forgotten(clock: FakeClock) -> None:
    pace = Pace(clock)
    for chat in range(1, 10_001):
        await pace.turn(chat)
    clock.now += 60
    await pace.turn(20_000)
    assert len(pace._chats) == 1


async def test_a_send_keeps_its_words(bot: Bot, session: RecordingSession) -> None:
    await bot.send_message(PRIVATE, "<b>*x*</b>")
    [call] = session.calls
    assert isinstance(call, SendMessage)
    assert session.prepare_value(call.parse_mode, bot=bot, files={}) is None

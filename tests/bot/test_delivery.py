"""The card's whole life, and a crash between any two of its lines."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from aiogram import Bot
from aiogram.methods import TelegramMethod

from bot import drawing
from bot.delivery import GROUP_SLOWER, TelegramDelivery
from bot.jobs.ports import ChatGone, Running, Waiting
from bot.outbox import Outbox
from bot.sender import Sender, SendUnknown
from bot.texts import Languages
from pipelines.profiles import Profile
from pipelines.text_to_image import TextToImageRequest
from storage.blobs import Blobs
from storage.database import Database
from storage.jobs import Card, Job, JobResult, Jobs, NewJob, ResultPicture
from storage.people import People
from tests.building import PROFILE
from tests.jobs.fakes import until
from tests.telegram import (
    BLOCKED,
    DONE_BUT_UNHEARD,
    SILENCE,
    TOKEN,
    FakeClock,
    Fault,
    RecordingSession,
    Shown,
    refused,
)

TINY = Profile.model_validate(PROFILE)
INTERVAL_S = 3.0
CHAT = 7
NO_PHOTOS = refused(400, "Bad Request: not enough rights to send photos to the chat")


class Crash(BaseException):
    """The process dies here."""


class SlowClock(FakeClock):
    """Time that stands still until a test moves it."""

    async def sleep(self, duration_s: float) -> None:
        end = self.now + duration_s
        self.slept.append(duration_s)
        await until(lambda: self.now >= end, timeout_s=600)


class Life:
    """One process after another on the same tables and the same Telegram."""

    def __init__(self, db: Database, root: Path, clock: FakeClock) -> None:
        self.clock = clock
        self.session = RecordingSession()
        self.jobs = Jobs(db, clock)
        self.people = People(db, clock)
        self.blobs = Blobs(root, db, lifetime_s=1e9, max_bytes=10**9, clock=clock)
        self.begin()

    def begin(self) -> None:
        """Start a process that knows nothing of the one before."""
        self.session.before = self.session.after = lambda _method: None
        self.session.middleware = type(self.session.middleware)()
        sender = Sender(self.clock)
        self.session.middleware(sender)
        self.delivery = TelegramDelivery(
            Outbox(Bot(TOKEN, session=self.session), self.blobs),
            self.jobs,
            self.people,
            modes={"text_to_image": drawing.card(TINY)},
            languages=Languages(),
            pace=sender.pace,
            clock=self.clock,
            edit_interval_s=INTERVAL_S,
        )

    async def job(self, n: int = 1, *, chat_id: int = CHAT, reply_to: int | None = None) -> Job:
        request = TextToImageRequest(
            prompt="a <b>fox</b>", width_px=128, height_px=128, quality="base", n=n, seed=5
        )
        new = NewJob(
            origin=f"origin {self.clock.now} {n} {chat_id}",
            user_id=CHAT,
            chat_id=chat_id,
            thread_id=None,
            reply_to_message_id=reply_to,
            language="en",
            mode="text_to_image",
            request=request.model_dump_json(),
            batch_key="k",
            pictures=n,
            cost=n,
        )
        async with self.jobs.db.transaction() as connection:
            return await self.jobs.insert(connection, new, self.clock.now)

    async def finished(self, n: int = 1, *, card: Card | None = None) -> Job:
        job = await self.job(n)
        await self.jobs.claim(99)
        pictures = tuple(
            [
                ResultPicture(
                    png_key=await self.blobs.put(f"png {i}".encode()),
                    jpeg_key=await self.blobs.put(f"jpeg {i}".encode()),
                    seed=5 + i,
                    width_px=128,
                    height_px=128,
                )
                for i in range(n)
            ]
        )
        await self.jobs.finish(job.id, JobResult(pictures, 2.5))
        if card is not None:
            await self.jobs.set_card(job.id, card)
        return await self.jobs.get(job.id)

    @property
    def chat(self) -> list[Shown]:
        return list(self.session.chats[CHAT].values())

    def pictures(self) -> list[str]:
        """The pictures the chat shows, whether uploaded or named by their ids."""
        shown = (message.content for message in self.chat if message.media == "photo")
        return sorted(content.removeprefix("id of ") for content in shown)


@pytest.fixture
async def life(tmp_path: Path) -> AsyncIterator[Life]:
    db = await Database.open(tmp_path / "bot.sqlite")
    life = Life(db, tmp_path / "blobs", FakeClock())
    yield life
    await life.delivery.stop()
    await db.close()


async def test_one_message_goes_from_the_queue_to_the_picture(life: Life) -> None:
    job = await life.job()
    life.delivery.show(job, Waiting(2, 30))
    await until(lambda: bool(life.chat))
    assert "2 pictures before yours, ready in about 30 s" in life.chat[0].text
    assert list(life.chat[0].buttons) == ["✖️ Cancel"]

    await life.jobs.claim(99)
    life.delivery.show(job, Running(5, 10, None))
    await until(lambda: "50 %" in life.chat[0].text)
    life.delivery.show(job, Running(7, 10, b"blurred"))
    await until(lambda: life.chat[0].content == "blurred")
    life.delivery.show(job, Running(8, 10, None))
    await until(lambda: "80 %" in life.chat[0].text)
    key = await life.blobs.put(b"sharp")
    await life.jobs.finish(job.id, JobResult((ResultPicture(key, key, 5, 128, 128),), 2.5))
    await life.delivery.deliver(await life.jobs.get(job.id))

    [message] = life.chat
    assert (message.media, message.content) == ("photo", "sharp")
    assert message.text == "a <b>fox</b>\nseed 5 · 128×128 · base · 3 s"
    after = await life.jobs.get(job.id)
    assert after.card == Card(message.id, has_media=True, stage="final")
    assert after.result is not None
    assert after.result.pictures[0].file_id == "id of sharp"


async def test_only_the_newest_state_is_sent_and_no_oftener_than_allowed(
    life: Life,
) -> None:
    clock = SlowClock()
    life.clock = clock
    life.begin()
    job = await life.job()
    life.delivery.show(job, Waiting(0, 9))
    await until(lambda: len(life.chat) == 1)
    await life.jobs.claim(99)
    for step in range(1, 10):
        life.delivery.show(job, Running(step, 10, None))
        await asyncio.sleep(0.002)
    assert len(life.session.calls) == 1
    clock.now += INTERVAL_S
    await until(lambda: "90 %" in life.chat[0].text)
    assert life.session.names() == ["sendMessage", "editMessageText"]


async def test_a_preview_is_shown_though_later_states_came_without_one(life: Life) -> None:
    clock = SlowClock()
    life.clock = clock
    life.begin()
    job = await life.job()
    life.delivery.show(job, Waiting(0, 9))
    await until(lambda: len(life.chat) == 1)
    await life.jobs.claim(99)
    life.delivery.show(job, Running(2, 10, b"blurred"))
    life.delivery.show(job, Running(3, 10, None))
    clock.now += INTERVAL_S
    await until(lambda: life.session.names() == ["sendMessage", "editMessageMedia"])
    assert "30 %" in life.chat[0].text


async def test_a_group_is_shown_half_as_much(life: Life) -> None:
    clock = SlowClock()
    life.clock = clock
    life.begin()
    job = await life.job(chat_id=-100, reply_to=3)
    life.delivery.show(job, Waiting(0, 9))
    await until(lambda: bool(life.session.chats[-100]))
    await until(lambda: bool(clock.slept))
    assert clock.slept == [INTERVAL_S * GROUP_SLOWER]
    [message] = life.session.chats[-100].values()
    assert message.reply_to == 3


async def test_the_end_waits_for_no_interval_and_nothing_is_painted_over_it(
    life: Life,
) -> None:
    clock = SlowClock()
    life.clock = clock
    life.begin()
    job = await life.job()
    life.delivery.show(job, Waiting(0, 9))
    await until(lambda: len(life.chat) == 1)
    life.delivery.show(job, Waiting(5, 90))
    await life.jobs.cancel(job.id)
    await life.delivery.deliver(await life.jobs.get(job.id))
    life.delivery.show(job, Waiting(7, 90))
    clock.now += 100
    await asyncio.sleep(0.02)
    assert life.chat[0].text.endswith("✖️ Cancelled.")


@pytest.mark.parametrize("as_file", [False, True])
async def test_delivering_twice_shows_one_picture(life: Life, as_file: bool) -> None:
    await life.people.change(CHAT, as_file=as_file)
    job = await life.finished()
    await life.delivery.deliver(job)
    await life.delivery.deliver(job)
    life.begin()
    await life.delivery.deliver(job)
    [message] = life.chat
    assert message.content == ("png 0" if as_file else "jpeg 0")


def crash_points(life: Life) -> list[tuple[str, Callable[[str], None]]]:
    """Every call to Telegram, before and after it takes effect, and every note of a card."""

    def die_when(attribute: str, name: str) -> None:
        def die(method: TelegramMethod[Any]) -> None:
            if method.__api_method__ == name:
                raise Crash

        setattr(life.session, attribute, die)

    return [
        ("before", lambda name: die_when("before", name)),
        ("after", lambda name: die_when("after", name)),
    ]


PLACEHOLDER = Card(1, has_media=False, stage="placeholder")


@pytest.mark.parametrize("when", [0, 1], ids=["before", "after"])
@pytest.mark.parametrize("name", ["sendMessage", "editMessageMedia"])
async def test_a_crash_around_any_call_leaves_one_picture(
    life: Life, name: str, when: int
) -> None:
    job = await life.finished()
    crash_points(life)[when][1](name)
    with pytest.raises(Crash):
        await life.delivery.deliver(job)

    life.begin()
    await life.delivery.deliver(await life.jobs.get(job.id))
    assert life.pictures() == ["jpeg 0"]


@pytest.mark.parametrize("noted", range(6))
@pytest.mark.parametrize("n", [1, 3])
async def test_a_crash_before_any_note_leaves_no_picture_twice(
    life: Life, monkeypatch: pytest.MonkeyPatch, n: int, noted: int
) -> None:
    job = await life.finished(n)
    notes = 0

    async def die_at(self: Jobs, job_id: int, what: Any) -> None:
        nonlocal notes
        notes += 1
        if notes > noted:
            raise Crash
        await (original_card if isinstance(what, Card) else original_ids)(self, job_id, what)

    original_card: Any = Jobs.set_card
    original_ids: Any = Jobs.set_file_ids
    with monkeypatch.context() as patch:
        patch.setattr(Jobs, "set_card", die_at)
        patch.setattr(Jobs, "set_file_ids", die_at)
        try:
            await life.delivery.deliver(job)
        except Crash:
            life.begin()
    await life.delivery.deliver(await life.jobs.get(job.id))

    assert life.pictures() == [f"jpeg {i}" for i in range(n)]
    assert "🎲 Again" in life.chat[-1].buttons


@pytest.mark.parametrize("when", [0, 1], ids=["before", "after"])
async def test_a_crash_around_an_album_never_repeats_it_but_offers_to(
    life: Life, when: int
) -> None:
    job = await life.finished(3)
    crash_points(life)[when][1]("sendMediaGroup")
    with pytest.raises(Crash):
        await life.delivery.deliver(job)

    life.begin()
    await life.delivery.deliver(await life.jobs.get(job.id))
    assert life.pictures() == ([] if when == 0 else ["jpeg 0", "jpeg 1", "jpeg 2"])
    assert "📨 Send again" in life.chat[-1].buttons

    await life.delivery.send_album_again(await life.jobs.get(job.id))
    assert len(life.pictures()) == (3 if when == 0 else 6)
    control = next(message for message in life.chat if message.media is None)
    assert "📨 Send again" not in control.buttons
    assert "Your pictures are above." in control.text


@pytest.mark.parametrize("fault", [SILENCE, DONE_BUT_UNHEARD])
async def test_an_album_without_an_answer_is_not_sent_again(life: Life, fault: Any) -> None:
    job = await life.finished(2)
    life.session.meets("sendMediaGroup", fault)
    await life.delivery.deliver(job)
    await life.delivery.deliver(job)
    assert life.session.names().count("sendMediaGroup") == 1
    assert "📨 Send again" in life.chat[-1].buttons


@pytest.mark.parametrize("fault", [NO_PHOTOS, refused(413, "Request Entity Too Large")])
@pytest.mark.parametrize(("n", "call"), [(1, "editMessageMedia"), (2, "sendMediaGroup")])
async def test_pictures_a_chat_does_not_take_end_in_words_and_may_be_had_as_files(
    life: Life, n: int, call: str, fault: Fault
) -> None:
    job = await life.finished(n)
    life.session.meets(call, fault)
    await life.delivery.deliver(job)
    await life.delivery.deliver(job)
    [message] = life.chat
    assert "this chat does not take pictures" in message.text
    assert list(message.buttons) == ["📄 As file", "🎲 Again", "🗑 Delete"]


async def test_a_chat_that_takes_not_even_words_is_gone(life: Life) -> None:
    job = await life.finished()
    life.session.meets("sendMessage", *[refused(400, "Bad Request: TOPIC_CLOSED")] * 2)
    with pytest.raises(ChatGone, match="TOPIC_CLOSED"):
        await life.delivery.deliver(job)


async def test_nothing_is_kept_of_cards_that_are_over(life: Life) -> None:
    job = await life.finished()
    life.session.meets("sendMessage", BLOCKED)
    with pytest.raises(ChatGone):
        await life.delivery.deliver(job)
    life.delivery.show(job, Waiting(0, 9))
    await until(lambda: not life.delivery._live)
    assert life.chat == []


async def test_a_state_that_does_not_fit_any_more_is_not_painted(life: Life) -> None:
    job = await life.job()
    life.delivery.show(job, Running(1, 2, None))
    await until(lambda: bool(life.clock.slept))
    await life.jobs.claim(99)
    life.delivery.show(job, Waiting(0, 9))
    await until(lambda: len(life.clock.slept) == 2)
    assert life.session.calls == []


async def test_an_album_takes_the_place_of_its_card_and_goes_with_its_control(
    life: Life,
) -> None:
    job = await life.job(2)
    life.delivery.show(job, Waiting(0, 9))
    await until(lambda: len(life.chat) == 1)
    placeholder = life.chat[0].id
    await until(lambda: life.session.names() == ["sendMessage"])
    await life.jobs.claim(99)
    key = await life.blobs.put(b"x")
    pictures = tuple(ResultPicture(key, key, seed, 128, 128) for seed in (5, 6))
    await life.jobs.finish(job.id, JobResult(pictures, 1))
    await life.delivery.deliver(job)
    assert placeholder not in [message.id for message in life.chat]
    assert len(life.chat) == 3
    assert "seed 5…6" in life.chat[-1].text

    await life.delivery.remove(await life.jobs.get(job.id))
    assert life.chat == []


async def test_a_card_too_old_to_delete_stays(life: Life) -> None:
    job = await life.finished(2, card=PLACEHOLDER)
    life.session.meets("deleteMessage", refused(400, "Bad Request: message can't be deleted"))
    await life.delivery.deliver(job)
    assert len(life.pictures()) == 2


async def test_a_lost_card_is_replaced(life: Life) -> None:
    job = await life.finished(card=PLACEHOLDER)
    await life.delivery.deliver(job)
    assert life.pictures() == ["jpeg 0"]


async def test_a_lost_card_is_replaced_by_words_as_well(life: Life) -> None:
    job = await life.job()
    await life.jobs.set_card(job.id, PLACEHOLDER)
    await life.jobs.cancel(job.id)
    await life.delivery.deliver(job)
    assert life.chat[0].text.endswith("Cancelled.")


async def test_words_are_put_right_when_a_crash_hid_that_the_card_is_a_photo(
    life: Life,
) -> None:
    job = await life.job()
    await life.jobs.claim(99)
    life.delivery.show(job, Running(1, 10, None))
    await until(lambda: len(life.chat) == 1)
    life.chat[0].media = "photo"
    life.delivery.show(job, Running(2, 10, None))
    await until(lambda: "20 %" in life.chat[0].text)
    life.delivery.show(job, Running(3, 10, None))
    await until(lambda: "30 %" in life.chat[0].text)
    assert life.session.names()[1:] == ["editMessageText"] + ["editMessageCaption"] * 2


@pytest.mark.parametrize(("n", "sentence"), [(1, "The picture is"), (2, "These pictures are")])
async def test_pictures_that_are_gone_are_said_to_be(
    life: Life, monkeypatch: pytest.MonkeyPatch, n: int, sentence: str
) -> None:
    job = await life.finished(n)
    assert job.result is not None
    for picture in job.result.pictures:
        life.blobs._path(picture.jpeg_key).unlink()
    await life.delivery.deliver(job)
    [message] = life.chat
    assert f"{sentence} not kept any more." in message.text


async def test_files_are_the_very_bytes_and_answer_the_card(life: Life) -> None:
    job = await life.finished()
    await life.delivery.deliver(job)
    job = await life.jobs.get(job.id)
    await life.delivery.send_files(job)
    card, file = life.chat
    assert (file.media, file.content, file.reply_to) == ("document", "png 0", card.id)


async def test_an_unheard_placeholder_is_not_sent_twice_before_the_end(life: Life) -> None:
    job = await life.job()
    life.session.meets("sendMessage", DONE_BUT_UNHEARD)
    life.delivery.show(job, Waiting(1, 9))
    await until(lambda: len(life.session.calls) == 1)
    await asyncio.sleep(0.01)
    life.delivery.show(job, Waiting(0, 9))
    await asyncio.sleep(0.01)
    assert life.session.names() == ["sendMessage"]

    await life.jobs.cancel(job.id)
    await life.delivery.deliver(job)
    assert "Cancelled." in life.chat[-1].text


async def test_words_without_an_answer_are_left_to_the_next_attempt(life: Life) -> None:
    job = await life.finished()
    life.session.meets("sendMessage", SILENCE)
    with pytest.raises(SendUnknown):
        await life.delivery.deliver(job)
    await life.delivery.deliver(job)
    assert life.pictures() == ["jpeg 0"]


async def test_nobody_there_is_said_to_the_caller(life: Life) -> None:
    job = await life.finished()
    life.session.meets("sendMessage", BLOCKED)
    with pytest.raises(ChatGone):
        await life.delivery.deliver(job)


async def test_progress_that_is_refused_harms_nothing(
    life: Life, caplog: pytest.LogCaptureFixture
) -> None:
    job = await life.job()
    life.session.meets("sendMessage", refused(400, "Bad Request: strange"))
    life.delivery.show(job, Waiting(0, 9))
    await until(lambda: "was not shown" in caplog.text)
    life.delivery.show(job, Waiting(0, 9))
    await until(lambda: len(life.chat) == 1)


async def test_progress_that_fails_is_not_repeated(life: Life) -> None:
    job = await life.job()
    life.delivery.show(job, Waiting(0, 9))
    await until(lambda: len(life.chat) == 1)
    await life.jobs.claim(99)
    life.session.meets("editMessageText", SILENCE)
    life.delivery.show(job, Running(1, 10, None))
    await until(lambda: len(life.session.calls) == 2)
    life.delivery.show(job, Running(2, 10, None))
    await until(lambda: "20 %" in life.chat[0].text)
    assert life.session.names() == ["sendMessage", "editMessageText", "editMessageText"]


async def test_a_job_without_an_end_has_no_messages_to_remove(life: Life) -> None:
    job = await life.job()
    await life.delivery.remove(job)
    assert life.session.calls == []

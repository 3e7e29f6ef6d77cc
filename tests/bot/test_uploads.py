import asyncio
import io
import traceback
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiogram import Bot
from aiogram.types import Message
from aiohttp import ClientPayloadError, ClientResponseError
from PIL import Image

from bot.jobs.job import PictureGone
from bot.normaliser import BYTES_MAX, FileTooLarge, NotAPicture, TooSmall
from bot.sender import Sender
from bot.texts import Languages
from bot.uploads import (
    FETCHED_AT_ONCE,
    Intake,
    NotFetched,
    PictureLost,
    TooManyPictures,
    WrongKind,
    has_picture,
)
from storage.blobs import BlobGone, Blobs
from storage.database import Database
from storage.job import Card, Job, JobResult, ResultPicture
from storage.jobs import Jobs
from tests.normalising import NormaliserHere
from tests.pipelines.handed_in import animation, halves, jpeg, saved, zip_file
from tests.storage.stock import files_under, put
from tests.telegram import SILENCE, TOKEN, FakeClock, RecordingSession, refused

BOT = {"id": 42, "is_bot": True, "first_name": "Bot"}
VERA = {"id": 7, "is_bot": False, "first_name": "Vera"}


class Desk:
    """An intake with a Telegram, blobs and a job table around it."""

    def __init__(self, db: Database, folder: Path) -> None:
        self.clock = FakeClock()
        self.session = RecordingSession()
        self.bot = Bot(TOKEN, session=self.session)
        self.session.middleware(Sender(self.clock))
        self.folder = folder / "blobs"
        self.blobs = Blobs(self.folder, db, lifetime_s=1e6, max_bytes=10**9, clock=self.clock)
        self.jobs = Jobs(db, self.clock)
        self.intake = Intake(self.bot, self.blobs, self.jobs, NormaliserHere())

    def message(self, number: int = 1, **fields: Any) -> Message:
        raw = {
            "message_id": number,
            "date": 1,
            "chat": {"id": 7, "type": "private", "first_name": "Vera"},
            "from": VERA,
            **fields,
        }
        return Message.model_validate(raw, context={"bot": self.bot})

    def photo(self, file_id: str, data: bytes | Exception | None, **fields: Any) -> Message:
        """A photo in two sizes, of which the larger one can be fetched, if it is there."""
        if data is not None:
            self.session.files[file_id] = data
        sizes = [size(file_id, 1280, 960), size(f"small {file_id}", 90, 68)]
        return self.message(photo=sizes, **fields)

    def document(self, name: str, mime: str, data: bytes = b"", **fields: Any) -> Message:
        self.session.files[name] = data
        document = {"file_id": name, "file_unique_id": "u", "file_name": name, "mime_type": mime}
        return self.message(document={**document, **fields})

    async def size_of(self, key: str) -> tuple[int, int]:
        return Image.open(io.BytesIO(await self.blobs.get(key))).size

    async def drew(self, *sides_px: int) -> Job:
        """A job of ours that is over, with a picture of each of these sides."""
        job = await put(self.jobs, "a", user_id=7, pictures=len(sides_px))
        await self.jobs.claim(4)
        pictures = [
            ResultPicture(
                await self.blobs.put(saved(halves(side, side), "PNG")), "f" * 64, 1, side, side
            )
            for side in sides_px
        ]
        await self.jobs.finish(job.id, JobResult(tuple(pictures), 1.0))
        return await self.jobs.get(job.id)


def size(file_id: str, width: int, height: int) -> dict[str, Any]:
    return {"file_id": file_id, "file_unique_id": "u", "width": width, "height": height}


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    db = await Database.open(tmp_path / "bot.sqlite")
    yield Desk(db, tmp_path)
    await db.close()


async def test_a_photo_is_taken_in_its_largest_size(desk: Desk) -> None:
    [upload] = await desk.intake.take([desk.photo("cat", jpeg())], limit=1)
    assert (upload.width_px, upload.height_px) == (96, 64)
    assert (upload.is_first_frame, upload.parent_id) == (False, None)
    assert upload.image.data == b""
    assert await desk.size_of(upload.image.key) == (96, 64)
    assert [m.file_id for m in desk.session.calls if m.__api_method__ == "getFile"] == ["cat"]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("name", "mime"), [("a.png", "image/png"), ("a.bin", "image/webp"), ("A.JPG", "")]
)
async def test_a_file_that_claims_to_be_a_picture_is_taken(
    desk: Desk, name: str, mime: str
) -> None:
    message = desk.document(name, mime, saved(halves(), "PNG"))
    assert has_picture(message)
    [upload] = await desk.intake.take([message], limit=1)
    assert await desk.size_of(upload.image.key) == (96, 64)


async def test_an_animated_file_is_taken_by_its_first_frame(desk: Desk) -> None:
    """Telegram shows it as an animation, and for old programs as a document as well."""
    message = desk.document("a.gif", "image/gif", animation("GIF"))
    [upload] = await desk.intake.take([message], limit=1)
    assert upload.is_first_frame


async def test_an_album_is_taken_in_its_order(desk: Desk) -> None:
    album = [desk.photo(f"p{side}", jpeg(side, 64), number=side) for side in (64, 96, 128)]
    uploads = await desk.intake.take(album, limit=4)
    assert [upload.width_px for upload in uploads] == [64, 96, 128]


async def test_more_pictures_than_can_be_used_are_not_even_fetched(desk: Desk) -> None:
    album = [desk.photo(f"p{n}", jpeg(), number=n) for n in range(10)]
    with pytest.raises(TooManyPictures) as refusal:
        await desk.intake.take(album, limit=4)
    assert refusal.value.params == {"count": 10, "limit": 4}
    assert desk.session.names() == []


FILE = {"file_id": "f", "file_unique_id": "u"}
FILM = {**FILE, "width": 64, "height": 64, "duration": 3}
STICKER = {**FILE, "type": "regular", "width": 512, "height": 512}
KINDS: dict[str, dict[str, Any]] = {
    "sticker": {"sticker": {**STICKER, "is_animated": False, "is_video": False}},
    "video": {"video": FILM},
    "animation": {"animation": FILM, "document": {**FILE, "mime_type": "video/mp4"}},
    "video_note": {"video_note": {**FILE, "length": 240, "duration": 3}},
    "audio": {"audio": {**FILE, "duration": 3}},
    "voice": {"voice": {**FILE, "duration": 3}},
    "document": {"document": {**FILE, "file_name": "a.zip", "mime_type": "application/zip"}},
    "other": {"location": {"latitude": 0, "longitude": 0}},
}


@pytest.mark.parametrize("kind", KINDS)
async def test_what_is_no_picture_is_named_and_not_fetched(desk: Desk, kind: str) -> None:
    message = desk.message(**KINDS[kind])
    assert not has_picture(message)
    with pytest.raises(WrongKind) as refusal:
        await desk.intake.take([message], limit=1)
    assert refusal.value.params == {"kind": kind}
    assert desk.session.names() == []


def test_every_kind_has_words_of_its_own() -> None:
    languages = Languages()
    for texts in (languages["en"], languages["ru"]):
        assert len({texts(WrongKind.code, kind=kind) for kind in KINDS}) == len(KINDS)


async def test_a_zip_by_a_pictures_name_is_looked_at_and_refused(desk: Desk) -> None:
    with pytest.raises(NotAPicture):
        await desk.intake.take([desk.document("a.png", "image/png", zip_file())], limit=1)
    assert files_under(desk.folder) == []


async def test_of_several_refusals_the_first_pictures_is_said_and_nothing_is_kept(
    desk: Desk,
) -> None:
    tiny, other = saved(halves(2, 2), "PNG"), zip_file()
    album = [desk.photo("a", tiny, number=1), desk.photo("b", other, number=2)]
    with pytest.raises(TooSmall):
        await desk.intake.take(album, limit=4)
    assert files_under(desk.folder) == []


async def test_of_an_album_with_a_bad_picture_the_good_ones_are_not_kept_either(
    desk: Desk,
) -> None:
    album = [desk.photo("a", jpeg(), number=1), desk.photo("b", zip_file(), number=2)]
    with pytest.raises(NotAPicture):
        await desk.intake.take(album, limit=4)
    assert files_under(desk.folder) == []


async def test_a_file_too_large_for_a_bot_is_not_asked_for(desk: Desk) -> None:
    message = desk.document("a.png", "image/png", jpeg(), file_size=BYTES_MAX + 1)
    with pytest.raises(FileTooLarge):
        await desk.intake.take([message], limit=1)
    assert "getFile" not in desk.session.names()


async def test_a_file_telegram_finds_too_large_is_refused(desk: Desk) -> None:
    desk.session.meets("getFile", refused(400, "Bad Request: file is too big"))
    with pytest.raises(FileTooLarge):
        await desk.intake.take([desk.photo("cat", jpeg())], limit=1)


async def test_a_file_larger_than_it_was_said_to_be_is_broken_off(desk: Desk) -> None:
    message = desk.document("a.png", "image/png", b"x" * (BYTES_MAX + 1), file_size=5)
    with pytest.raises(FileTooLarge):
        await desk.intake.take([message], limit=1)


async def test_a_file_telegram_has_no_more_is_said_to_be_lost(desk: Desk) -> None:
    with pytest.raises(PictureLost):
        await desk.intake.take([desk.photo("gone", None)], limit=1)


@pytest.mark.parametrize(
    "fault", [ClientPayloadError("broken off"), TimeoutError(), ConnectionResetError()]
)
async def test_a_download_that_breaks_off_may_be_tried_again(desk: Desk, fault: Exception) -> None:
    with pytest.raises(NotFetched):
        await desk.intake.take([desk.photo("cat", fault)], limit=1)
    assert await desk.intake.take([desk.photo("cat", jpeg())], limit=1)


async def test_a_download_that_is_refused_is_logged_without_the_token(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    """What aiohttp says of it quotes the address."""
    request: Any = SimpleNamespace(real_url=f"https://example.org/file/bot{TOKEN}/photos/1.jpg")
    fault = ClientResponseError(request, (), status=404, message="Not Found")
    assert TOKEN in str(fault)
    with pytest.raises(NotFetched) as refusal:
        await desk.intake.take([desk.photo("cat", fault)], limit=1)
    assert "ClientResponseError 404" in caplog.text
    assert TOKEN not in caplog.text
    assert TOKEN not in "".join(traceback.format_exception(refusal.value))


async def test_a_telegram_that_does_not_answer_is_asked_again_and_then_given_up(
    desk: Desk,
) -> None:
    desk.session.meets("getFile", SILENCE, SILENCE)
    assert await desk.intake.take([desk.photo("cat", jpeg())], limit=1)
    desk.session.meets("getFile", *[SILENCE] * 20)
    with pytest.raises(NotFetched):
        await desk.intake.take([desk.photo("cat", jpeg())], limit=1)


async def test_the_chat_sees_that_the_bot_is_at_work(desk: Desk) -> None:
    await desk.intake.take([desk.photo("cat", jpeg())], limit=1)
    assert "sendChatAction" in desk.session.names()


async def test_a_chat_that_cannot_be_shown_anything_holds_nothing_up(desk: Desk) -> None:
    desk.session.meets("sendChatAction", SILENCE)
    assert await desk.intake.take([desk.photo("cat", jpeg())], limit=1)


async def test_no_more_is_fetched_at_once_than_memory_allows(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once, most = 0, 0
    download = desk.bot.download_file

    async def counted(*arguments: Any, **more: Any) -> Any:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0.001)
        at_once -= 1
        return await download(*arguments, **more)

    monkeypatch.setattr(desk.bot, "download_file", counted)
    albums = [[desk.photo(f"p{n}", jpeg(), number=n)] for n in range(3 * FETCHED_AT_ONCE)]
    await asyncio.gather(*(desk.intake.take(album, limit=1) for album in albums))
    assert most == FETCHED_AT_ONCE


async def test_a_reply_to_a_picture_takes_it(desk: Desk) -> None:
    said = desk.photo("cat", jpeg(), number=5)
    message = desk.message(6, text="/variations", reply_to_message=said)
    [upload] = await desk.intake.replied(message, limit=1)
    assert upload.width_px == 96


async def test_a_reply_to_a_picture_of_another_chat_takes_it(desk: Desk) -> None:
    desk.session.files["far"] = jpeg()
    origin = {"type": "hidden_user", "date": 1, "sender_user_name": "X"}
    beyond = {"origin": origin, "photo": [size("far", 96, 64)]}
    [upload] = await desk.intake.replied(desk.message(text="x", external_reply=beyond), limit=1)
    assert upload.width_px == 96


async def test_what_is_no_reply_has_no_picture(desk: Desk) -> None:
    """So it is as well where the message replied to was deleted: Telegram says nothing of it."""
    assert await desk.intake.replied(desk.message(text="/variations"), limit=1) == []
    topic = desk.message(3, forum_topic_created={"name": "Cats", "icon_color": 1})
    message = desk.message(6, text="/variations", reply_to_message=topic)
    assert await desk.intake.replied(message, limit=1) == []


async def test_a_reply_to_words_is_refused(desk: Desk) -> None:
    message = desk.message(6, text="x", reply_to_message=desk.message(5, text="words"))
    with pytest.raises(WrongKind):
        await desk.intake.replied(message, limit=1)


async def test_a_reply_to_our_own_picture_takes_its_very_pixels_and_names_the_job(
    desk: Desk,
) -> None:
    job = await desk.drew(64)
    await desk.jobs.set_card(job.id, Card(50, has_media=True, stage="final"))
    shown = desk.photo("enlarged", jpeg(), number=50, **{"from": BOT})
    message = desk.message(51, text="/variations", reply_to_message=shown)
    [upload] = await desk.intake.replied(message, limit=1)
    assert job.result is not None
    assert upload.image.key == job.result.pictures[0].png_key
    assert upload.parent_id == job.id
    assert "getFile" not in desk.session.names()


async def test_a_reply_to_one_picture_of_our_album_takes_that_one(desk: Desk) -> None:
    job = await desk.drew(64, 96, 128)
    await desk.jobs.set_card(job.id, Card(60, has_media=False, stage="final:57,58,59"))
    shown = desk.photo("x", None, number=58, **{"from": BOT})
    [upload] = await desk.intake.replied(desk.message(61, reply_to_message=shown), limit=1)
    assert (upload.width_px, upload.parent_id) == (96, job.id)


async def test_a_reply_to_the_words_below_our_album_takes_all_of_it(desk: Desk) -> None:
    job = await desk.drew(64, 96, 128)
    await desk.jobs.set_card(job.id, Card(60, has_media=False, stage="final:57,58,59"))
    below = desk.message(60, text="above", **{"from": BOT})
    message = desk.message(61, reply_to_message=below)
    assert [u.width_px for u in await desk.intake.replied(message, limit=3)] == [64, 96, 128]
    with pytest.raises(TooManyPictures):
        await desk.intake.replied(message, limit=1)


async def test_a_reply_to_a_card_without_a_picture_is_refused(desk: Desk) -> None:
    job = await put(desk.jobs, "a", user_id=7)
    await desk.jobs.set_card(job.id, Card(50, has_media=False, stage="placeholder"))
    shown = desk.message(50, text="waiting", **{"from": BOT})
    with pytest.raises(WrongKind):
        await desk.intake.replied(desk.message(51, reply_to_message=shown), limit=1)


async def test_of_several_pictures_the_one_that_is_meant_is_taken(desk: Desk) -> None:
    [upload] = await desk.intake.drawn(await desk.drew(64, 96, 128), index=1)
    assert upload.width_px == 96


async def test_our_own_large_picture_is_normalised_like_any_other(desk: Desk) -> None:
    [upload] = await desk.intake.drawn(await desk.drew(1600))
    assert (upload.width_px, upload.height_px) == (1536, 1536)
    assert await desk.size_of(upload.image.key) == (1536, 1536)


async def test_our_own_picture_that_is_not_kept_comes_back_from_the_chat(desk: Desk) -> None:
    job = await desk.drew(64)
    desk.session.files["shown"] = jpeg(128, 128)
    await desk.jobs.set_file_ids(job.id, ["shown"])
    for file in files_under(desk.folder):
        file.unlink()
    [upload] = await desk.intake.drawn(await desk.jobs.get(job.id))
    assert (upload.width_px, upload.parent_id) == (128, job.id)


async def test_our_own_picture_that_is_nowhere_is_gone(desk: Desk) -> None:
    job = await desk.drew(64)
    for file in files_under(desk.folder):
        file.unlink()
    with pytest.raises(PictureGone):
        await desk.intake.drawn(job)
    with pytest.raises(PictureGone):
        await desk.intake.drawn(await put(desk.jobs, "b", user_id=7))


async def test_our_own_picture_is_kept_for_another_lifetime_when_it_is_taken(desk: Desk) -> None:
    job = await desk.drew(64)
    await desk.jobs.mark_told(job.id)
    desk.clock.now += 0.9e6
    [upload] = await desk.intake.drawn(job)
    desk.clock.now += 0.9e6
    await desk.blobs.collect()
    assert await desk.blobs.get(upload.image.key)
    desk.clock.now += 0.2e6
    await desk.blobs.collect()
    with pytest.raises(BlobGone):
        await desk.blobs.get(upload.image.key)

"""Pictures nobody said anything about, and the buttons that lead on from every picture."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from aiogram.types import Message

from bot.app import App
from bot.greeting import commands, introduce
from bot.uploads import Intake, Upload
from pipelines.image_fusion import ImageFusionRequest
from pipelines.image_variations import ImageVariationsRequest
from tests.building import chatter, configured, running
from tests.flows.pictures import (
    SERVED,
    STICKER,
    TAKES_PICTURES,
    document,
    drawn,
    jobs_of,
    look_quickly,
    photo,
)
from tests.jobs.fakes import FakeEngine
from tests.pipelines.handed_in import animation, jpeg, zip_file
from tests.telegram import Chatter, FakeClock, RecordingSession

pytestmark = TAKES_PICTURES

QUESTION = "What shall I do with this picture? Press a button, or write what to change."
CLOSE = "✖️ Close"
LEADS = ["🧬 Fuse with…", "🎏 Variations", "🎭 Restyle", "✍️ Change it"]


async def modes_of(app: App, someone: Chatter) -> list[str]:
    return [job.mode for job in await jobs_of(app, someone)]


async def test_a_photo_alone_is_asked_about(
    vera: Chatter, app: App, session: RecordingSession
) -> None:
    await vera.sends(**photo(session))
    question = vera.last
    assert (question.text, list(question.buttons)) == (QUESTION, [*LEADS, CLOSE])
    data = question.buttons["🎏 Variations"]
    assert await vera.presses("Variations", on=question) == "Drawing it."
    assert await vera.presses_data(data, question.id) in {"", "This button is out of date."}

    assert await modes_of(app, vera) == ["image_variations"]
    assert question not in vera.sees


async def test_every_lead_begins_its_conversation(
    vera: Chatter, app: App, session: RecordingSession
) -> None:
    for label, says in [
        ("Fuse", "I have one picture."),
        ("Restyle", "🎭 In which style?"),
        ("Change", "Tell me what to make of it"),
    ]:
        await vera.sends(**photo(session))
        await vera.presses(label)
        assert vera.last.text.startswith(says)
        await vera.says("/cancel")
    assert await modes_of(app, vera) == []


async def test_a_question_can_be_closed(
    vera: Chatter, app: App, session: RecordingSession
) -> None:
    await vera.sends(**photo(session))
    question = vera.last
    assert await vera.presses("Close") == "Closed. Nothing was drawn."
    assert question not in vera.sees
    assert await vera.presses_data("offer|close|", 5) == "This button is out of date."
    await vera.says("a fox")

    assert await modes_of(app, vera) == ["text_to_image"]


async def test_what_others_said_of_a_forwarded_picture_is_not_drawn(
    vera: Chatter, app: App, session: RecordingSession
) -> None:
    origin = {"type": "hidden_user", "sender_user_name": "Oleg", "date": 1}
    await vera.sends(**photo(session), caption="a fox\nseed 7 · 64×64", forward_origin=origin)
    assert vera.last.text == QUESTION
    await vera.presses("Change it")
    await vera.sends(**photo(session), caption="a fox", forward_origin=origin)

    assert await modes_of(app, vera) == []


async def test_a_command_nobody_knows_below_a_picture_does_not_end_a_conversation(
    vera: Chatter, session: RecordingSession
) -> None:
    await vera.sends(**photo(session, "a"), caption="/fuse")
    await vera.sends(**photo(session, "b"), caption="/paint")
    assert vera.last.text.startswith("I do not know this command.")
    await vera.sends(**photo(session, "c"))
    assert vera.last.text.startswith("🧬 I have 2 pictures.")


async def test_words_after_the_question_are_about_the_picture(
    vera: Chatter, app: App, session: RecordingSession
) -> None:
    await vera.sends(**photo(session))
    question = vera.last
    await vera.says("at night")
    await vera.says("a fox")

    assert await modes_of(app, vera) == ["text_image_fusion", "text_to_image"]
    assert question not in vera.sees


async def test_an_album_is_fused_whole_or_asked_about_picture_by_picture(
    vera: Chatter, app: App, session: RecordingSession
) -> None:
    await vera.sends_album(photo(session, "a"), photo(session, "b"), photo(session, "c"))
    question = vera.last
    assert question.text.startswith("What shall I do with these 3 pictures?")
    assert "🧬 Fuse them" in question.buttons
    every = await vera.presses_data("lead|image_variations||", question.id)
    assert every == "This button is out of date."
    await vera.presses("Variations", on=question)
    assert (question.text, list(question.buttons)) == ("Which picture?", ["1", "2", "3", CLOSE])
    await vera.presses("3", on=question)
    await vera.sends_album(photo(session, "a"), photo(session, "b"), photo(session, "c"))
    await vera.presses("Fuse them")
    assert vera.last.text.startswith("🧬 I have 3 pictures.")
    await vera.presses("Draw")

    one, three = await jobs_of(app, vera)
    varied = ImageVariationsRequest.model_validate_json(one.request)
    fused = ImageFusionRequest.model_validate_json(three.request)
    assert varied.images == fused.images[2:]


async def test_too_many_pictures_are_said_to_be(vera: Chatter, session: RecordingSession) -> None:
    await vera.sends_album(*(photo(session, name) for name in "abcde"))
    assert vera.last.text.startswith("I can use at most 4 pictures here, and there are 5.")


async def test_an_animation_is_asked_about_with_its_first_frame(
    vera: Chatter, session: RecordingSession
) -> None:
    await vera.sends(**document(session, animation("GIF"), "image/gif"))
    assert vera.last.text == f"That picture moves; I take its first frame.\n{QUESTION}"


async def test_what_is_no_picture_is_said(vera: Chatter, session: RecordingSession) -> None:
    await vera.sends(**STICKER)
    assert vera.last.text.startswith("I cannot do anything with this. Send me a photo, or")
    await vera.sends(**document(session, zip_file(), "image/png"))
    assert vera.last.text.startswith("That file is no picture I can read.")
    await vera.sends(**document(session, b"%PDF", "application/pdf"))
    assert vera.last.text.startswith("I cannot do anything with this. Send me a photo, or")


async def test_a_question_is_one_of_its_time(
    vera: Chatter, app: App, session: RecordingSession
) -> None:
    await vera.sends(**photo(session, "a"))
    old = vera.last
    await vera.sends(**photo(session, "b"))
    for data in (old.buttons["🎏 Variations"], "pick|image_variations|", "lead|image_fusion||9"):
        assert await vera.presses_data(data, old.id) == "This button is out of date."
    assert await vera.presses_data("lead|gone||", vera.last.id) == "This button is out of date."
    assert await modes_of(app, vera) == []


async def test_a_refused_press_keeps_the_question(
    tmp_path: Path,
    session: RecordingSession,
    engine: FakeEngine,
    clock: FakeClock,
    serves: dict[str, Any],
) -> None:
    config = configured(tmp_path, profile=serves, burst=1, refill_per_minute=6)
    async with running(config, session, engine, clock) as app:
        look_quickly(app)
        vera = chatter(app, session)
        await vera.says("a fox")
        await vera.sends(**photo(session))
        assert "in 10 s" in await vera.presses("Variations")
    clock.now += 10
    async with running(config, session, FakeEngine(), clock) as app:
        vera = chatter(app, session)
        assert await vera.presses("🎏 Variations") == "Drawing it."
        assert await modes_of(app, vera) == ["text_to_image", "image_variations"]


async def test_a_picture_that_is_not_drawn_yet_leads_nowhere(
    vera: Chatter, engine: FakeEngine
) -> None:
    engine.gate.clear()
    await vera.says("a fox")
    for data in ("lead|image_variations|1|0", "pick|image_variations|1"):
        assert await vera.presses_data(data, 5) == "This one has no picture yet."


async def test_leads_stand_two_in_a_row_under_every_result(vera: Chatter, app: App) -> None:
    await drawn(app, vera)
    assert {"🧬 Fuse with…", "🎏 Variations", "🎭 Restyle", "✍️ With words"} <= set(
        vera.last.buttons
    )


async def test_a_picture_in_the_middle_of_another_conversation_is_not_lost(
    vera: Chatter, app: App, session: RecordingSession
) -> None:
    await drawn(app, vera)
    await vera.presses("Options")
    await vera.sends(**photo(session))
    assert vera.last.text == QUESTION


async def test_help_and_start_speak_of_pictures(
    app: App, vera: Chatter, session: RecordingSession
) -> None:
    await vera.says("/start")
    assert "Or send me a photo" in vera.last.text
    for language, says in (("en", "From pictures"), ("ru", "По картинкам")):
        someone = chatter(app, session, user_id=8, language=language)
        await someone.says("/help")
        assert says in someone.last.text
        for command in ("/variations", "/fuse", "/mix", "/restyle"):
            assert command in someone.last.text


@pytest.mark.parametrize("knows", ["anything"])
async def test_help_fits_into_one_message(app: App, session: RecordingSession) -> None:
    for language in app.languages.names:
        someone = chatter(app, session, language=language)
        await someone.says("/help")
        assert len(someone.last.text) < 4096


async def test_telegram_is_told_that_photos_are_taken(app: App, session: RecordingSession) -> None:
    await introduce(app.bot, app.languages, app.flows)
    for code, says in ((None, "send a photo"), ("ru", "пришлите фото")):
        long, short = session.profile["long", code], session.profile["short", code]
        assert says in long
        assert says in short
        assert (len(long) <= 512, len(short) <= 120) == (True, True)


async def test_words_come_first_among_the_commands(app: App) -> None:
    names = [command.command for command in commands(app.languages["en"], app.flows)]
    assert names[:5] == ["imagine", "fuse", "variations", "restyle", "mix"]


@pytest.mark.parametrize(
    ("profile", "offered"),
    [({}, []), ({"shapes": SERVED["shapes"]}, ["restyle"])],
    ids=["words alone", "shapes alone"],
)
async def test_what_the_profile_cannot_serve_is_offered_nowhere(
    tmp_path: Path,
    session: RecordingSession,
    engine: FakeEngine,
    clock: FakeClock,
    serves: dict[str, Any],
    profile: dict[str, Any],
    offered: list[str],
) -> None:
    async with running(configured(tmp_path, profile=profile), session, engine, clock) as app:
        look_quickly(app)
        vera = chatter(app, session)
        names = [command.command for command in commands(app.languages["en"], app.flows)]
        assert names[: 1 + len(offered)] == ["imagine", *offered]
        await vera.says("/variations")
        assert vera.last.text.startswith("I do not know this command.")
        await vera.says("/help")
        assert "/fuse" not in vera.last.text
        assert ("/restyle" in vera.last.text) is bool(offered)
        await vera.sends(**photo(session))
        if offered:
            assert vera.last.text == "What shall I do with this picture?"
            assert list(vera.last.buttons) == ["🎭 Restyle", CLOSE]
        else:
            assert vera.last.text.startswith("I draw from words")
        await drawn(app, vera)
        assert not any("Variations" in label for label in vera.last.buttons)
        assert any("Restyle" in label for label in vera.last.buttons) is bool(offered)


async def test_a_conversation_nobody_can_go_on_with_ends(
    tmp_path: Path,
    session: RecordingSession,
    engine: FakeEngine,
    clock: FakeClock,
    serves: dict[str, Any],
) -> None:
    async with running(configured(tmp_path, profile=serves), session, engine, clock) as app:
        await chatter(app, session).says("/mix")
    async with running(configured(tmp_path), session, FakeEngine(), clock) as app:
        vera = chatter(app, session)
        await vera.says("a fox")
        assert vera.last.text == "I have lost the thread, sorry. Please say it once more."
        await vera.says("a fox")
        assert await modes_of(app, vera) == ["text_to_image"]


async def test_a_press_while_a_picture_is_on_its_way_is_not_undone(
    vera: Chatter, app: App, session: RecordingSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    await vera.says("/fuse")
    await vera.sends_album(photo(session, "a"), photo(session, "b"))
    menu = vera.last
    take = Intake.take

    async def slowly(self: Intake, messages: Sequence[Message], limit: int) -> list[Upload]:
        await vera.presses_data("weight|more|0", menu.id)
        return await take(self, messages, limit)

    monkeypatch.setattr(Intake, "take", slowly)
    await vera.sends(**photo(session, "c"))
    assert [label for label in vera.last.buttons if "▰" in label] == [
        "1 ▰▰▰▰▱",
        "2 ▰▰▰▱▱",
        "3 ▰▰▰▱▱",
    ]


@pytest.mark.parametrize("data", [jpeg(), zip_file()], ids=["a picture", "a zip"])
async def test_what_is_closed_while_a_picture_is_on_its_way_stays_closed(
    vera: Chatter,
    app: App,
    session: RecordingSession,
    monkeypatch: pytest.MonkeyPatch,
    data: bytes,
) -> None:
    await vera.says("/mix a fox")
    question = vera.last
    take = Intake.take

    async def slowly(self: Intake, messages: Sequence[Message], limit: int) -> list[Upload]:
        await vera.presses_data(question.buttons["✖️ Close"], question.id)
        return await take(self, messages, limit)

    monkeypatch.setattr(Intake, "take", slowly)
    await vera.sends(**photo(session, data=data))
    assert await jobs_of(app, vera) == []
    assert not any("Close" in label for message in vera.sees for label in message.buttons)

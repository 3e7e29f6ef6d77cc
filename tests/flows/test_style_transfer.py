from pathlib import Path
from typing import Any

import pytest

from bot.app import App
from pipelines.contracts import Drawn, Work
from pipelines.style_transfer import StyleTransferRequest
from tests.building import chatter, configured, running, until_seen
from tests.flows.pictures import (
    TAKES_PICTURES,
    drawn,
    jobs_of,
    look_for_real,
    look_quickly,
    photo,
)
from tests.flows.pictures import asked as all_asked
from tests.jobs.fakes import FakeEngine
from tests.pipelines.handed_in import jpeg
from tests.telegram import Chatter, FakeClock, RecordingSession

pytestmark = TAKES_PICTURES

STALE = "This button is out of date."
ASK_STYLE = "🎭 In which style? Write it, or send me a picture in that style."


async def asked(app: App, someone: Chatter) -> list[StyleTransferRequest]:
    return await all_asked(app, someone, StyleTransferRequest)


async def test_a_photo_with_the_command_and_words_is_restyled_at_once(
    vera: Chatter, app: App, session: RecordingSession
) -> None:
    look_for_real(app)
    await vera.sends(
        **photo(session, data=jpeg(400, 200)),
        caption="/restyle a mosaic --hold strictly --seed 7 --no text",
    )
    await until_seen(vera, "Again")

    [request] = await asked(app, vera)
    assert (request.prompt, request.hold, request.seed) == ("a mosaic", "strictly", 7)
    assert (request.width_px, request.negative_prompt, len(request.images)) == (256, "text", 1)
    assert vera.last.text.startswith("a mosaic\nseed 7 · 256×128 · shapes kept strictly · ")


async def test_an_album_gives_the_shapes_and_the_style(
    vera: Chatter, app: App, session: RecordingSession
) -> None:
    await vera.sends_album(photo(session, "a", caption="/restyle"), photo(session, "b"))
    await until_seen(vera, "Again")

    [request] = await asked(app, vera)
    assert (len(request.images), request.prompt, request.wording) == (2, "", "beautified")
    assert vera.last.text.startswith("Your picture in the style of another\nseed ")


async def test_the_style_is_asked_for_with_how_strictly_the_shapes_are_kept(
    vera: Chatter, app: App, session: RecordingSession
) -> None:
    await vera.says("/restyle")
    assert vera.last.text == "Send me the picture whose shapes I shall keep."
    await vera.sends(**photo(session))
    question = vera.last
    assert question.text == f"{ASK_STYLE}\nHow strictly shall I keep the shapes?"
    assert list(question.buttons) == ["lightly", "✓ normally", "strictly", "✖️ Close"]
    for _ in range(2):
        assert await vera.presses("lightly", on=question) == ""
    assert "✓ lightly" in question.buttons
    await vera.says("a mosaic")

    [request] = await asked(app, vera)
    assert (request.prompt, request.hold) == ("a mosaic", "lightly")


@pytest.mark.parametrize("knows", ["anything"])
async def test_what_to_leave_out_is_translated_even_where_nothing_else_is_said(
    vera: Chatter, app: App, session: RecordingSession, engine: FakeEngine
) -> None:
    def reword(work: Work) -> Drawn | None:
        request: Any = work.request
        waits = request.wording != "as-typed" and request.drawn is None
        return Drawn(words="", negative_words="people") if waits else None

    engine.reword = reword
    await vera.sends(**photo(session), caption="/restyle --style mosaic --no люди")
    await until_seen(vera, "Again")
    assert vera.last.text.startswith("Your picture in another style\nseed ")
    assert vera.last.text.endswith("style: mosaic\nwithout: люди\n🪄 without: people")
    assert "✍️ As typed" not in vera.last.buttons


async def test_a_second_photo_shows_the_style(
    vera: Chatter, app: App, session: RecordingSession
) -> None:
    await vera.sends(**photo(session, "a", jpeg(100, 100)), caption="/restyle")
    await vera.sends(**photo(session, "b", jpeg(200, 100)))

    [request] = await asked(app, vera)
    assert (len(request.images), request.width_px) == (2, 128)


@pytest.mark.parametrize("knows", ["anything"])
async def test_one_of_the_styles_is_chosen_by_buttons(
    vera: Chatter, app: App, session: RecordingSession
) -> None:
    await vera.sends(**photo(session), caption="/restyle --seed 7")
    question = vera.last
    await vera.presses("Choose a style", on=question)
    assert question.text == "🎭 In which style?"
    assert "anime" in question.buttons
    assert not any("none" in label for label in question.buttons)
    await vera.presses("Back", on=question)
    assert question.text.startswith(ASK_STYLE)
    await vera.presses("Choose a style", on=question)
    data = question.buttons["mosaic"]
    assert await vera.presses("mosaic", on=question) == "Drawing it."
    assert await vera.presses_data(data, question.id) in {"", STALE}
    await until_seen(vera, "Again")

    [request] = await asked(app, vera)
    assert (request.style, request.prompt) == ("mosaic", "")
    assert vera.last.text.startswith("Your picture in another style\nseed 7")
    assert vera.last.text.endswith("style: mosaic")
    assert question not in vera.sees


@pytest.mark.parametrize(
    "data", ["restyle|style|none", "restyle|style|gone", "restyle|hold|firmly"]
)
async def test_a_choice_that_does_not_exist_is_stale(
    vera: Chatter, app: App, session: RecordingSession, data: str
) -> None:
    await vera.sends(**photo(session), caption="/restyle")
    assert await vera.presses_data(data, vera.last.id) == STALE
    assert await vera.presses_data("gather|style_transfer|draw", vera.last.id) == STALE
    assert await asked(app, vera) == []


async def test_a_question_that_was_answered_is_stale(
    vera: Chatter, app: App, session: RecordingSession
) -> None:
    await vera.sends(**photo(session), caption="/restyle")
    question = vera.last
    await vera.says("a mosaic")
    for data in question.buttons.values():
        assert await vera.presses_data(data, question.id) == STALE
    assert len(await asked(app, vera)) == 1


async def test_a_result_is_drawn_again_with_its_shapes_kept_otherwise(
    vera: Chatter, app: App, session: RecordingSession
) -> None:
    await vera.sends(**photo(session), caption="/restyle a mosaic --seed 7")
    await until_seen(vera, "Again")
    card = vera.last
    assert {"📏 lightly", "📏 strictly"} <= set(card.buttons)
    assert await vera.presses("strictly", on=card) == "Drawing it."
    assert await vera.presses("strictly", on=card) == ""

    assert [(r.hold, r.seed) for r in await asked(app, vera)] == [("normal", 7), ("strictly", 7)]


async def test_the_button_under_a_result_asks_for_the_style(vera: Chatter, app: App) -> None:
    parent = await drawn(app, vera)
    await vera.presses("Restyle")
    assert vera.last.text.startswith(ASK_STYLE)
    await vera.says("a mosaic")

    job = (await jobs_of(app, vera))[-1]
    assert (job.mode, job.parent_id) == ("style_transfer", parent)


async def test_where_no_pictures_are_prompts_none_is_taken_for_a_style(
    tmp_path: Path,
    session: RecordingSession,
    engine: FakeEngine,
    clock: FakeClock,
    serves: dict[str, Any],
) -> None:
    config = configured(tmp_path, profile={"shapes": serves["shapes"]})
    async with running(config, session, engine, clock) as app:
        look_quickly(app)
        vera = chatter(app, session)
        await vera.sends_album(photo(session, "a", caption="/restyle"), photo(session, "b"))
        assert vera.last.text.startswith("I can use one picture here, and there are 2.")
        await vera.sends(**photo(session, "c"))
        assert vera.last.text.startswith("🎭 In which style? Write it.\n")
        await vera.sends(**photo(session, "d"))
        await vera.says("a mosaic")
        assert [len(request.images) for request in await asked(app, vera)] == [1]


async def test_a_question_survives_a_restart(
    tmp_path: Path,
    session: RecordingSession,
    engine: FakeEngine,
    clock: FakeClock,
    serves: dict[str, Any],
) -> None:
    config = configured(tmp_path, profile=serves)
    async with running(config, session, engine, clock) as app:
        look_quickly(app)
        vera = chatter(app, session)
        await vera.sends(**photo(session), caption="/restyle")
        await vera.presses("strictly")
    async with running(config, session, FakeEngine(), clock) as app:
        vera = chatter(app, session)
        await vera.says("a mosaic")
        assert [(r.prompt, r.hold) for r in await asked(app, vera)] == [("a mosaic", "strictly")]


async def test_a_refusal_is_tried_again_with_all_that_was_said(
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
        await vera.sends(**photo(session), caption="/restyle a mosaic --hold lightly")
        clock.now += 10
        await vera.presses("Try again")
        job = (await jobs_of(app, vera))[-1]
        request = StyleTransferRequest.model_validate_json(job.request)
        assert (request.prompt, request.hold) == ("a mosaic", "lightly")


async def test_in_a_group_the_style_is_said_in_a_reply_or_pressed_by_the_asker(
    app: App, session: RecordingSession
) -> None:
    vera = chatter(app, session, chat_id=-100)
    oleg = chatter(app, session, chat_id=-100, user_id=8)
    await vera.sends(**photo(session), caption="/restyle")
    question = vera.last
    assert question.text.startswith(ASK_STYLE)
    assert await oleg.presses("strictly", on=question) == STALE
    await vera.presses("strictly", on=question)
    await vera.says("not for the bot")
    number = await vera.says(
        "a mosaic", reply_to_message=vera.message(question.id, text="question")
    )
    [job] = await jobs_of(app, vera)
    request = StyleTransferRequest.model_validate_json(job.request)
    assert (request.prompt, request.hold, job.reply_to_message_id) == (
        "a mosaic",
        "strictly",
        number,
    )


async def test_russians_read_russian(app: App, session: RecordingSession) -> None:
    masha = chatter(app, session, language="ru")
    await masha.sends_album(photo(session, "a", caption="/restyle"), photo(session, "b"))
    await until_seen(masha, "📏 строго")
    assert masha.last.text.startswith("Ваша картинка в стиле другой\nзерно ")
    assert "формы: обычно" in masha.last.text

from pathlib import Path
from typing import Any

import pytest
from aiogram.methods import SendMessage
from aiogram.types import ForceReply

from bot.app import App
from pipelines.image_variations import ImageVariationsRequest
from tests.building import chatter, configured, running, until_seen
from tests.flows.pictures import (
    STICKER,
    TAKES_PICTURES,
    document,
    drawn,
    jobs_of,
    look_for_real,
    look_quickly,
    photo,
)
from tests.flows.pictures import asked as all_asked
from tests.jobs.fakes import FakeEngine
from tests.pipelines.handed_in import animation, jpeg, zip_file
from tests.telegram import Chatter, FakeClock, RecordingSession

pytestmark = TAKES_PICTURES


async def asked(app: App, someone: Chatter) -> list[ImageVariationsRequest]:
    return await all_asked(app, someone, ImageVariationsRequest)


async def varied(vera: Chatter, session: RecordingSession, line: str = "") -> None:
    await vera.sends(**photo(session), caption=f"/variations {line}".strip())
    await until_seen(vera, "Again")


async def test_a_photo_with_the_command_is_varied_at_once(
    vera: Chatter, app: App, session: RecordingSession
) -> None:
    look_for_real(app)
    await vera.sends(
        **photo(session, data=jpeg(640, 320)),
        caption="/variations --n 2 --seed 7 --likeness close",
    )
    await until_seen(vera, "Again")

    [request] = await asked(app, vera)
    assert (request.n, request.seed, request.likeness) == (2, 7, "close")
    assert (request.width_px, request.height_px) == (256, 128)
    assert vera.last.text.startswith("Variations of your picture\nseed 7…8 · 256×128 · ")
    assert "close likeness" in vera.last.text


async def test_without_a_picture_it_is_asked_for(
    vera: Chatter, app: App, session: RecordingSession
) -> None:
    await vera.says("/variations --ar 16:9 --likeness loose")
    question = vera.last
    assert question.text == "Send me the picture of which I shall draw variations."
    await vera.sends(**photo(session, data=jpeg(64, 64)))
    await until_seen(vera, "Again")

    [request] = await asked(app, vera)
    assert (request.width_px, request.likeness) == (256, "loose")
    assert question not in vera.sees


async def test_the_size_is_the_one_nearest_to_the_photo(
    vera: Chatter, app: App, session: RecordingSession
) -> None:
    for number, size in enumerate([(300, 290), (90, 300), (300, 160)]):
        await vera.sends(**photo(session, f"p{number}", jpeg(*size)), caption="/variations")

    sizes = [(request.width_px, request.height_px) for request in await asked(app, vera)]
    assert sizes == [(128, 128), (128, 128), (256, 128)]


async def test_a_reply_to_any_picture_picks_it(
    vera: Chatter, app: App, session: RecordingSession
) -> None:
    said = vera.message(5, **photo(session))
    await vera.says("/variations", reply_to_message=said)

    assert len(await asked(app, vera)) == 1


async def test_a_reply_to_a_card_varies_the_very_picture_and_remembers_its_parent(
    vera: Chatter, app: App
) -> None:
    parent = await drawn(app, vera)
    await vera.says("/variations", reply_to_message=vera.message(vera.last.id, text="card"))

    [first, second] = await jobs_of(app, vera)
    assert first.result is not None
    request = ImageVariationsRequest.model_validate_json(second.request)
    assert request.images[0].key == first.result.pictures[0].png_key
    assert second.parent_id == parent


async def test_the_button_under_a_result_varies_it(vera: Chatter, app: App) -> None:
    parent = await drawn(app, vera)
    card = vera.last
    assert await vera.presses("Variations", on=card) == "Drawing it."
    assert await vera.presses("Variations", on=card) == ""
    await until_seen(vera, "≈ close")

    jobs = await jobs_of(app, vera)
    assert [job.mode for job in jobs] == ["text_to_image", "image_variations"]
    assert jobs[1].parent_id == parent
    assert card in vera.sees


async def test_of_several_pictures_a_press_asks_which(vera: Chatter, app: App) -> None:
    await drawn(app, vera, "a fox --n 3")
    control = vera.last
    assert await vera.presses("Variations", on=control) == ""
    question = vera.last
    buttons = ["1", "2", "3", "✖️ Close"]
    assert (question.text, list(question.buttons)) == ("Which picture?", buttons)
    await vera.presses("Fuse with…", on=control)
    other = vera.last
    assert await vera.presses("Close", on=other) == "Closed. Nothing was drawn."
    assert other not in vera.sees
    await vera.presses("2", on=question)

    first, second = await jobs_of(app, vera)
    assert first.result is not None
    request = ImageVariationsRequest.model_validate_json(second.request)
    assert request.images[0].key == first.result.pictures[1].png_key
    assert question not in vera.sees
    assert control in vera.sees
    toast = await vera.presses_data(f"lead|image_variations|{first.id}|7", question.id)
    assert toast == "This button is out of date."


async def test_again_with_another_likeness_keeps_the_seed_and_four_more_do_not(
    vera: Chatter, app: App, session: RecordingSession
) -> None:
    await varied(vera, session, "--seed 7")
    card = vera.last
    assert {"≈ loose", "≈ close"} <= set(card.buttons)
    assert await vera.presses("≈ close", on=card) == "Drawing it."
    assert await vera.presses("4 more", on=card) == "Drawing it."
    await vera.presses("🎲 Again", on=card)

    requests = await asked(app, vera)
    assert [(r.likeness, r.n) for r in requests] == [
        ("normal", 1),
        ("close", 1),
        ("normal", 4),
        ("normal", 1),
    ]
    assert [request.seed for request in requests[:2]] == [7, 7]
    assert 7 not in [request.seed for request in requests[2:]]
    assert len({request.images for request in requests}) == 1


async def test_the_chain_of_what_came_from_what_goes_on(vera: Chatter, app: App) -> None:
    parent = await drawn(app, vera)
    await vera.presses("Variations")
    await until_seen(vera, "≈ close")
    for label in ("≈ close", "🎲 Again"):
        await vera.presses(label, on=vera.sees[1])
    assert [job.parent_id for job in (await jobs_of(app, vera))[1:]] == [parent] * 3


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("--n 9", "--n takes a whole number from 1 to 4, not “9”."),
        ("--likeness most", "--likeness takes one of loose, normal, close, not “most”."),
        ("--quality flash", "I do not know the option --quality. The options are --ar, --seed,"),
        ("--likeness", "--likeness needs a value."),
    ],
)
async def test_an_option_that_cannot_be_taken_is_said_and_the_picture_is_kept(
    vera: Chatter, app: App, session: RecordingSession, line: str, says: str
) -> None:
    await vera.sends(**photo(session), caption=f"/variations {line}")
    assert vera.last.text.startswith(says)
    assert vera.last.text.endswith("\nShall I draw it without that?")
    assert await asked(app, vera) == []
    refusal = vera.last
    assert await vera.presses("Draw", on=refusal) == "Drawing it."
    toast = await vera.presses_data("gather|image_variations|draw", refusal.id)
    assert toast in {"", "This button is out of date."}

    assert [request.n for request in await asked(app, vera)] == [1]


async def test_what_is_no_picture_is_said_and_the_question_stays(
    vera: Chatter, app: App, session: RecordingSession
) -> None:
    ask = "Send me the picture of which I shall draw variations."
    await vera.says("/variations --seed 7")
    await vera.sends(**STICKER)
    assert vera.last.text == f"That is a sticker. Please send a photo or a picture file.\n{ask}"
    await vera.sends(**document(session, zip_file(), "image/png"))
    assert vera.last.text.startswith("That file is no picture I can read.")
    await vera.sends(**photo(session, data=jpeg()[:300]))
    assert vera.last.text.startswith("That picture is damaged or incomplete.")
    await vera.says("a fox")
    assert vera.last.text == f"Only the pictures count here, not the words.\n{ask}"
    await vera.sends_album(photo(session, "a"), photo(session, "b"))
    assert vera.last.text.startswith("I can use one picture here, and there are 2.")
    assert await asked(app, vera) == []
    assert len(vera.sees) == 1

    await vera.sends(**photo(session))
    assert [request.seed for request in await asked(app, vera)] == [7]


async def test_a_reply_to_what_is_no_picture_asks_for_one(vera: Chatter, app: App) -> None:
    await vera.says("/variations", reply_to_message=vera.message(5, text="hello"))

    assert vera.last.text.startswith("There is no picture in that.")
    assert await asked(app, vera) == []


async def test_an_animation_gives_its_first_frame_and_says_so(
    vera: Chatter, app: App, session: RecordingSession
) -> None:
    await vera.says("/variations")
    await vera.sends(**document(session, animation("GIF"), "image/gif"))

    assert "That picture moves; I take its first frame." in [shown.text for shown in vera.sees]
    assert len(await asked(app, vera)) == 1


async def test_a_refusal_keeps_the_picture_and_can_be_tried_again(
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
        await until_seen(vera, "Again")
        card = vera.last
        await vera.sends(**photo(session), caption="/variations --seed 7")
        refusal = vera.last
        assert refusal.text == "That was quick! You can ask for the next picture in 10 s."
        assert "in 10 s" in await vera.presses("Variations", on=card)
        assert "in 10 s" in await vera.presses("Try again", on=refusal)

        clock.now += 10
        again = refusal.buttons["🔁 Try again"]
        assert await vera.presses_data(again, refusal.id) == "Drawing it."
        clock.now += 10
        assert await vera.presses_data(again, refusal.id) == "This button is out of date."
        jobs = await jobs_of(app, vera)
        assert [job.mode for job in jobs] == ["text_to_image", "image_variations"]


async def test_after_a_refusal_another_sentence_is_drawn(
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
        await vera.sends(**photo(session), caption="/variations")
        clock.now += 10
        await vera.says("a hare")
        assert [job.mode for job in await jobs_of(app, vera)] == ["text_to_image"] * 2


async def test_a_question_survives_a_restart(
    tmp_path: Path,
    session: RecordingSession,
    engine: FakeEngine,
    clock: FakeClock,
    serves: dict[str, Any],
) -> None:
    config = configured(tmp_path, profile=serves)
    async with running(config, session, engine, clock) as app:
        await chatter(app, session).says("/variations --seed 7")
    async with running(config, session, FakeEngine(), clock) as app:
        look_quickly(app)
        vera = chatter(app, session)
        await vera.sends(**photo(session))
        assert [request.seed for request in await asked(app, vera)] == [7]


async def test_a_question_is_closed_by_its_button_and_by_any_command(
    vera: Chatter, app: App, session: RecordingSession
) -> None:
    await vera.says("/variations")
    question = vera.last
    data = question.buttons["✖️ Close"]
    assert await vera.presses("Close", on=question) == "Closed. Nothing was drawn."
    assert vera.sees == []
    assert await vera.presses_data(data, question.id) in {"", "This button is out of date."}

    await vera.says("/variations")
    stale = vera.last
    await vera.says("/cancel")
    assert await vera.presses("Close", on=stale) == "This button is out of date."
    await vera.says("a fox")
    assert [job.mode for job in await jobs_of(app, vera)] == ["text_to_image"]


async def test_a_picture_that_is_gone_is_said_to_be(
    vera: Chatter, app: App, session: RecordingSession
) -> None:
    await varied(vera, session)
    for blob in app.config.storage.blobs.rglob("*"):
        if blob.is_file():
            blob.unlink()
    for label in ("≈ close", "4 more", "🎲 Again"):
        toast = await vera.presses(label, on=vera.last)
        assert toast.startswith("A picture this starts from is not kept any more.")
    assert len(await asked(app, vera)) == 1


async def test_the_same_message_twice_draws_once(
    vera: Chatter, app: App, session: RecordingSession
) -> None:
    update = {"message": vera.message(77, **photo(session), caption="/variations")}
    await vera.feed(update)
    await vera.feed(update)

    assert len(await asked(app, vera)) == 1


# In a group


async def test_in_a_group_the_command_takes_a_caption_or_a_reply_and_answers_the_asker(
    app: App, session: RecordingSession
) -> None:
    vera = chatter(app, session, chat_id=-100)
    await vera.sends(**photo(session))
    assert vera.sees == []
    number = await vera.sends(**photo(session), caption="/variations@test_bot")
    await until_seen(vera, "Again")

    assert [message.reply_to for message in vera.sees] == [number]
    await vera.presses("≈ close")
    assert [job.reply_to_message_id for job in await jobs_of(app, vera)] == [number] * 2


async def test_in_a_group_only_the_askers_reply_to_the_question_counts(
    app: App, session: RecordingSession
) -> None:
    vera = chatter(app, session, chat_id=-100)
    oleg = chatter(app, session, chat_id=-100, user_id=8)
    await vera.says("/variations")
    question = vera.last
    assert question.text.startswith("Vera, reply to this message: Send me the picture")
    [sent] = [call for call in session.calls if isinstance(call, SendMessage)]
    assert sent.reply_markup == ForceReply(selective=True)

    await vera.sends(**photo(session))
    reply = {"reply_to_message": vera.message(question.id, text="question")}
    await oleg.sends(**photo(session), **reply)
    assert await asked(app, vera) == await asked(app, oleg) == []
    number = await vera.sends(**photo(session), **reply)
    [job] = await jobs_of(app, vera)
    assert job.reply_to_message_id == number


async def test_somebody_elses_picture_is_taken_on_by_nobody(
    app: App, session: RecordingSession
) -> None:
    vera = chatter(app, session, chat_id=-100)
    oleg = chatter(app, session, chat_id=-100, user_id=8)
    await vera.sends(**photo(session), caption="/variations --n 2")
    await until_seen(vera, "Again")
    for label in ("≈ close", "4 more", "Variations", "Fuse", "With words", "Restyle"):
        toast = await oleg.presses(label, on=vera.last)
        assert toast == "This button belongs to someone else's picture."
    assert await jobs_of(app, oleg) == []


async def test_russians_read_russian(app: App, session: RecordingSession) -> None:
    masha = chatter(app, session, language="ru")
    await masha.says("/variations")
    assert masha.last.text == "Пришлите картинку, и я нарисую похожие."
    await masha.sends(**photo(session))
    await until_seen(masha, "≈ сильное")
    assert masha.last.text.startswith("Вариации вашей картинки\nзерно ")
    assert "сходство обычное" in masha.last.text


async def test_a_button_of_a_mode_the_profile_lost_is_stale(
    tmp_path: Path,
    session: RecordingSession,
    engine: FakeEngine,
    clock: FakeClock,
    serves: dict[str, Any],
) -> None:
    async with running(configured(tmp_path, profile=serves), session, engine, clock) as app:
        look_quickly(app)
        vera = chatter(app, session)
        await varied(vera, session)
        card = vera.last
    async with running(configured(tmp_path), session, FakeEngine(), clock) as app:
        vera = chatter(app, session)
        for label in ("🎲 Again", "≈ close", "Variations"):
            assert await vera.presses(label, on=card) == "This button is out of date."
        [job] = await jobs_of(app, vera)
        assert job.mode == "image_variations"

from pathlib import Path

import pytest
from aiogram.methods import SendMessage
from aiogram.types import CopyTextButton, ForceReply, InlineKeyboardMarkup

from bot.app import App
from pipelines.text_to_image import TextToImageRequest
from storage.jobs import Job, JobState
from tests.building import chatter, configured, running, until_seen
from tests.jobs.fakes import FakeEngine, until, until_told
from tests.telegram import Chatter, FakeClock, RecordingSession, refused

EVERY: tuple[JobState, ...] = (
    "queued",
    "running",
    "done",
    "delivered",
    "failed",
    "cancelled",
)


WITH_STYLES = pytest.mark.parametrize("knows", ["anything"])


async def jobs_of(app: App, someone: Chatter) -> list[Job]:
    return await app.table.of_user(someone.user_id, EVERY)


async def asked(app: App, someone: Chatter) -> list[TextToImageRequest]:
    jobs = await jobs_of(app, someone)
    return [TextToImageRequest.model_validate_json(job.request) for job in jobs]


async def test_a_sentence_becomes_a_picture(vera: Chatter, app: App) -> None:
    await vera.says("a red circle on a blue background")
    await until_seen(vera, "Again")

    [request] = await asked(app, vera)
    assert request.prompt == "a red circle on a blue background"
    assert (request.width_px, request.height_px, request.quality) == (128, 128, "base")
    assert vera.last.media == "photo"
    assert vera.last.content.startswith(f"jpeg of {request.seed} ")
    assert f"seed {request.seed} · 128×128 · base" in vera.last.text
    assert len(vera.sees) == 1


async def test_imagine_takes_the_rest_of_its_line(vera: Chatter, app: App) -> None:
    await vera.says("/imagine a fox --ar 16:9 --no text, watermark --seed 7 --n 2 --quality flash")

    [request] = await asked(app, vera)
    assert request == TextToImageRequest(
        prompt="a fox",
        negative_prompt="text, watermark",
        width_px=256,
        height_px=128,
        seed=7,
        n=2,
        quality="flash",
        wording="beautified",
    )


async def test_imagine_alone_asks_and_takes_the_answer(vera: Chatter, app: App) -> None:
    await vera.says("/imagine --ar 16:9")
    assert vera.last.text.startswith("What shall I draw?")
    await vera.sends(sticker=_sticker())
    assert vera.last.text.startswith("What shall I draw?")
    await vera.says("a fox --quality flash")

    [request] = await asked(app, vera)
    assert (request.prompt, request.width_px, request.quality) == ("a fox", 256, "flash")


async def test_a_command_wins_over_a_question_and_forgets_it(vera: Chatter, app: App) -> None:
    await vera.says("/imagine --ar 16:9")
    await vera.says("/help")
    await vera.says("a fox")

    [request] = await asked(app, vera)
    assert request.width_px == 128


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a fox --ar 99:1", "--ar takes one of 1:1, 16:9, not “99:1”."),
        ("a fox --n 0", "--n takes a whole number from 1 to 4, not “0”."),
        ("a fox --seed abc", "--seed takes a whole number from 0 to 4294967295, not “abc”."),
        ("a fox --quality refined", "--quality takes one of flash, base here, not “refined”."),
        ("a fox --ar", "--ar needs a value."),
        ("a fox --style anime", "The model here knows no styles. Please leave --style out."),
        ("a fox --shiny", "I do not know the option --shiny."),
        ("\u200b", "Tell me what to draw, from 1 to 1000 characters."),
        ("x" * 1001, "That is 1001 characters; I read at most 1000."),
        ("x" * 900 + " --no " + "y" * 1001, "--no takes what to leave out"),
    ],
)
async def test_what_cannot_be_taken_is_said_and_costs_nothing(
    vera: Chatter, app: App, text: str, says: str
) -> None:
    await vera.says(text)

    assert vera.last.text.startswith(says)
    assert await asked(app, vera) == []


@pytest.mark.parametrize(
    "text",
    ["🦊" * 200, "x" * 1000, "ثعلب أحمر", "<b>bold</b> *and* _so_ [on](http://x)", "a\nb\x07"],
)
async def test_anything_people_type_is_drawn_and_shown_as_typed(
    vera: Chatter, app: App, text: str
) -> None:
    await vera.says(text)
    await until_seen(vera, "Again")

    [request] = await asked(app, vera)
    assert request.prompt == text.replace("\n", " ").replace("\x07", "")
    assert vera.last.text.startswith(request.prompt[:400])
    assert [entity.type for entity in vera.last.entities] == ["expandable_blockquote"]


async def test_a_refusal_keeps_what_was_typed(
    tmp_path: Path, session: RecordingSession, engine: FakeEngine, clock: FakeClock
) -> None:
    config = configured(tmp_path, burst=1, refill_per_minute=6)
    async with running(config, session, engine, clock) as app:
        vera = chatter(app, session)
        await vera.says("a fox")
        await vera.says("a hare --ar 16:9")
        assert vera.last.text == "That was quick! You can ask for the next picture in 10 s."

        refusal = vera.last
        clock.now += 1
        for _ in range(2):
            assert "in 9 s" in await vera.presses("Try again", on=refusal)
        clock.now += 10
        assert await vera.presses("Try again", on=refusal) == ""
        assert [request.prompt for request in await asked(app, vera)] == ["a fox", "a hare"]
        clock.now += 10
        toast = await vera.presses_data(refusal.buttons["🔁 Try again"], refusal.id)
        assert toast == "This button is out of date."


async def test_after_a_refusal_another_sentence_starts_afresh(
    tmp_path: Path, session: RecordingSession, engine: FakeEngine, clock: FakeClock
) -> None:
    config = configured(tmp_path, burst=1, refill_per_minute=60)
    async with running(config, session, engine, clock) as app:
        vera = chatter(app, session)
        await vera.says("a fox")
        await vera.says("a hare --ar 16:9")
        clock.now += 10
        await vera.says("a bear")
        assert [request.width_px for request in await asked(app, vera)] == [128, 128]


async def test_the_same_message_twice_draws_once(vera: Chatter, app: App) -> None:
    update = {"message": vera.message(77, text="a fox")}
    await vera.feed(update)
    await vera.feed(update)

    assert len(await asked(app, vera)) == 1


async def test_an_edited_message_draws_nothing(vera: Chatter, app: App) -> None:
    await vera.feed({"edited_message": {**vera.message(77, text="a fox"), "edit_date": 1}})

    assert await asked(app, vera) == []


async def test_again_draws_the_same_with_another_seed(vera: Chatter, app: App) -> None:
    await vera.says("a fox --seed 7 --ar 16:9")
    await until_seen(vera, "Again")
    assert await vera.presses("Again") == "Drawing another one."
    await until_seen(vera, "Again", times=2)

    first, second = await asked(app, vera)
    assert second == first.model_copy(update={"seed": second.seed})
    assert second.seed != 7


async def test_a_double_press_draws_once_and_a_later_press_again(
    vera: Chatter, app: App, clock: FakeClock
) -> None:
    await vera.says("a fox")
    await until_seen(vera, "Again")
    card = vera.last
    await vera.presses("Again", on=card)
    assert await vera.presses("Again", on=card) == ""
    assert len(await asked(app, vera)) == 2

    clock.now += 2.1
    await vera.presses("Again", on=card)
    assert len(await asked(app, vera)) == 3


async def test_another_quality_keeps_the_seed(vera: Chatter, app: App) -> None:
    await vera.says("a fox --seed 7")
    await until_seen(vera, "Again")
    await vera.presses("🌱 flash")

    assert [(r.seed, r.quality) for r in await asked(app, vera)] == [(7, "base"), (7, "flash")]


async def test_a_quality_the_profile_lost_is_stale(vera: Chatter, app: App) -> None:
    await vera.says("a fox")
    await until_seen(vera, "Again")
    toast = await vera.presses_data("t2i|quality|1|refined", vera.last.id)

    assert toast == "This button is out of date."
    assert len(await asked(app, vera)) == 1


@WITH_STYLES
async def test_editing_the_sentence_keeps_the_rest(vera: Chatter, app: App) -> None:
    await vera.says("a fox --seed 7 --ar 16:9 --no text --style anime")
    await until_seen(vera, "Again")
    await vera.presses("Edit")
    assert vera.last.text == "Send me the new sentence; everything else stays as it was."
    await vera.says("a hare")

    first, second = await asked(app, vera)
    assert second == first.model_copy(update={"prompt": "a hare"})


@pytest.mark.parametrize(("length", "is_offered"), [(256, True), (257, False)])
async def test_the_old_sentence_can_be_copied_where_a_button_can_hold_it(
    vera: Chatter, session: RecordingSession, length: int, is_offered: bool
) -> None:
    await vera.says("x" * length)
    await until_seen(vera, "Again")
    await vera.presses("Edit")

    question = [call for call in session.calls if isinstance(call, SendMessage)][-1]
    markup = question.reply_markup
    offered = isinstance(markup, InlineKeyboardMarkup) and markup.inline_keyboard[0][0].copy_text
    assert (offered == CopyTextButton(text="x" * length)) is is_offered


@WITH_STYLES
async def test_options_are_put_together_by_buttons(vera: Chatter, app: App) -> None:
    await vera.says("a fox")
    await until_seen(vera, "Again")
    await vera.presses("Options")
    menu = vera.last
    for label in ("16:9", "flash", "3", "Style: none", "anime"):
        assert await vera.presses(label, on=menu) == ""
    assert {"✓ 16:9", "✓ flash", "✓ 3", "🎭 Style: anime", "🎨 Draw"} <= set(menu.buttons)
    await vera.presses("Draw", on=menu)

    request = (await asked(app, vera))[-1]
    assert (request.prompt, request.width_px, request.quality) == ("a fox", 256, "flash")
    assert (request.n, request.style) == (3, "anime")
    assert menu.id not in [message.id for message in vera.sees]


async def test_a_model_without_styles_is_offered_none(vera: Chatter) -> None:
    await vera.says("/help")
    assert "--style" not in vera.last.text
    await vera.says("/settings")
    assert not any("Style" in label for label in vera.last.buttons)
    assert "Style" not in vera.last.text
    await vera.says("a fox")
    await until_seen(vera, "Again")
    await vera.presses("Options")
    assert not any("Style" in label for label in vera.last.buttons)
    assert await vera.presses_data("t2i-menu|style|anime", vera.last.id) == (
        "This button is out of date."
    )


async def test_a_menu_follows_quick_fingers(vera: Chatter) -> None:
    await vera.says("a fox")
    await until_seen(vera, "Again")
    await vera.presses("Options")
    for label in ("16:9", "1:1", "16:9"):
        await vera.presses(label)
    assert "✓ 16:9" in vera.last.buttons


async def test_a_menu_too_old_to_delete_loses_its_buttons(
    vera: Chatter, app: App, session: RecordingSession
) -> None:
    await vera.says("a fox")
    await until_seen(vera, "Again")
    await vera.presses("Options")
    session.meets("deleteMessage", refused(400, "Bad Request: message can't be deleted"))
    assert await vera.presses("Draw") == ""

    assert len(await asked(app, vera)) == 2
    assert session.names().count("editMessageReplyMarkup") == 1


@WITH_STYLES
async def test_the_way_back_from_the_styles(vera: Chatter) -> None:
    await vera.says("a fox")
    await until_seen(vera, "Again")
    await vera.presses("Options")
    menu = vera.last
    await vera.presses("Style", on=menu)
    assert menu.text == "Which style?"
    await vera.presses("Back", on=menu)
    assert menu.text == "How shall I draw it?"


async def test_a_sentence_while_the_menu_is_open_uses_its_options(vera: Chatter, app: App) -> None:
    await vera.says("a fox")
    await until_seen(vera, "Again")
    await vera.presses("Options")
    await vera.presses("16:9")
    await vera.says("a hare")

    assert [(r.prompt, r.width_px) for r in await asked(app, vera)] == [
        ("a fox", 128),
        ("a hare", 256),
    ]


async def test_a_closed_or_replaced_menu_is_stale(vera: Chatter, app: App) -> None:
    await vera.says("a fox")
    await until_seen(vera, "Again")
    await vera.presses("Options")
    closed = vera.last
    buttons = dict(closed.buttons)
    assert await vera.presses("Close", on=closed) == "Closed. Nothing was drawn."
    for data in buttons.values():
        assert await vera.presses_data(data, closed.id) in {"This button is out of date.", ""}
    assert len(await asked(app, vera)) == 1


async def test_a_choice_that_does_not_exist_is_stale(vera: Chatter) -> None:
    await vera.says("a fox")
    await until_seen(vera, "Again")
    await vera.presses("Options")
    for data in ("t2i-menu|ratio|2:3", "t2i-menu|n|9", "t2i-menu|style|x", "t2i-menu|quality|"):
        assert await vera.presses_data(data, vera.last.id) == "This button is out of date."


async def test_an_example_is_drawn(vera: Chatter, app: App) -> None:
    await vera.says("/start")
    await vera.presses("a red circle")

    assert [r.prompt for r in await asked(app, vera)] == ["a red circle on a blue background"]


async def test_several_pictures_come_as_an_album_with_buttons_below(
    vera: Chatter, app: App
) -> None:
    await vera.says("a fox --n 3 --seed 4294967294")
    await until_seen(vera, "Again")

    *album, control = vera.sees
    assert [message.content[:9] for message in album] == ["jpeg of 4"] * 3
    assert len({message.album for message in album}) == 1
    assert "Your pictures are above." in control.text
    assert "4294967294" in control.text


@WITH_STYLES
async def test_settings_are_what_a_sentence_starts_from(vera: Chatter, app: App) -> None:
    await app.people.change(
        vera.user_id, aspect_ratio="16:9", quality="flash", style="anime", as_file=True
    )
    await vera.says("a fox")
    await until_seen(vera, "Again")

    [request] = await asked(app, vera)
    assert (request.width_px, request.quality, request.style) == (256, "flash", "anime")
    assert vera.last.media == "document"
    assert vera.last.content.startswith("png of")


async def test_settings_the_profile_cannot_follow_are_passed_over(vera: Chatter, app: App) -> None:
    await app.people.change(vera.user_id, aspect_ratio="2:3", quality="refined", style="gone")
    await vera.says("a fox")

    [request] = await asked(app, vera)
    assert (request.width_px, request.quality, request.style) == (128, "base", "none")


# In a group


async def test_in_a_group_only_commands_draw_and_cards_answer_the_asker(
    app: App, session: RecordingSession
) -> None:
    vera = chatter(app, session, chat_id=-100)
    await vera.says("a fox")
    number = await vera.says("/imagine@test_bot a fox")
    await until_seen(vera, "Again")

    assert len(await asked(app, vera)) == 1
    assert [message.reply_to for message in vera.sees] == [number]


async def test_in_a_group_the_reply_to_the_question_is_the_sentence(
    app: App, session: RecordingSession
) -> None:
    vera = chatter(app, session, chat_id=-100)
    await vera.says("/imagine")
    assert vera.last.text.startswith("Vera, reply to this message: What shall I draw?")
    [question] = [call for call in session.calls if isinstance(call, SendMessage)]
    assert question.reply_markup == ForceReply(selective=True)

    await vera.says("not to the bot")
    asked_by = {"id": 42, "is_bot": True, "first_name": "Bot"}
    await vera.says("a fox", reply_to_message={**vera.message(vera.last.id), "from": asked_by})
    assert [request.prompt for request in await asked(app, vera)] == ["a fox"]


async def test_in_a_group_only_the_reply_to_our_own_question_counts(
    app: App, session: RecordingSession
) -> None:
    vera = chatter(app, session, chat_id=-100)
    await vera.says("/imagine")
    question = vera.last
    bot = {"id": 43, "is_bot": True, "first_name": "Other"}
    await vera.says("a fox", reply_to_message={**vera.message(1), "from": bot})
    assert await asked(app, vera) == []

    await vera.sends(sticker=_sticker(), reply_to_message=vera.message(question.id))
    assert vera.last.id != question.id
    assert vera.last.text.startswith("Vera, reply to this message: What shall I draw?")
    await vera.says("a hare", reply_to_message=vera.message(vera.last.id))
    assert [request.prompt for request in await asked(app, vera)] == ["a hare"]


async def test_in_a_group_everything_made_of_a_picture_answers_its_asker(
    app: App, session: RecordingSession, clock: FakeClock
) -> None:
    vera = chatter(app, session, chat_id=-100)
    number = await vera.says("/imagine a fox")
    await until_seen(vera, "Again")
    card = vera.last
    await vera.presses("Again", on=card)
    await vera.presses("flash", on=card)
    await vera.presses("Options", on=card)
    await vera.presses("Draw")

    assert [job.reply_to_message_id for job in await jobs_of(app, vera)] == [number] * 4


async def test_imagine_alone_in_a_reply_draws_what_it_replies_to(vera: Chatter, app: App) -> None:
    said = vera.message(5, text="a fox")
    await vera.says("/imagine --ar 16:9", reply_to_message=said)
    await vera.says("/imagine a hare", reply_to_message=said)

    assert [(request.prompt, request.width_px) for request in await asked(app, vera)] == [
        ("a fox", 256),
        ("a hare", 128),
    ]


async def test_a_picture_sent_along_is_admitted_not_to_be_seen(vera: Chatter, app: App) -> None:
    photo = [{"file_id": "p", "file_unique_id": "p", "width": 1, "height": 1}]
    await vera.sends(photo=photo, caption="/imagine a fox")

    assert vera.sees[0].text == (
        "/imagine draws from the words alone, so the picture does not count."
    )
    assert [request.prompt for request in await asked(app, vera)] == ["a fox"]


async def test_those_who_write_as_a_chat_are_told_apart(
    app: App, session: RecordingSession
) -> None:
    ids = [-200, -201]
    stand_in = chatter(app, session, chat_id=-100, user_id=136817688)
    for channel in ids:
        await stand_in.says(
            "/imagine a fox", sender_chat={"id": channel, "type": "channel", "title": "C"}
        )

    assert [len(await app.table.of_user(channel, EVERY)) for channel in ids] == [1, 1]


async def test_editing_in_a_group_asks_the_one_who_pressed(
    app: App, session: RecordingSession
) -> None:
    vera = chatter(app, session, chat_id=-100)
    await vera.says("/imagine a fox")
    await until_seen(vera, "Again")
    await vera.presses("Edit")

    assert vera.last.text.startswith("Vera, reply to this message: Send me the new sentence")


async def test_somebody_elses_buttons_do_nothing(
    app: App, session: RecordingSession, engine: FakeEngine
) -> None:
    vera = chatter(app, session, chat_id=-100)
    oleg = chatter(app, session, chat_id=-100, user_id=8)
    await vera.says("/imagine a fox")
    await until_seen(vera, "Again")
    card = vera.last
    for label in ("Again", "flash", "Edit", "Options", "file", "Delete"):
        toast = await oleg.presses(label, on=card)
        assert toast == "This button belongs to someone else's picture."
    await vera.presses("Options", on=card)
    assert await oleg.presses("16:9") == "This button is out of date."
    assert await asked(app, oleg) == []
    assert card in vera.sees


async def test_every_ending_is_told(vera: Chatter, app: App, engine: FakeEngine) -> None:
    engine.fate = lambda _work: "error-out-of-memory"
    await vera.says("a fox")
    await until_seen(vera, "Again")
    assert "This picture is too large for the machine." in vera.last.text

    [job] = await jobs_of(app, vera)
    await until_told(app.table, job.id)
    assert (await app.table.get(job.id)).state == "failed"


async def test_a_running_job_is_cancelled_at_once(
    vera: Chatter, app: App, engine: FakeEngine, clock: FakeClock
) -> None:
    engine.gate.clear()
    await vera.says("a fox")
    await until(lambda: bool(engine.batches))
    await until_seen(vera, "Cancel")
    assert await vera.presses("Cancel") == "Cancelled."
    await until(lambda: "Cancelled." in vera.last.text)

    assert "🎲 Again" in vera.last.buttons
    [job] = await jobs_of(app, vera)
    clock.now += 3
    toast = await vera.presses_data(f"card|cancel|{job.id}", vera.last.id)
    assert toast == "There is nothing left to cancel."


def _sticker() -> dict[str, object]:
    return {
        "file_id": "s",
        "file_unique_id": "s",
        "type": "regular",
        "width": 1,
        "height": 1,
        "is_animated": False,
        "is_video": False,
    }

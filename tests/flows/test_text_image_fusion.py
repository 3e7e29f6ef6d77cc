from pathlib import Path
from typing import Any

import pytest
from aiogram.methods import SendMessage
from aiogram.types import CopyTextButton, InlineKeyboardMarkup

from bot.app import App
from pipelines.contracts import Drawn, Work
from pipelines.text_image_fusion import TextImageFusionRequest
from tests.building import chatter, configured, running, until_seen
from tests.flows.pictures import (
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
from tests.pipelines.handed_in import jpeg
from tests.telegram import Chatter, FakeClock, RecordingSession

pytestmark = TAKES_PICTURES

SOMEWHERE = {"endpoint": {"url": "http://127.0.0.1:9/v1", "model": "m"}}


async def asked(app: App, someone: Chatter) -> list[TextImageFusionRequest]:
    return await all_asked(app, someone, TextImageFusionRequest)


async def test_a_photo_with_a_caption_is_changed_at_once(
    vera: Chatter, app: App, session: RecordingSession
) -> None:
    look_for_real(app)
    await vera.sends(
        **photo(session, data=jpeg(400, 200)),
        caption="the same at night --no people --n 2 --seed 7 --balance picture",
    )
    await until_seen(vera, "Again")

    [request] = await asked(app, vera)
    assert (request.prompt, request.negative_prompt) == ("the same at night", "people")
    assert (request.n, request.seed, request.balance) == (2, 7, "picture")
    assert (request.width_px, request.weights, request.wording) == (256, (1.0,), "beautified")
    assert vera.last.text.startswith("the same at night\nseed 7…8 · 256×128 · more of the picture")
    assert vera.last.text.split("\n")[2] == "without: people"


async def test_an_album_with_a_caption_is_changed_as_a_whole(
    vera: Chatter, app: App, session: RecordingSession
) -> None:
    await vera.sends_album(
        photo(session, "a"), photo(session, "b", caption="at night"), photo(session, "c")
    )
    [request] = await asked(app, vera)
    assert (len(request.images), request.shares) == (3, (1 / 3, 1 / 3, 1 / 3))


async def test_a_file_with_a_caption_is_as_good_as_a_photo(
    vera: Chatter, app: App, session: RecordingSession
) -> None:
    await vera.sends(**document(session, jpeg(), "image/jpeg"), caption="at night")
    assert [request.prompt for request in await asked(app, vera)] == ["at night"]


async def test_the_command_asks_for_the_picture_and_then_for_the_words(
    vera: Chatter, app: App, session: RecordingSession
) -> None:
    await vera.says("/mix --balance words")
    assert vera.last.text == "Send me the picture that I shall change."
    await vera.sends(**photo(session))
    assert vera.last.text.startswith("Tell me what to make of it: one sentence, up to 1000")
    await vera.says("at night --seed 7")

    [request] = await asked(app, vera)
    assert (request.prompt, request.balance, request.seed) == ("at night", "words", 7)
    assert not any("Tell me" in shown.text for shown in vera.sees)


async def test_words_that_came_first_wait_for_the_picture(
    vera: Chatter, app: App, session: RecordingSession
) -> None:
    await vera.says("/mix at night")
    assert vera.last.text == "Send me the picture that I shall change."
    await vera.says("in the rain")
    assert vera.last.text == "Send me the picture that I shall change."
    await vera.sends(**photo(session))

    assert [request.prompt for request in await asked(app, vera)] == ["in the rain"]


@pytest.mark.parametrize("said", ["/mix at night", "at night"])
async def test_a_reply_to_a_picture_with_words_changes_it(
    vera: Chatter, app: App, session: RecordingSession, said: str
) -> None:
    parent = await drawn(app, vera)
    await vera.says(said, reply_to_message=vera.message(vera.last.id, **photo(session)))

    job = (await jobs_of(app, vera))[-1]
    assert (job.mode, job.parent_id) == ("text_image_fusion", parent)
    assert TextImageFusionRequest.model_validate_json(job.request).prompt == "at night"


async def test_the_button_under_a_result_asks_for_words(vera: Chatter, app: App) -> None:
    parent = await drawn(app, vera)
    await vera.presses("With words")
    assert vera.last.text.startswith("Tell me what to make of it")
    await vera.says("at night")

    job = (await jobs_of(app, vera))[-1]
    assert (job.mode, job.parent_id) == ("text_image_fusion", parent)


@pytest.mark.parametrize(
    ("caption", "says", "after"),
    [
        ("x" * 1001, "That is 1001 characters; I read at most 1000.", "a hare"),
        ("\u200b", "Tell me what to draw, from 1 to 1000 characters.", "a hare"),
        ("a hare --quality flash", "I do not know the option --quality.", "a hare"),
        ("a hare --ar 99:1", "--ar takes one of 1:1, 16:9, not “99:1”.", "a hare"),
    ],
)
async def test_words_that_cannot_be_taken_leave_the_picture(
    vera: Chatter, app: App, session: RecordingSession, caption: str, says: str, after: str
) -> None:
    await vera.sends(**photo(session), caption=caption)
    assert vera.last.text.startswith(says)
    assert "Tell me what to make of it" in vera.last.text
    assert await asked(app, vera) == []
    await vera.says(after)

    assert [(r.prompt, len(r.images)) for r in await asked(app, vera)] == [("a hare", 1)]


async def test_a_bad_picture_leaves_the_words(
    vera: Chatter, app: App, session: RecordingSession
) -> None:
    await vera.sends(**document(session, b"not a picture", "image/png"), caption="at night")
    assert vera.last.text.startswith("That file is no picture I can read.")
    assert vera.last.text.endswith("\nSend me the picture that I shall change.")
    await vera.sends(**photo(session))

    assert [request.prompt for request in await asked(app, vera)] == ["at night"]


async def test_more_of_the_picture_and_more_of_the_words_are_a_press_away(
    vera: Chatter, app: App, session: RecordingSession
) -> None:
    await vera.sends(**photo(session), caption="at night --seed 7")
    await until_seen(vera, "Again")
    card = vera.last
    assert await vera.presses("More picture", on=card) == "Drawing it."
    assert await vera.presses("More picture", on=card) == ""
    assert await vera.presses("More words", on=card) == "Drawing it."
    await until_seen(vera, "Again", times=3)

    requests = await asked(app, vera)
    assert [(r.balance, r.seed) for r in requests] == [("even", 7), ("picture", 7), ("words", 7)]
    labels = [
        {label for label in shown.buttons if "More" in label}
        for shown in vera.sees
        if "🎲 Again" in shown.buttons
    ]
    assert labels == [
        {"✍️ More words", "🖼 More picture"},
        {"✍️ More words"},
        {"🖼 More picture"},
    ]


async def test_other_words_for_the_same_picture(
    vera: Chatter, app: App, session: RecordingSession
) -> None:
    await vera.sends(**photo(session), caption="at night --seed 7 --no people")
    await until_seen(vera, "Again")
    await vera.presses("Edit")
    question = [call for call in session.calls if isinstance(call, SendMessage)][-1]
    assert isinstance(question.reply_markup, InlineKeyboardMarkup)
    copied = question.reply_markup.inline_keyboard[0][0].copy_text
    assert copied == CopyTextButton(text="at night")
    await vera.says("in the rain")

    first, second = await asked(app, vera)
    assert second == first.model_copy(update={"prompt": "in the rain"})


async def test_the_words_are_looked_at_like_any_others(
    tmp_path: Path,
    session: RecordingSession,
    engine: FakeEngine,
    clock: FakeClock,
    serves: dict[str, Any],
) -> None:
    def reword(work: Work) -> Drawn | None:
        request: Any = work.request
        waits = request.wording != "as-typed" and request.drawn is None
        return Drawn(words="at night, under the moon") if waits else None

    engine.reword = reword
    config = configured(tmp_path, profile=serves, prompting=SOMEWHERE)
    async with running(config, session, engine, clock) as app:
        look_quickly(app)
        vera = chatter(app, session)
        await app.people.change(vera.user_id, beautify=False)
        await vera.sends(**photo(session), caption="ночью --seed 7")
        await until_seen(vera, "As typed")
        assert "🪄 Drawn:\nat night, under the moon\nseed 7" in vera.last.text
        card = vera.last
        assert await vera.presses("As typed", on=card) == "Drawing it."
        await vera.presses("More picture", on=card)
        first, second, third = await asked(app, vera)
        assert (first.wording, first.words) == ("translated", "at night, under the moon")
        assert (second.wording, second.words) == ("as-typed", "ночью")
        assert third.words == first.words


@pytest.mark.parametrize("knows", ["anything"])
async def test_the_style_of_the_settings_and_of_the_line(
    vera: Chatter, app: App, session: RecordingSession
) -> None:
    await app.people.change(vera.user_id, style="anime")
    await vera.sends(**photo(session, "a"), caption="at night")
    await vera.sends(**photo(session, "b"), caption="at night --style malevich")
    await until_seen(vera, "Again", times=2)

    assert [request.style for request in await asked(app, vera)] == ["anime", "malevich"]
    assert vera.last.text.endswith("style: Malevich")


async def test_a_draft_survives_a_restart_and_a_refusal(
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
        await vera.sends(**photo(session), caption="at night --seed 7")
        refusal = vera.last
        assert "in 10 s" in refusal.text
    clock.now += 10
    async with running(config, session, FakeEngine(), clock) as app:
        vera = chatter(app, session)
        assert await vera.presses("Try again", on=refusal) == "Drawing it."
        assert [job.mode for job in await jobs_of(app, vera)][1] == "text_image_fusion"


async def test_a_picture_that_is_gone_is_asked_for_again_and_the_words_are_kept(
    vera: Chatter, app: App, session: RecordingSession
) -> None:
    await vera.sends(**photo(session), caption="/mix --seed 7")
    for blob in app.config.storage.blobs.rglob("*"):
        if blob.is_file():
            blob.unlink()
    await vera.says("at night")
    assert vera.last.text.startswith("A picture this starts from is not kept any more.")
    assert vera.last.text.endswith("\nSend me the picture that I shall change.")
    await vera.sends(**photo(session))

    assert [(r.prompt, r.seed) for r in await asked(app, vera)] == [("at night", 7)]


async def test_a_draft_of_another_age_begins_anew(
    vera: Chatter, app: App, session: RecordingSession
) -> None:
    await vera.says("/mix at night")
    question = vera.last
    state = app.dispatcher.fsm.get_context(app.bot, vera.chat_id, vera.user_id)
    await state.set_data({"old": {"from": "another age"}, "shown_id": question.id})
    toast = await vera.presses_data("gather|text_image_fusion|close", question.id)
    assert toast == "This button is out of date."
    await vera.sends(**photo(session))
    assert vera.last.text.startswith("Tell me what to make of it")


# In a group


async def test_in_a_group_a_caption_alone_is_nobodys_business(
    app: App, session: RecordingSession
) -> None:
    vera = chatter(app, session, chat_id=-100)
    await vera.sends(**photo(session), caption="at night")
    assert vera.sees == []
    number = await vera.sends(**photo(session), caption="/mix at night")
    await until_seen(vera, "Again")

    assert [request.prompt for request in await asked(app, vera)] == ["at night"]
    assert [message.reply_to for message in vera.sees] == [number]


async def test_in_a_group_a_reply_gives_the_words(app: App, session: RecordingSession) -> None:
    vera = chatter(app, session, chat_id=-100)
    await vera.says("/mix", reply_to_message=vera.message(5, **photo(session)))
    question = vera.last
    assert question.text.startswith("Vera, reply to this message: Tell me what to make of it")
    await vera.says("a fox")
    assert await asked(app, vera) == []
    number = await vera.says(
        "at night", reply_to_message=vera.message(question.id, text="question")
    )
    [job] = await jobs_of(app, vera)
    assert job.reply_to_message_id == number


async def test_russians_read_russian(app: App, session: RecordingSession) -> None:
    masha = chatter(app, session, language="ru")
    await masha.sends(**photo(session), caption="то же самое ночью")
    await until_seen(masha, "🖼 Больше картинки")
    assert masha.last.text.startswith("то же самое ночью\nзерно ")
    assert "слова и картинка поровну" in masha.last.text

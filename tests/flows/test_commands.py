from pathlib import Path

import pytest
from aiogram.methods import SetMyCommands, SetMyDescription
from aiogram.types import BotCommandScopeAllGroupChats

from bot.app import App
from bot.greeting import introduce
from bot.settings import SettingPress
from storage.people import Settings
from tests.building import chatter, configured, running, until_seen
from tests.jobs.fakes import FakeEngine, until
from tests.storage.stock import is_marked_blocked
from tests.telegram import BLOCKED, Chatter, FakeClock, RecordingSession, refused

PHOTO = {"photo": [{"file_id": "p", "file_unique_id": "p", "width": 1, "height": 1}]}
VOICE = {"voice": {"file_id": "v", "file_unique_id": "v", "duration": 1}}


async def test_start_says_what_can_be_drawn_and_offers_examples(vera: Chatter) -> None:
    await vera.says("/start")

    assert "Kandinsky 3" in vera.last.text
    assert "it knows one little world: a circle, square" in vera.last.text
    assert "a red circle on a blue background" in vera.last.buttons


@pytest.mark.parametrize("prompting", [None, {"endpoint": {"url": "http://b/v1", "model": "m"}}])
async def test_other_languages_are_promised_where_somebody_translates(
    tmp_path: Path,
    session: RecordingSession,
    engine: FakeEngine,
    clock: FakeClock,
    prompting: dict[str, object] | None,
) -> None:
    config = configured(tmp_path, "anything", prompting=prompting)
    async with running(config, session, engine, clock) as app:
        vera = chatter(app, session)
        for command in ("/start", "/help"):
            await vera.says(command)
            assert ("in other languages" in vera.last.text) is (prompting is not None)
            assert ("English only" in vera.last.text) is (prompting is None)


@pytest.mark.parametrize("knows", ["anything"])
async def test_help_names_every_option_and_what_this_profile_takes(vera: Chatter) -> None:
    await vera.says("/help")

    for part in ("--ar 1:1 | 16:9", "--quality flash | base", "--style none", "--n 1…4", "/queue"):
        assert part in vera.last.text


async def test_a_russian_client_is_answered_in_russian(
    app: App, session: RecordingSession
) -> None:
    masha = chatter(app, session, language="ru")
    await masha.says("/start")
    assert masha.last.text.startswith("👋 Здравствуйте!")
    await masha.says("красный круг")
    await until_seen(masha, "Ещё раз")


async def test_an_unknown_command_points_to_help(vera: Chatter) -> None:
    await vera.says("/draw me")

    assert vera.last.text == "I do not know this command. /help lists what I can do."


@pytest.mark.parametrize("content", [PHOTO, VOICE], ids=["photo", "voice"])
async def test_what_is_not_words_is_answered_with_what_is_possible(
    vera: Chatter, content: dict[str, object]
) -> None:
    await vera.sends(**content)

    assert vera.last.text.startswith("I draw from words")


async def test_a_command_below_a_picture_is_a_command(vera: Chatter) -> None:
    await vera.sends(**PHOTO, caption="/paint")

    assert vera.last.text.startswith("I do not know this command.")


async def test_what_happens_in_a_chat_is_no_prompt(vera: Chatter) -> None:
    await vera.sends(pinned_message=vera.message(1, text="x"))

    assert vera.sees == []


async def test_queue_lists_own_jobs_with_a_button_for_each(
    vera: Chatter, app: App, session: RecordingSession, engine: FakeEngine
) -> None:
    await vera.says("/queue")
    assert "You have no pictures on their way." in vera.last.text

    engine.gate.clear()
    await vera.says("a fox")
    await until(lambda: bool(engine.batches))
    await vera.says("a hare " + "x" * 100)
    await vera.says("/queue")
    listed = vera.last
    assert "1. a fox — being drawn" in listed.text
    assert "2. a hare xxx" in listed.text
    assert "1 waiting, 1 being drawn" in listed.text
    assert await vera.presses("Cancel 2", on=listed) == "Cancelled."
    await vera.says("/queue")
    assert "a hare" not in vera.last.text


async def test_in_a_group_the_queue_shows_only_what_was_asked_for_there(
    vera: Chatter, app: App, session: RecordingSession, engine: FakeEngine
) -> None:
    engine.gate.clear()
    await vera.says("a secret")
    in_group = chatter(app, session, chat_id=-100)
    await in_group.says("/imagine a fox")
    await in_group.says("/queue")
    assert "a fox" in in_group.last.text
    assert "a secret" not in in_group.last.text
    await vera.says("/queue")
    assert "a secret" in vera.last.text


async def test_cancel_stops_everything_of_ones_own(
    vera: Chatter, app: App, session: RecordingSession, engine: FakeEngine
) -> None:
    await vera.says("/cancel")
    assert vera.last.text == "There was nothing to stop."

    engine.gate.clear()
    oleg = chatter(app, session, user_id=8)
    await oleg.says("an owl")
    await vera.says("a fox")
    await vera.says("a hare")
    await vera.says("/cancel")
    assert any(message.text == "Stopped 2 pictures." for message in vera.sees)
    assert len(await app.jobs.mine(8)) == 1


async def test_a_file_is_sent_once_even_if_the_press_comes_again_after_a_crash(
    vera: Chatter, app: App, session: RecordingSession, clock: FakeClock
) -> None:
    await vera.says("a fox")
    await until_seen(vera, "Again")
    card = vera.last
    assert await vera.presses("As file", on=card) == "Sending the file."
    await until(lambda: vera.last.content.startswith("png of"))

    press = {"id": "9", "from": vera._me(), "chat_instance": "1", "data": "card|file|1"}
    clock.now += 3
    await vera.feed(
        {"callback_query": {**press, "message": vera.message(card.id)}}, is_replayed=True
    )
    assert vera.last.text == "I was restarted while doing this. Please press once more."
    assert session.names().count("sendDocument") == 1


async def test_a_file_that_is_gone_is_said_to_be(vera: Chatter, app: App) -> None:
    await vera.says("a fox")
    await until_seen(vera, "Again")
    for blob in (app.config.storage.blobs).rglob("*"):
        if blob.is_file():
            blob.unlink()
    await vera.presses("As file")

    await until(lambda: vera.last.text.startswith("This picture is not kept any more."))


async def test_a_file_a_chat_does_not_take_is_explained(
    vera: Chatter, session: RecordingSession
) -> None:
    session.meets("sendDocument", refused(413, "Request Entity Too Large"))
    await vera.says("a fox")
    await until_seen(vera, "Again")
    await vera.presses("As file")

    await until(lambda: vera.last.text.startswith("Telegram did not take this"))


async def test_a_file_nobody_is_there_to_take_is_only_logged(
    vera: Chatter, session: RecordingSession, caplog: pytest.LogCaptureFixture
) -> None:
    session.meets("sendDocument", BLOCKED)
    await vera.says("a fox")
    await until_seen(vera, "Again")
    await vera.presses("As file")

    await until(lambda: "bot was blocked" in caplog.text)


async def test_a_slow_upload_holds_up_nothing(
    vera: Chatter, session: RecordingSession, app: App
) -> None:
    await vera.says("a fox")
    await until_seen(vera, "Again")
    app.delivery._pace.hold(vera.chat_id, 60)
    before = session.names().count("sendDocument")
    await vera.presses("As file")
    assert session.names().count("sendDocument") == before
    await until(lambda: session.names().count("sendDocument") == before + 1)


async def test_an_album_can_be_asked_for_again(
    vera: Chatter, app: App, session: RecordingSession, clock: FakeClock
) -> None:
    session.meets("sendMediaGroup", refused(500, "Internal Server Error"))
    await vera.says("a fox --n 2")
    await until_seen(vera, "Send again")
    control = vera.last
    press = {"id": "9", "from": vera._me(), "chat_instance": "1", "data": "card|resend|1"}
    await vera.feed(
        {"callback_query": {**press, "message": vera.message(control.id)}}, is_replayed=True
    )
    assert vera.last.text.startswith("I was restarted")

    clock.now += 3
    assert await vera.presses("Send again", on=control) == "Sending them once more."
    await until(lambda: [m.media for m in vera.sees].count("photo") == 2)
    await until(lambda: "📨 Send again" not in control.buttons)


async def test_delete_takes_the_result_away(vera: Chatter) -> None:
    await vera.says("a fox")
    await until_seen(vera, "Again")
    assert await vera.presses("Delete") == "Deleted."

    assert vera.sees == []


async def test_what_telegram_keeps_is_explained(vera: Chatter, session: RecordingSession) -> None:
    await vera.says("a fox")
    await until_seen(vera, "Again")
    session.meets("deleteMessage", refused(400, "Bad Request: message can't be deleted"))
    await vera.presses("Delete")

    assert vera.last.text == "Telegram lets me delete only messages younger than 48 hours."


async def test_an_unfinished_picture_has_no_file_and_is_not_deleted(
    vera: Chatter, engine: FakeEngine
) -> None:
    engine.gate.clear()
    await vera.says("a fox")
    await until_seen(vera, "Cancel")
    for action in ("file", "delete", "resend"):
        toast = await vera.presses_data(f"card|{action}|1", vera.last.id)
        assert toast == "This one has no picture yet."


@pytest.mark.parametrize(
    ("data", "toast"),
    [
        ("card|again|99", "This picture is not known any more."),
        ("card|cancel|99", "This picture is not known any more."),
        ("card|explode|1", "This button is out of date."),
        ("from another age", "This button is out of date."),
        ("t2i|edit|99|", "This picture is not known any more."),
        ("set|ratio|9:99", "This button is out of date."),
    ],
)
async def test_a_stale_button_is_answered_and_harmless(
    vera: Chatter, data: str, toast: str
) -> None:
    assert await vera.presses_data(data, 5) == toast


@pytest.mark.parametrize("knows", ["anything"])
async def test_settings_are_chosen_by_buttons_and_kept(vera: Chatter, app: App) -> None:
    await vera.says("/settings")
    menu = vera.last
    for label in ("16:9", "flash", "Send as file: no", "Style: none", "anime"):
        await vera.presses(label, on=menu)
    assert await app.people.settings(vera.user_id) == Settings(
        aspect_ratio="16:9", quality="flash", style="anime", as_file=True
    )
    assert "✓ flash" in menu.buttons
    assert await vera.presses("Русский", on=menu) == "Сохранено."
    assert menu.text.startswith("⚙️ Настройки по умолчанию")
    await vera.presses("как в Telegram", on=menu)
    assert menu.text.startswith("⚙️ Your defaults")
    await vera.presses("Done", on=menu)
    assert (menu.text, menu.buttons) == ("👍 Settings are kept.", {})


@pytest.mark.parametrize("knows", ["anything"])
async def test_the_styles_of_the_settings_have_a_way_back(vera: Chatter) -> None:
    await vera.says("/settings")
    await vera.presses("Style")
    assert "✓ none" in vera.last.buttons
    await vera.presses("Back")
    assert "✓ base" in vera.last.buttons


async def test_settings_stay_out_of_groups(app: App, session: RecordingSession) -> None:
    vera = chatter(app, session, chat_id=-100)
    await vera.says("/settings@test_bot")

    assert vera.last.text.startswith("Settings are personal")


def test_a_setting_packs_into_a_button() -> None:
    assert SettingPress(field="ratio", value="16:9").pack() == "set|ratio|16:9"


async def test_commands_of_another_bot_are_not_ours(app: App, session: RecordingSession) -> None:
    vera = chatter(app, session, chat_id=-100)
    await vera.says("/imagine@other_bot a fox")

    assert vera.sees == []


async def test_telegram_is_told_what_we_are_in_both_languages(
    app: App, session: RecordingSession
) -> None:
    await introduce(app.bot, app.languages, app.flows)

    menus = [call for call in session.calls if isinstance(call, SetMyCommands)]
    assert [menu.language_code for menu in menus] == [None, None, "ru", "ru"]
    for menu in menus:
        in_groups = isinstance(menu.scope, BotCommandScopeAllGroupChats)
        names = [command.command for command in menu.commands]
        assert ("settings" in names) is not in_groups
        assert names[0] == "imagine"
    told = [call for call in session.calls if isinstance(call, SetMyDescription)]
    assert [call.language_code for call in told] == [None, "ru"]
    assert all(len(call.description or "") <= 512 for call in told)


async def test_a_bot_that_cannot_introduce_itself_works_all_the_same(
    app: App, session: RecordingSession, caplog: pytest.LogCaptureFixture
) -> None:
    session.meets("setMyCommands", refused(400, "Bad Request: no"))
    await introduce(app.bot, app.languages, app.flows)

    assert "were not registered" in caplog.text


@pytest.mark.parametrize(("status", "is_blocked"), [("kicked", True), ("member", False)])
async def test_a_block_is_noted_and_taken_back(
    vera: Chatter, app: App, status: str, is_blocked: bool
) -> None:
    await app.people.mark_blocked(vera.user_id)
    who = {"id": 42, "is_bot": True, "first_name": "Bot"}
    until_date = {"until_date": 0} if status == "kicked" else {}
    change = {
        "chat": vera.message(1)["chat"],
        "from": vera._me(),
        "date": 1,
        "old_chat_member": {"user": who, "status": "member"},
        "new_chat_member": {"user": who, "status": status, **until_date},
    }
    await vera.feed({"my_chat_member": change})

    assert await is_marked_blocked(app.database, vera.user_id) is is_blocked


async def test_a_block_met_on_the_way_is_noted(
    vera: Chatter, app: App, session: RecordingSession
) -> None:
    session.meets("sendMessage", BLOCKED)
    await vera.says("/help")

    assert await is_marked_blocked(app.database, vera.user_id)


async def test_a_fault_of_ours_is_admitted_and_logged_with_the_update(
    vera: Chatter, app: App, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def break_down(*_: object) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr(type(app.jobs), "cancel_all", break_down)
    await vera.says("/cancel")

    assert vera.last.text == "Something broke on our side. Please try again."
    assert "update" in caplog.text
    assert "ZeroDivisionError" in caplog.text


async def test_a_fault_behind_a_button_is_admitted_in_its_answer(
    vera: Chatter, app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def break_down(*_: object) -> int:
        raise ZeroDivisionError

    await vera.says("a fox")
    await until_seen(vera, "Again")
    monkeypatch.setattr(type(app.jobs), "submit", break_down)
    assert await vera.presses("Again") == "Something broke on our side. Please try again."


async def test_an_answer_that_cannot_be_given_is_only_logged(
    vera: Chatter, session: RecordingSession, caplog: pytest.LogCaptureFixture
) -> None:
    session.meets("sendMessage", refused(400, "Bad Request: no"), refused(400, "Bad Request: no"))
    await vera.says("/help")
    assert "no answer could be given" in caplog.text


async def test_an_answer_of_unknown_fate_is_left_at_that(
    vera: Chatter, session: RecordingSession
) -> None:
    session.meets("sendMessage", refused(500, "Internal Server Error"))
    await vera.says("/help")

    assert session.names().count("sendMessage") == 1


async def test_a_menu_that_was_deleted_meanwhile_harms_nothing(
    vera: Chatter, session: RecordingSession
) -> None:
    await vera.says("/settings")
    menu = vera.last
    session.chats[vera.chat_id].clear()
    assert await vera.presses("16:9", on=menu) == "Saved."


async def test_a_button_under_a_message_telegram_hides_is_stale(
    vera: Chatter, session: RecordingSession
) -> None:
    hidden = {"chat": vera.message(1)["chat"], "message_id": 1, "date": 0}
    press = {"id": "9", "from": vera._me(), "chat_instance": "1", "data": "set|ratio|16:9"}
    await vera.feed({"callback_query": {**press, "message": hidden}})

    assert session.toasts() == ["Saved."]

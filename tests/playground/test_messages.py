from typing import Any

import pytest

from tests.playground.client import ALICE, GROUP, MARIA, Api, button, keyboard
from tests.playground.conftest import Clock


async def test_a_text_is_sent_and_shown_whole(api: Api) -> None:
    sent = await api.call("sendMessage", chat_id=ALICE, text=" hi <b>you</b> ", parse_mode="HTML")
    assert sent["text"] == "hi you"
    assert sent["entities"] == [{"type": "bold", "offset": 3, "length": 3}]
    assert sent["from"]["is_bot"] is True
    assert sent["chat"] == {
        "id": ALICE,
        "type": "private",
        "first_name": "Alice",
        "username": "alice",
    }


async def test_given_entities_are_honoured_in_utf16_units(api: Api) -> None:
    given = [{"type": "bold", "offset": 2, "length": 2}]
    sent = await api.call("sendMessage", chat_id=ALICE, text="😀ab", entities=given)
    assert sent["entities"] == given
    beyond = [{"type": "bold", "offset": 2, "length": 3}]
    refusal = await api.refused("sendMessage", chat_id=ALICE, text="😀ab", entities=beyond)
    assert "ends after the end of the text at UTF-16 offset 5" in refusal
    torn = [{"type": "bold", "offset": 1, "length": 1}]
    refusal = await api.refused("sendMessage", chat_id=ALICE, text="😀ab", entities=torn)
    assert "begins in a middle of a UTF-16 symbol" in refusal


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"text": "x"}, "chat_id is empty"),
        ({"chat_id": ALICE}, "message text is empty"),
        ({"chat_id": 5, "text": "x"}, "chat not found"),
        ({"chat_id": ALICE, "text": "x" * 4097}, "message is too long"),
        ({"chat_id": ALICE, "text": "x", "parse_mode": "x"}, "unsupported parse_mode"),
        (
            {"chat_id": ALICE, "text": "x", "reply_parameters": {"message_id": 1}},
            "message to be replied not found",
        ),
        (
            {"chat_id": ALICE, "text": "x", "reply_markup": "{"},
            "can't parse reply_markup: JSON object expected",
        ),
    ],
)
async def test_a_wrong_send_is_refused(api: Api, fields: dict[str, Any], sentence: str) -> None:
    assert await api.refused("sendMessage", **fields) == f"Bad Request: {sentence}"


async def test_a_bot_cannot_write_first(api: Api) -> None:
    refusal = await api.refused("sendMessage", chat_id=MARIA, text="hello")
    assert refusal == "Forbidden: bot can't initiate conversation with a user"


async def test_a_reply_shows_its_original_once(api: Api) -> None:
    first = await api.call("sendMessage", chat_id=ALICE, text="one")
    reply = {"message_id": first["message_id"]}
    second = await api.call("sendMessage", chat_id=ALICE, text="two", reply_parameters=reply)
    assert second["reply_to_message"]["text"] == "one"
    reply = {"message_id": 1, "allow_sending_without_reply": True}
    third = await api.call("sendMessage", chat_id=ALICE, text="three", reply_parameters=reply)
    assert "reply_to_message" not in third


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([[button("a", "x" * 65)]], "BUTTON_DATA_INVALID"),
        ([[button("a", "я" * 33)]], "BUTTON_DATA_INVALID"),
        ([[{"text": "a"}]], "text buttons are unallowed in the inline keyboard"),
        ([[button(" ")]], "inline keyboard button text must be non-empty"),
        ([[button("a", url="https://e.com")]], "BUTTON_TYPE_INVALID"),
        ([[button("a", style="pink")]], "BUTTON_STYLE_INVALID"),
        ([[button("a")]] * 101, "reply markup is too long"),
        (
            [[{"text": "a", "web_app": {"url": "http://e.com"}}]],
            "inline keyboard button Web App URL 'http://e.com' is invalid: "
            "Only HTTPS links are allowed",
        ),
        (
            [[{"text": "a", "url": "javascript:alert(1)"}]],
            "inline keyboard button URL 'javascript:alert(1)' is invalid: Wrong HTTP URL",
        ),
        ([[{"text": "a", "copy_text": {"text": "x" * 257}}]], "BUTTON_COPY_TEXT_INVALID"),
    ],
)
async def test_a_wrong_keyboard_is_refused(api: Api, rows: Any, sentence: str) -> None:
    markup = {"inline_keyboard": rows}
    refusal = await api.refused("sendMessage", chat_id=ALICE, text="x", reply_markup=markup)
    assert refusal == f"Bad Request: {sentence}"


async def test_64_bytes_of_callback_data_are_enough(api: Api) -> None:
    markup = keyboard([button("a", "я" * 32, style="danger")], [{"text": "off", "disabled": {}}])
    sent = await api.call("sendMessage", chat_id=ALICE, text="x", reply_markup=markup)
    assert sent["reply_markup"] == markup


async def test_mini_app_buttons_stay_out_of_groups(api: Api) -> None:
    markup = {"inline_keyboard": [[{"text": "a", "web_app": {"url": "https://e.com"}}]]}
    await api.call("sendMessage", chat_id=ALICE, text="x", reply_markup=markup)
    refusal = await api.refused("sendMessage", chat_id=GROUP, text="x", reply_markup=markup)
    assert refusal == "Bad Request: BUTTON_TYPE_INVALID"


async def test_a_reply_keyboard_comes_and_goes(api: Api) -> None:
    markup = {"keyboard": [[{"text": "yes"}, {"text": "no"}]], "one_time_keyboard": True}
    sent = await api.call("sendMessage", chat_id=ALICE, text="x", reply_markup=markup)
    assert "reply_markup" not in sent
    assert (await reply_keyboard(api))["one_time_keyboard"] is True
    await api.call("sendMessage", chat_id=ALICE, text="y", reply_markup={"remove_keyboard": True})
    assert await reply_keyboard(api) is None


async def reply_keyboard(api: Api) -> Any:
    state = (await api.http.get(f"{api.base}/playground/control/state")).json()
    return next(chat for chat in state["chats"] if chat["id"] == ALICE)["reply_keyboard"]


async def test_activity_is_checked(api: Api) -> None:
    assert await api.call("sendChatAction", chat_id=ALICE, action="upload_photo") is True
    refusal = await api.refused("sendChatAction", chat_id=ALICE, action="dancing")
    assert refusal == "Bad Request: wrong parameter action in request"


async def test_a_draft_is_for_private_chats(api: Api) -> None:
    assert await api.call("sendMessageDraft", chat_id=ALICE, draft_id=7, text="so far") is True
    assert "RANDOM_ID" in await api.refused(
        "sendMessageDraft", chat_id=ALICE, draft_id=0, text="x"
    )
    assert "PEER" in await api.refused("sendMessageDraft", chat_id=GROUP, draft_id=7, text="x")
    long = "x" * 4097
    assert "too long" in await api.refused(
        "sendMessageDraft", chat_id=ALICE, draft_id=7, text=long
    )


async def test_a_reaction_is_one_known_emoji(api: Api) -> None:
    sent = await api.call("sendMessage", chat_id=ALICE, text="x")
    where = {"chat_id": ALICE, "message_id": sent["message_id"]}
    heart = {"type": "emoji", "emoji": "❤"}
    assert await api.call("setMessageReaction", **where, reaction=[heart]) is True
    assert "REACTIONS_TOO_MANY" in await api.refused(
        "setMessageReaction", **where, reaction=[heart, heart]
    )
    other = {"type": "emoji", "emoji": "X"}
    assert "REACTION_INVALID" in await api.refused("setMessageReaction", **where, reaction=[other])
    assert await api.call("setMessageReaction", **where) is True


async def test_deleting_has_its_rules(api: Api, clock: Clock) -> None:
    ids = [
        (await api.call("sendMessage", chat_id=ALICE, text=str(n)))["message_id"] for n in range(4)
    ]
    assert await api.call("deleteMessage", chat_id=ALICE, message_id=ids[0]) is True
    gone = await api.refused("deleteMessage", chat_id=ALICE, message_id=ids[0])
    assert gone == "Bad Request: message to delete not found"
    assert await api.call("deleteMessages", chat_id=ALICE, message_ids=ids[:2]) is True
    too_many = await api.refused("deleteMessages", chat_id=ALICE, message_ids=list(range(101)))
    assert too_many == "Bad Request: too many message identifiers specified"
    clock.now += 48 * 3600
    old = await api.refused("deleteMessage", chat_id=ALICE, message_id=ids[2])
    assert old == "Bad Request: message can't be deleted"
    old = await api.refused("deleteMessages", chat_id=ALICE, message_ids=ids[2:])
    assert old == "Bad Request: message can't be deleted"


async def test_only_the_newest_messages_are_kept(api: Api) -> None:
    first = await api.call("sendMessage", chat_id=ALICE, text="first")
    for number in range(200):
        await api.call("sendMessage", chat_id=ALICE, text=str(number))
    where = {"chat_id": ALICE, "message_id": first["message_id"]}
    refusal = await api.refused("editMessageText", **where, text="x")
    assert refusal == "Bad Request: message to edit not found"


@pytest.mark.parametrize(
    "rows",
    [
        {"inline_keyboard": [[{"text": "x", "url": "https://a.b/" + "x" * 70_000}]]},
        {"keyboard": [[{"text": "x" * 70_000}]]},
    ],
)
async def test_a_keyboard_without_end_is_refused(api: Api, rows: dict[str, object]) -> None:
    await api.start()
    refusal = await api.refused("sendMessage", chat_id=ALICE, text="x", reply_markup=rows)
    assert refusal == "Bad Request: reply markup is too long"

from typing import Any

import pytest

from tests.playground.client import ALICE, Api, button, keyboard, picture

NOT_MODIFIED = (
    "Bad Request: message is not modified: specified new message content and reply markup are "
    "exactly the same as a current content and reply markup of the message"
)


async def sent_text(api: Api) -> dict[str, Any]:
    markup = keyboard([button("a")])
    sent = await api.call("sendMessage", chat_id=ALICE, text="one", reply_markup=markup)
    return {"chat_id": ALICE, "message_id": sent["message_id"]}


async def sent_photo(api: Api) -> dict[str, Any]:
    files = {"photo": ("a.png", picture())}
    sent = await api.call("sendPhoto", files, chat_id=ALICE, caption="one")
    return {"chat_id": ALICE, "message_id": sent["message_id"]}


async def test_an_edit_without_a_keyboard_removes_it(api: Api) -> None:
    edited = await api.call("editMessageText", **await sent_text(api), text="two")
    assert edited["text"] == "two"
    assert edited["edit_date"]
    assert "reply_markup" not in edited


async def test_the_same_again_is_not_modified(api: Api) -> None:
    where = await sent_text(api)
    markup = keyboard([button("a")])
    refusal = await api.refused("editMessageText", **where, text="one", reply_markup=markup)
    assert refusal == NOT_MODIFIED
    await api.call("editMessageText", **where, text="one")
    assert await api.refused("editMessageReplyMarkup", **where) == NOT_MODIFIED


async def test_another_keyboard_is_no_edit_of_the_text(api: Api) -> None:
    markup = keyboard([button("b")])
    edited = await api.call("editMessageReplyMarkup", **await sent_text(api), reply_markup=markup)
    assert edited["reply_markup"] == markup
    assert "edit_date" not in edited


async def test_text_and_caption_are_not_confused(api: Api) -> None:
    photo, text = await sent_photo(api), await sent_text(api)
    refusal = await api.refused("editMessageText", **photo, text="x")
    assert refusal == "Bad Request: there is no text in the message to edit"
    refusal = await api.refused("editMessageCaption", **text, caption="x")
    assert refusal == "Bad Request: there is no caption in the message to edit"
    edited = await api.call("editMessageCaption", **photo, caption="two")
    assert edited["caption"] == "two"
    assert "caption" not in await api.call("editMessageCaption", **photo)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"message_id": 1}, "message to edit not found"),
        ({"chat_id": 1}, "chat not found"),
        ({"text": "x" * 4097}, "message is too long"),
        (
            {"reply_markup": {"inline_keyboard": [[{"text": "a"}]]}},
            "text buttons are unallowed in the inline keyboard",
        ),
    ],
)
async def test_a_wrong_edit_is_refused(api: Api, change: dict[str, Any], sentence: str) -> None:
    fields = {**await sent_text(api), "text": "two", **change}
    assert await api.refused("editMessageText", **fields) == f"Bad Request: {sentence}"


async def test_without_an_id_nothing_is_edited(api: Api) -> None:
    refusal = await api.refused("editMessageText", chat_id=ALICE, text="x")
    assert refusal == "Bad Request: message identifier is not specified"
    refusal = await api.refused("editMessageText", inline_message_id="abc", text="x")
    assert refusal == "Bad Request: MESSAGE_ID_INVALID"


async def test_a_persons_message_is_not_the_bots_to_edit(api: Api) -> None:
    theirs = (await api.act(text="mine"))["messages"][0]["id"]
    refusal = await api.refused("editMessageText", chat_id=ALICE, message_id=theirs, text="x")
    assert refusal == "Bad Request: message can't be edited"


async def test_a_text_turns_into_a_photo_a_document_an_animation_and_a_video(api: Api) -> None:
    where = await sent_text(api)
    for kind in ("photo", "document", "animation", "video"):
        media = {"type": kind, "media": "attach://f", "caption": kind, "width": 4, "height": 3}
        files = {"f": ("f.png", picture())}
        edited = await api.call("editMessageMedia", files, **where, media=media)
        assert kind in edited
        assert edited["caption"] == kind
        assert "text" not in edited


async def test_the_same_picture_again_is_not_modified(api: Api) -> None:
    where = await sent_photo(api)
    media = {"type": "photo", "media": "attach://f", "caption": "one"}
    files = {"f": ("other name.png", picture())}
    assert await api.refused("editMessageMedia", files, **where, media=media) == NOT_MODIFIED


async def test_an_album_keeps_its_kind(api: Api) -> None:
    files = {name: (f"{name}.png", picture(color=name)) for name in ("red", "blue")}
    album = [{"type": "photo", "media": f"attach://{name}"} for name in files]
    sent = await api.call("sendMediaGroup", files, chat_id=ALICE, media=album)
    where = {"chat_id": ALICE, "message_id": sent[0]["message_id"]}
    refused = {
        "document": "can't change media type in the album",
        "animation": "message content type can't be used in an album",
    }
    for kind, sentence in refused.items():
        media = {"type": kind, "media": "attach://f"}
        refusal = await api.refused(
            "editMessageMedia", {"f": ("f.gif", picture())}, **where, media=media
        )
        assert refusal == f"Bad Request: {sentence}"
    media = {"type": "video", "media": "attach://f"}
    edited = await api.call("editMessageMedia", {"f": ("f.mp4", b"v")}, **where, media=media)
    assert edited["video"]["mime_type"] == "video/mp4"
    assert edited["media_group_id"] == sent[0]["media_group_id"]

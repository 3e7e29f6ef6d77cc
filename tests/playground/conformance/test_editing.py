"""Editing and deleting."""

from typing import Any

import pytest

from tests.playground.client import ALICE, Api, button, keyboard, picture
from tests.playground.conformance.cases import (
    ALBUM,
    DELETED,
    DOCUMENT_ID,
    NOT_MODIFIED,
    PHOTO,
    TEXT,
    THEIRS,
    Case,
    Made,
    refuses,
    takes,
)
from tests.playground.conftest import Clock

AS_IT_IS: dict[str, tuple[Made, dict[str, Any]]] = {
    "editMessageText": (TEXT, {"text": "two"}),
    "editMessageCaption": (PHOTO, {"caption": "two"}),
    "editMessageMedia": (PHOTO, {"media": {"type": "photo", "media": "attach://f"}}),
    "editMessageReplyMarkup": (TEXT, {"reply_markup": keyboard([button("b")])}),
}
FILES = {"f": ("f.png", picture(color="gold"))}


def edit(method: str, what: str, shows: Any = None, **changes: Any) -> Case:
    message, fields = AS_IT_IS[method]
    files = FILES if method == "editMessageMedia" else None
    given = {"chat_id": ALICE, "message_id": message, **fields, **changes}
    return takes(method, what, files, shows, **given)


def no_edit(method: str, what: str, sentence: str, status: int = 400, **changes: Any) -> Case:
    message, fields = AS_IT_IS[method]
    files = FILES if method == "editMessageMedia" else None
    given = {"chat_id": ALICE, "message_id": message, **fields, **changes}
    return refuses(method, what, sentence, files, status, **given)


EVERY = [
    case
    for method in AS_IT_IS
    for case in (
        edit(method, "a change", {"from": {"is_bot": True}}),
        edit(method, "a keyboard", reply_markup=keyboard([button("c", "я" * 32)])),
        no_edit(method, "no chat", "chat_id is empty", chat_id=""),
        no_edit(method, "an unknown chat", "chat not found", chat_id=4242),
        no_edit(method, "no message", "message identifier is not specified", message_id=""),
        no_edit(method, "what is gone", "message to edit not found", message_id=DELETED),
        no_edit(method, "somebody else's message", "message can't be edited", message_id=THEIRS),
        no_edit(
            method,
            "an unknown inline message",
            "MESSAGE_ID_INVALID",
            chat_id="",
            message_id="",
            inline_message_id="abc",
        ),
        no_edit(
            method,
            "65 bytes of callback data",
            "BUTTON_DATA_INVALID",
            reply_markup=keyboard([button("a", "x" * 65)]),
        ),
        no_edit(
            method,
            "a button that does nothing",
            "text buttons are unallowed in the inline keyboard",
            reply_markup={"inline_keyboard": [[{"text": "a"}]]},
        ),
        no_edit(
            method,
            "a keyboard below",
            "inline keyboard expected",
            reply_markup={"keyboard": [[{"text": "yes"}]]},
        ),
    )
]

TEXTS = [
    edit("editMessageText", "4096 characters", {"text": "x" * 4096}, text="x" * 4096),
    edit("editMessageText", "markup", {"text": "b", "entities": [{"type": "bold"}]},
         text="<b>b</b>", parse_mode="HTML"),
    edit("editMessageText", "the same text with another keyboard", {"text": "one"}, text="one"),
    no_edit("editMessageText", "4097 characters", "message is too long", text="x" * 4097),
    no_edit("editMessageText", "no text", "message text is empty", text=""),
    no_edit("editMessageText", "what it is already", NOT_MODIFIED, text="one",
            reply_markup=keyboard([button("a")])),
    no_edit("editMessageText", "a photo's message", "there is no text in the message to edit",
            message_id=PHOTO),
    no_edit("editMessageText", "broken markup",
            "can't parse entities: Can't find end tag corresponding to start tag \"b\"",
            text="<b>x", parse_mode="HTML"),
    edit("editMessageCaption", "1024 characters", {"caption": "x" * 1024}, caption="x" * 1024),
    edit("editMessageCaption", "no caption, which removes it", caption=""),
    no_edit("editMessageCaption", "1025 characters", "message caption is too long",
            caption="x" * 1025),
    no_edit("editMessageCaption", "a text's message",
            "there is no caption in the message to edit", message_id=TEXT),
    no_edit("editMessageCaption", "what it is already", NOT_MODIFIED, caption="one"),
    edit("editMessageReplyMarkup", "no keyboard, which removes it", reply_markup=""),
    no_edit("editMessageReplyMarkup", "what it is already", NOT_MODIFIED,
            reply_markup=keyboard([button("a")])),
    no_edit("editMessageReplyMarkup", "101 buttons", "reply markup is too long",
            reply_markup=keyboard([button("a")] * 101)),
]  # fmt: skip


def media(kind: str, **more: Any) -> dict[str, Any]:
    return {"type": kind, "media": "attach://f", **more}


MEDIA = [
    *(
        edit("editMessageMedia", f"a text that turns into {kind}", {kind: None}, message_id=TEXT,
             media=media(kind))
        for kind in ("photo", "document", "video", "animation", "audio")
    ),
    *(
        edit("editMessageMedia", f"a photo that turns into {kind}", {kind: None},
             media=media(kind))
        for kind in ("document", "video", "animation", "audio")
    ),
    edit("editMessageMedia", "a caption of 1024 characters", media=media("photo",
                                                                         caption="x" * 1024)),
    edit("editMessageMedia", "another photo in an album", {"media_group_id": None},
         message_id=ALBUM),
    edit("editMessageMedia", "a video in an album of photos", message_id=ALBUM,
         media=media("video")),
    edit("editMessageMedia", "a file_id", media={"type": "document", "media": DOCUMENT_ID}),
    no_edit("editMessageMedia", "a caption of 1025", "message caption is too long",
            media=media("photo", caption="x" * 1025)),
    no_edit("editMessageMedia", "a document in an album of photos",
            "can't change media type in the album", message_id=ALBUM, media=media("document")),
    no_edit("editMessageMedia", "an animation in an album",
            "message content type can't be used in an album", message_id=ALBUM,
            media=media("animation")),
    no_edit("editMessageMedia", "a part that is not there",
            "invalid file HTTP URL specified: Unsupported URL protocol",
            media={"type": "photo", "media": "attach://nowhere"}),
    no_edit("editMessageMedia", "an address", "wrong file identifier/HTTP URL specified",
            media={"type": "photo", "media": "https://e.com/a.jpg"}),
    no_edit("editMessageMedia", "a document's file_id as a photo",
            "can't use file of type Document as Photo",
            media={"type": "photo", "media": DOCUMENT_ID}),
]  # fmt: skip


def ids(count: int) -> list[int]:
    return list(range(1, count + 1))


DELETING = [
    takes("deleteMessage", "its own message", shows=True, chat_id=ALICE, message_id=TEXT),
    takes("deleteMessage", "a message to it", shows=True, chat_id=ALICE, message_id=THEIRS),
    refuses("deleteMessage", "what is gone", "message to delete not found", chat_id=ALICE,
            message_id=DELETED),
    refuses("deleteMessage", "no message", "message identifier is not specified", chat_id=ALICE),
    refuses("deleteMessage", "an unknown chat", "chat not found", chat_id=4242, message_id=1),
    takes("deleteMessages", "1 message", shows=True, chat_id=ALICE, message_ids=[TEXT]),
    takes("deleteMessages", "100 of which none is there", shows=True, chat_id=ALICE,
          message_ids=ids(100)),
    refuses("deleteMessages", "101 messages", "too many message identifiers specified",
            chat_id=ALICE, message_ids=ids(101)),
    refuses("deleteMessages", "none", "message identifiers are not specified", chat_id=ALICE,
            message_ids=[]),
    refuses("deleteMessages", "an unknown chat", "chat not found", chat_id=4242,
            message_ids=[1]),
]  # fmt: skip

CASES = [*EVERY, *TEXTS, *MEDIA, *DELETING]


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_messages_are_changed_as_by_telegram(case: Case, api: Api) -> None:
    await case.check(api)


@pytest.mark.parametrize("method", ["deleteMessage", "deleteMessages"])
async def test_a_message_can_be_deleted_for_two_days(api: Api, clock: Clock, method: str) -> None:
    async def fields(made: Made) -> dict[str, Any]:
        number = await made.make(api)
        name = "message_id" if method == "deleteMessage" else "message_ids"
        return {"chat_id": ALICE, name: number if method == "deleteMessage" else [number]}

    young, old = await fields(TEXT), await fields(TEXT)
    clock.now += 48 * 3600 - 1
    assert await api.call(method, **young) is True
    clock.now += 1
    assert await api.refused(method, **old) == "Bad Request: message can't be deleted"

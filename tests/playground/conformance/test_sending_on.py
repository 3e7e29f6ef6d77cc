"""Copying and forwarding."""

from typing import Any

import pytest

from tests.playground.client import ALICE, GROUP, Api
from tests.playground.conformance.cases import DELETED, PHOTO, TEXT, Case, Made, refuses, takes

SINGLE = {"copyMessage": "copy", "forwardMessage": "forward"}
PLURAL = {"copyMessages": "copy", "forwardMessages": "forward"}
PLACE: dict[str, Any] = {"chat_id": GROUP, "from_chat_id": ALICE}
NONE_GIVEN = "message identifiers are not specified"
UNORDERED = "message identifiers must be in a strictly increasing order"


async def _protected(api: Api) -> int:
    sent = await api.call("sendMessage", chat_id=ALICE, text="x", protect_content=True)
    return int(sent["message_id"])


PROTECTED = Made(_protected)

ONE = [
    case
    for method, verb in SINGLE.items()
    for case in (
        takes(method, "a text", shows={"message_id": None}, **PLACE, message_id=TEXT),
        takes(method, "a photo", shows={"message_id": None}, **PLACE, message_id=PHOTO),
        refuses(method, "what is gone", f"message to {verb} not found", **PLACE,
                message_id=DELETED),
        refuses(method, "an unknown chat", "chat not found", chat_id=4242, from_chat_id=ALICE,
                message_id=TEXT),
        refuses(method, "an unknown source", "chat not found", chat_id=ALICE, from_chat_id=4242,
                message_id=1),
        refuses(method, "no message", "message identifier is not specified", **PLACE),
    )
]  # fmt: skip

SEVERAL = [
    case
    for method, verb in PLURAL.items()
    for case in (
        takes(method, "1 message", shows=[{"message_id": None}], **PLACE, message_ids=[TEXT]),
        takes(method, "100 of which one is there", shows=[{}], **PLACE,
              message_ids=[*range(1, 100), TEXT]),
        refuses(method, "101", "too many message identifiers specified", **PLACE,
                message_ids=list(range(1, 102))),
        refuses(method, "none", NONE_GIVEN, **PLACE, message_ids=[]),
        refuses(method, "no list", NONE_GIVEN, **PLACE),
        refuses(method, "ids out of order", UNORDERED, **PLACE, message_ids=[2, 1]),
        refuses(method, "an id twice", UNORDERED, **PLACE, message_ids=[1, 1]),
        refuses(method, "what is gone", f"there are no messages to {verb}", **PLACE,
                message_ids=[DELETED]),
        refuses(method, "an unknown chat", "chat not found", chat_id=4242, from_chat_id=ALICE,
                message_ids=[1]),
    )
]  # fmt: skip

CASES = [
    *ONE,
    *SEVERAL,
    takes("forwardMessage", "a text, naming its author",
          shows={"forward_origin": {"type": "user", "sender_user": {"is_bot": True}}},
          **PLACE, message_id=TEXT),
    takes("copyMessage", "a caption of 1024 characters", **PLACE, message_id=PHOTO,
          caption="x" * 1024),
    refuses("copyMessage", "a caption of 1025", "message caption is too long", **PLACE,
            message_id=PHOTO, caption="x" * 1025),
    refuses("copyMessage", "what is protected", "message can't be copied", **PLACE,
            message_id=PROTECTED),
    refuses("forwardMessage", "what is protected", "message can't be forwarded", **PLACE,
            message_id=PROTECTED),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_messages_are_sent_on_as_by_telegram(case: Case, api: Api) -> None:
    await case.check(api)

from typing import Any

import pytest

from tests.playground.client import ALICE, GROUP, MARIA, Api, button, keyboard, picture


async def said(api: Api, text: str = "hello") -> int:
    """A message of Alice's; returns its number."""
    await api.act(text=text)
    number: int = (await api.updates())[0]["message"]["message_id"]
    return number


async def shown(api: Api, chat_id: int, number: int) -> Any:
    """What the page sees of a message."""
    state = (await api.http.get(f"{api.base}/playground/control/state")).json()
    return next(
        message
        for chat in state["chats"]
        for message in chat["messages"]
        if chat["id"] == chat_id and message["id"] == number
    )


async def test_a_forwarded_message_names_who_wrote_it_first(api: Api) -> None:
    number = await said(api)
    sent = await api.call("forwardMessage", chat_id=GROUP, from_chat_id=ALICE, message_id=number)
    origin = sent["forward_origin"]
    assert (origin["type"], origin["sender_user"]["id"]) == ("user", ALICE)
    assert sent["text"] == "hello"
    again = await api.call(
        "forwardMessage", chat_id=ALICE, from_chat_id=GROUP, message_id=sent["message_id"]
    )
    assert again["forward_origin"] == origin
    mark = (await shown(api, GROUP, sent["message_id"]))["forwarded_from"]
    assert (mark["id"], mark["name"], mark["is_bot"]) == (ALICE, "Alice", False)


async def test_a_copy_bears_no_trace_and_takes_another_caption(api: Api) -> None:
    files = {"photo": ("a.png", picture())}
    original = await api.call("sendPhoto", files, chat_id=ALICE, caption="old")
    source = {"from_chat_id": ALICE, "message_id": original["message_id"]}
    rows = keyboard([button("more")])
    copy = await api.call(
        "copyMessage",
        chat_id=GROUP,
        caption="<b>new</b>",
        parse_mode="HTML",
        reply_markup=rows,
        **source,
    )
    assert set(copy) == {"message_id"}
    seen = await shown(api, GROUP, copy["message_id"])
    assert (seen["text"], seen["forwarded_from"]) == ("new", None)
    assert seen["keyboard"][0][0]["text"] == "more"
    copy = await api.call("copyMessage", chat_id=GROUP, **source)
    assert (await shown(api, GROUP, copy["message_id"]))["text"] == "old"


async def test_a_copied_file_is_the_same_file(api: Api) -> None:
    sent = await api.call("sendDocument", {"document": ("a.txt", b"text")}, chat_id=ALICE)
    forwarded = await api.call(
        "forwardMessage", chat_id=GROUP, from_chat_id=ALICE, message_id=sent["message_id"]
    )
    assert forwarded["document"] == sent["document"]


@pytest.mark.parametrize(
    ("method", "verb"), [("copyMessage", "copy"), ("forwardMessage", "forward")]
)
async def test_what_is_not_there_goes_nowhere(api: Api, method: str, verb: str) -> None:
    number = await said(api)
    source: dict[str, Any] = {"from_chat_id": ALICE, "message_id": number}
    assert await api.refused(method, chat_id=ALICE, from_chat_id=ALICE, message_id=1) == (
        f"Bad Request: message to {verb} not found"
    )
    assert await api.refused(method, chat_id=5, **source) == "Bad Request: chat not found"
    assert "can't initiate" in await api.refused(method, chat_id=MARIA, **source)
    unknown = {**source, "from_chat_id": 5}
    assert await api.refused(method, chat_id=ALICE, **unknown) == "Bad Request: chat not found"


@pytest.mark.parametrize(
    ("method", "verb"), [("copyMessage", "copied"), ("forwardMessage", "forwarded")]
)
async def test_protected_content_stays_where_it_is(api: Api, method: str, verb: str) -> None:
    sent = await api.call("sendMessage", chat_id=ALICE, text="x", protect_content=True)
    assert sent["has_protected_content"] is True
    source = {"from_chat_id": ALICE, "message_id": sent["message_id"]}
    refusal = await api.refused(method, chat_id=GROUP, **source)
    assert refusal == f"Bad Request: message can't be {verb}"


async def test_a_bot_does_not_edit_what_it_forwarded(api: Api) -> None:
    number = await said(api)
    sent = await api.call("forwardMessage", chat_id=ALICE, from_chat_id=ALICE, message_id=number)
    refusal = await api.refused(
        "editMessageText", chat_id=ALICE, message_id=sent["message_id"], text="mine"
    )
    assert refusal == "Bad Request: message can't be edited"


async def test_an_album_stays_one_when_it_is_sent_on(api: Api) -> None:
    files = {f"f{n}": (f"{n}.png", picture(30 + n)) for n in range(3)}
    media = [{"type": "photo", "media": f"attach://{name}", "caption": name} for name in files]
    album = await api.call("sendMediaGroup", files, chat_id=ALICE, media=media)
    numbers = [message["message_id"] for message in album]
    source: dict[str, Any] = {
        "chat_id": GROUP,
        "from_chat_id": ALICE,
        "message_ids": [*numbers, 10**9],
    }
    without: dict[str, Any] = {"remove_caption": True}
    for method, more in (("forwardMessages", dict[str, Any]()), ("copyMessages", without)):
        sent = await api.call(method, **source, **more)
        seen = [await shown(api, GROUP, message["message_id"]) for message in sent]
        assert len({message["group"] for message in seen}) == 1
        assert seen[0]["group"] != album[0]["media_group_id"]
        assert [message["text"] for message in seen] == (
            ["f0", "f1", "f2"] if not more else [""] * 3
        )
    alone = await api.call(
        "forwardMessage", chat_id=GROUP, from_chat_id=ALICE, message_id=numbers[0]
    )
    assert "media_group_id" not in alone


@pytest.mark.parametrize(
    ("numbers", "sentence"),
    [
        ([], "message identifiers are not specified"),
        (list(range(1, 102)), "too many message identifiers specified"),
        ([2, 1], "message identifiers must be in a strictly increasing order"),
        ([1, 2], "there are no messages to copy"),
    ],
)
async def test_wrong_numbers_are_refused(api: Api, numbers: list[int], sentence: str) -> None:
    refusal = await api.refused(
        "copyMessages", chat_id=ALICE, from_chat_id=ALICE, message_ids=numbers
    )
    assert refusal == f"Bad Request: {sentence}"


async def test_a_person_forwards_edits_and_deletes(api: Api) -> None:
    number = await said(api, "first")
    await api.act(edit={"message_id": number, "text": "second"})
    edited = (await api.updates())[0]["edited_message"]
    assert (edited["text"], edited["message_id"]) == ("second", number)
    key = f"12345-{ALICE}"
    await api.act(chat="group", forward={"from": key, "message_ids": [number]})
    await api.act(forward={"from": key, "message_ids": [number]})
    forwarded = (await api.updates())[-1]["message"]
    assert forwarded["forward_origin"]["sender_user"]["id"] == ALICE
    assert (await api.act(delete={"message_ids": [number]}))["deleted"] == [number]
    refusal = await api.refused(
        "forwardMessage", chat_id=ALICE, from_chat_id=ALICE, message_id=number
    )
    assert refusal == "Bad Request: message to forward not found"
    response = await api.control("send", person=MARIA, edit={"message_id": number, "text": "x"})
    assert response.status_code == 400

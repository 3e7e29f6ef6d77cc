"""Several bots among the same people, each with its own chats, files and updates."""

from collections.abc import AsyncIterator

import pytest

from tests.playground.client import ALICE, GROUP, MARIA, Api, button, keyboard, picture
from tests.playground.films import mp4

SECOND = 777


@pytest.fixture
async def second(api: Api) -> AsyncIterator[Api]:
    """Another bot, to which nobody has written yet."""
    async with Api(api.base, f"{SECOND}:second") as client:
        await client.call("getMe")
        yield client


async def test_one_person_talks_to_two_bots(api: Api, second: Api) -> None:
    await api.act(text="to the first")
    await api.act(chat=f"{SECOND}-{ALICE}", text="to the second")
    for client, text in ((api, "to the first"), (second, "to the second")):
        [update] = await client.updates()
        assert update["message"]["text"] == text
        assert update["message"]["chat"]["id"] == ALICE
    for _ in range(2):  # numbers are counted in each chat apart
        own = await second.call("sendMessage", chat_id=ALICE, text="mine")
    refusal = await api.refused(
        "editMessageText", chat_id=ALICE, message_id=own["message_id"], text="x"
    )
    assert refusal == "Bad Request: message to edit not found"


async def test_a_file_in_a_group_has_another_id_for_each_bot(api: Api, second: Api) -> None:
    files = {"f": ("a.mp4", mp4())}
    text = "@playground_bot @playground_2_bot"
    await api.act(files, chat="group", text=text, **{"as": "media"})
    mine = (await api.updates())[0]["message"]["video"]
    theirs = (await second.updates())[0]["message"]["video"]
    assert mine["file_unique_id"] == theirs["file_unique_id"]
    assert mine["file_id"] != theirs["file_id"]
    assert await api.download(mine["file_id"]) == await second.download(theirs["file_id"])
    assert "wrong file_id" in await second.refused("getFile", file_id=mine["file_id"])
    again = await second.call("sendVideo", chat_id=GROUP, video=theirs["file_id"])
    assert again["video"]["file_unique_id"] == mine["file_unique_id"]


async def test_a_copy_carries_no_bots_file_ids_to_another(api: Api, second: Api) -> None:
    sent = await api.call("sendPhoto", {"photo": ("a.png", picture())}, chat_id=GROUP)
    forwarded = await second.call(
        "forwardMessage", chat_id=GROUP, from_chat_id=GROUP, message_id=sent["message_id"]
    )
    assert forwarded["forward_origin"]["sender_user"]["username"] == "playground_bot"
    before, after = sent["photo"][0], forwarded["photo"][0]
    assert before["file_unique_id"] == after["file_unique_id"]
    assert before["file_id"] != after["file_id"]
    assert await second.download(after["file_id"])


async def test_an_inline_result_in_another_bots_chat_is_seen_by_both_as_it_should(
    api: Api, second: Api
) -> None:
    chat = f"{SECOND}-{MARIA}"
    await api.act(person=MARIA, chat=chat, text="/start")
    await second.updates()
    asked = {"bot": 12345, "query": "x"}
    query = (await api.act(person=MARIA, chat=chat, inline=asked))["query"]
    [update] = await api.updates()
    assert update["inline_query"]["chat_type"] == "private"
    content = {"message_text": "hi"}
    row = {"type": "article", "id": "1", "title": "x", "input_message_content": content}
    await api.call("answerInlineQuery", inline_query_id=query, results=[row])
    await api.act(person=MARIA, chat=chat, choose={"query": query, "result": "1"})
    assert "chosen_inline_result" in (await api.updates())[0]
    [seen] = await second.updates()
    assert seen["message"]["via_bot"]["username"] == "playground_bot"


async def test_a_method_that_is_not_here_is_named_loudly(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    for method in ("sendPoll", "sendRichMessage", "banChatMember", "getUserProfilePhotos"):
        response = await api.post(method, chat_id=ALICE)
        assert response.status_code == 404
        assert response.json()["description"].endswith(f"does not know the method {method} yet")
        assert method in caplog.text
    assert (await api.refused("sendNothing")) == "Not Found: method not found"


@pytest.mark.parametrize(
    ("address", "taken"),
    [
        ("https://t.me/playground_bot?start=a-1", True),
        ("tg://resolve?domain=playground_bot&start=a", True),
        ("https://t.me/playground_2_bot?start=a", False),
        ("https://t.me/playground_bot?start=a b", False),
        ("https://example.com", False),
    ],
)
async def test_a_press_opens_the_bots_own_link_and_no_other(
    api: Api, address: str, *, taken: bool
) -> None:
    rows = keyboard([button("go")])
    sent = await api.call("sendMessage", chat_id=ALICE, text="x", reply_markup=rows)
    query = (await api.act(press={"message_id": sent["message_id"]}))["query"]
    answer = await api.post("answerCallbackQuery", callback_query_id=query, url=address)
    assert answer.json().get("description") == (None if taken else "Bad Request: URL_INVALID")

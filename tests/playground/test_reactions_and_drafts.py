from typing import Any

import pytest

from tests.playground.client import ALICE, GROUP, MARIA, Api, picture
from tests.playground.conftest import Clock

ASKED = ["message", "message_reaction", "stopped_message_generation"]


def emoji(mark: str) -> dict[str, str]:
    return {"type": "emoji", "emoji": mark}


async def newest(api: Api, chat: str = f"12345-{ALICE}") -> Any:
    response = await api.http.get(f"{api.base}/page/messages", params={"chat": chat})
    return response.json()["messages"][-1]


async def test_a_persons_reaction_reaches_a_bot_that_asked_for_it(api: Api) -> None:
    sent = await api.call("sendMessage", chat_id=ALICE, text="x")
    number = sent["message_id"]
    await api.act(react={"message_id": number, "emoji": "👍"})
    assert not await api.updates()
    await api.updates(allowed_updates=ASKED)
    await api.act(react={"message_id": number, "emoji": "❤"})
    told = (await api.updates())[0]["message_reaction"]
    assert (told["message_id"], told["user"]["id"]) == (number, ALICE)
    assert told["old_reaction"] == [emoji("👍")]
    assert told["new_reaction"] == [emoji("❤")]
    await api.act(react={"message_id": number, "emoji": "❤"})
    await api.act(react={"message_id": number, "emoji": None})
    [last] = await api.updates()
    assert last["message_reaction"]["new_reaction"] == []


async def test_the_page_counts_who_reacted_how(api: Api) -> None:
    sent = await api.call("sendMessage", chat_id=GROUP, text="x")
    number = sent["message_id"]
    for person in (ALICE, MARIA):
        await api.act(person=person, chat="group", react={"message_id": number, "emoji": "🔥"})
    await api.call("setMessageReaction", chat_id=GROUP, message_id=number, reaction=[emoji("👀")])
    assert (await newest(api, "group"))["reactions"] == [
        {"type": "emoji", "emoji": "🔥", "from": [ALICE, MARIA]},
        {"type": "emoji", "emoji": "👀", "from": [12345]},
    ]
    await api.call("setMessageReaction", chat_id=GROUP, message_id=number)
    assert len((await newest(api, "group"))["reactions"]) == 1


async def test_a_group_does_not_tell_bots_who_reacted(api: Api) -> None:
    await api.updates(allowed_updates=ASKED)
    sent = await api.call("sendMessage", chat_id=GROUP, text="x")
    await api.act(chat="group", react={"message_id": sent["message_id"], "emoji": "🔥"})
    assert not await api.updates()


async def test_a_reaction_to_an_album_stands_under_its_first_message(api: Api) -> None:
    files = {f"f{n}": (f"{n}.png", picture(30 + n)) for n in range(2)}
    media = [{"type": "photo", "media": f"attach://{name}"} for name in files]
    first, second = await api.call("sendMediaGroup", files, chat_id=ALICE, media=media)
    fields = {"chat_id": ALICE, "message_id": second["message_id"], "reaction": [emoji("👌")]}
    await api.call("setMessageReaction", **fields)
    response = await api.http.get(f"{api.base}/page/messages", params={"chat": f"12345-{ALICE}"})
    marked = {m["id"]: len(m["reactions"]) for m in response.json()["messages"] if m["group"]}
    assert marked == {first["message_id"]: 1, second["message_id"]: 0}


@pytest.mark.parametrize(
    ("reaction", "sentence"),
    [
        ([emoji("👍"), emoji("👎")], "REACTIONS_TOO_MANY"),
        ([emoji("🚀")], "REACTION_INVALID"),
        ([{"type": "custom_emoji", "custom_emoji_id": "1"}], "REACTION_INVALID"),
        ([{"type": "paid"}], "REACTION_INVALID"),
    ],
)
async def test_a_wrong_reaction_is_refused(api: Api, reaction: Any, sentence: str) -> None:
    sent = await api.call("sendMessage", chat_id=ALICE, text="x")
    number = sent["message_id"]
    refusal = await api.refused(
        "setMessageReaction", chat_id=ALICE, message_id=number, reaction=reaction
    )
    assert refusal == f"Bad Request: {sentence}"


@pytest.mark.parametrize("mark", ["❤️", "❤‍🔥", "🤷‍♂️", "👨‍💻", "⚡"])
async def test_emoji_of_several_characters_are_reactions_too(api: Api, mark: str) -> None:
    sent = await api.call("sendMessage", chat_id=ALICE, text="x")
    assert await api.act(react={"message_id": sent["message_id"], "emoji": mark})


async def test_a_draft_is_stopped_by_the_person(api: Api) -> None:
    draft: dict[str, Any] = {
        "chat_id": ALICE,
        "draft_id": 7,
        "can_stop": True,
        "keep_on_stop": True,
    }
    await api.call("sendMessageDraft", **draft, text="so far")
    await api.act(stop_draft={"draft_id": 7})
    told = (await api.updates())[0]["stopped_message_generation"]
    assert (told["draft_id"], told["chat"]["id"]) == (7, ALICE)
    assert await api.call("sendMessageDraft", **draft, text="more") is True
    assert (await api.control("send", stop_draft={"draft_id": 7})).status_code == 400
    await api.call("sendMessage", chat_id=ALICE, text="so far")
    await api.call("sendMessageDraft", **draft)
    assert await api.act(stop_draft={"draft_id": 7})


async def test_a_draft_can_be_stopped_only_where_the_bot_lets_it_and_while_it_lasts(
    api: Api, clock: Clock
) -> None:
    await api.call("sendMessageDraft", chat_id=ALICE, draft_id=1, text="x")
    assert (await api.control("send", stop_draft={"draft_id": 1})).status_code == 400
    await api.call("sendMessageDraft", chat_id=ALICE, draft_id=2, can_stop=True)
    clock.now += 31
    assert (await api.control("send", stop_draft={"draft_id": 2})).status_code == 400

import asyncio
import time

import pytest
from aiohttp.test_utils import TestServer

from playground.rates import Limits
from playground.server import Playground
from tests.playground.client import ALICE, MARIA, Api, begin, button, keyboard
from tests.playground.conftest import Clock


async def test_a_poll_waits_for_a_message(api: Api) -> None:
    poll = begin(api.call("getUpdates", timeout=10))
    await asyncio.sleep(0.05)
    began = time.monotonic()
    await api.act(text="hello")
    assert (await poll)[0]["message"]["text"] == "hello"
    assert time.monotonic() - began < 2


async def test_a_poll_ends_when_its_time_is_over(api: Api) -> None:
    began = time.monotonic()
    assert await api.call("getUpdates", timeout=1) == []
    assert 0.9 < time.monotonic() - began < 3


async def test_updates_come_until_they_are_confirmed(api: Api) -> None:
    for text in ("one", "two", "three"):
        await api.act(text=text)
    first = await api.call("getUpdates", limit=2)
    assert [update["message"]["text"] for update in first] == ["one", "two"]
    assert await api.call("getUpdates", limit=2) == first
    rest = await api.call("getUpdates", offset=first[1]["update_id"] + 1)
    assert [update["message"]["text"] for update in rest] == ["three"]


async def test_a_negative_offset_takes_the_last_ones_and_forgets_the_others(api: Api) -> None:
    for text in ("one", "two", "three"):
        await api.act(text=text)
    last = await api.call("getUpdates", offset=-1)
    assert [update["message"]["text"] for update in last] == ["three"]
    assert await api.call("getUpdates") == last


async def test_a_second_poll_ends_the_first(api: Api) -> None:
    first = begin(api.post("getUpdates", timeout=20))
    await asyncio.sleep(0.05)
    second = begin(api.call("getUpdates", timeout=20))
    response = await first
    assert response.status_code == 409
    assert response.json()["description"] == (
        "Conflict: terminated by other getUpdates request; "
        "make sure that only one bot instance is running"
    )
    await api.act(text="for the second")
    assert len(await second) == 1


async def test_only_kinds_that_were_asked_for_arrive(api: Api) -> None:
    await api.call("getUpdates", allowed_updates=["callback_query"])
    await api.act(text="unheard")
    assert await api.call("getUpdates") == []
    await api.call("getUpdates", allowed_updates=[])
    await api.act(text="heard")
    assert len(await api.call("getUpdates")) == 1


async def test_a_press_is_complete_and_answered_once(api: Api) -> None:
    markup = keyboard([button("a", "first")], [button("b", "second")])
    sent = await api.call("sendMessage", chat_id=ALICE, text="x", reply_markup=markup)
    await api.act(press={"message_id": sent["message_id"], "row": 1})
    query = (await api.updates())[0]["callback_query"]
    assert query["data"] == "second"
    assert query["message"] == sent
    assert query["chat_instance"]
    assert query["from"]["is_bot"] is False
    assert await api.call("answerCallbackQuery", callback_query_id=query["id"]) is True
    again = await api.refused("answerCallbackQuery", callback_query_id=query["id"])
    assert again == (
        "Bad Request: query is too old and response timeout expired or query ID is invalid"
    )


async def test_a_press_cannot_be_answered_late_or_at_length(api: Api, clock: Clock) -> None:
    markup = keyboard([button("a")])
    sent = await api.call("sendMessage", chat_id=ALICE, text="x", reply_markup=markup)
    query = (await api.act(press={"message_id": sent["message_id"]}))["query"]
    long = await api.refused("answerCallbackQuery", callback_query_id=query, text="x" * 201)
    assert long == "Bad Request: MESSAGE_TOO_LONG"
    clock.now += 16
    late = await api.refused("answerCallbackQuery", callback_query_id=query, text="x" * 200)
    assert "query is too old" in late


async def test_old_updates_die_unread(api: Api, clock: Clock) -> None:
    markup = keyboard([button("a")])
    sent = await api.call("sendMessage", chat_id=ALICE, text="x", reply_markup=markup)
    await api.act(press={"message_id": sent["message_id"]})
    await api.act(text="hello")
    clock.now += 151
    assert ["message" in update for update in await api.call("getUpdates")] == [True]
    clock.now += 24 * 3600
    assert await api.call("getUpdates") == []


async def test_a_button_that_is_not_there_cannot_be_pressed(api: Api) -> None:
    sent = await api.call("sendMessage", chat_id=ALICE, text="x")
    for place in ({"message_id": sent["message_id"]}, {"message_id": 1}, {"row": 1}, 5):
        assert (await api.control("send", press=place)).status_code == 400


async def test_in_a_group_a_bot_hears_only_what_is_meant_for_it(api: Api) -> None:
    texts = ["hello all", "/help", "/help@other_bot", "/help@playground_bot", "@playground_bot hi"]
    for text in texts:
        await api.act(chat="group", person=MARIA, text=text)
    heard = [update["message"] for update in await api.updates()]
    assert [message["text"] for message in heard] == [texts[1], texts[3], texts[4]]
    assert heard[0]["chat"]["type"] == "supergroup"
    sent = await api.call("sendMessage", chat_id=heard[0]["chat"]["id"], text="yes?")
    await api.act(chat="group", text="a reply", reply_to=sent["message_id"])
    assert (await api.updates())[0]["message"]["reply_to_message"]["text"] == "yes?"


async def test_a_server_that_stops_lets_go_of_polls(api: Api, server: TestServer) -> None:
    poll = begin(api.post("getUpdates", timeout=50))
    await asyncio.sleep(0.05)
    assert not poll.done()
    began = time.monotonic()
    await server.close()
    assert (await poll).json() == {"ok": True, "result": []}
    assert time.monotonic() - began < 2


async def test_the_same_question_at_once_gets_one_update_and_then_waits(
    api: Api, playground: Playground, clock: Clock
) -> None:
    playground.world.rates.replace(Limits())
    clock.now += 10
    for text in ("one", "two"):
        await api.act(text=text)
    assert len(await api.call("getUpdates", offset=1)) == 2
    assert len(await api.call("getUpdates", offset=1)) == 1
    clock.now += 0.6
    both = await api.call("getUpdates", offset=1)
    assert len(both) == 2
    after = both[-1]["update_id"] + 1
    assert await api.call("getUpdates", offset=after) == []
    waiting = begin(api.call("getUpdates", offset=after))
    await asyncio.sleep(0.1)
    assert not waiting.done()
    await api.act(text="three")
    assert [update["message"]["text"] for update in await waiting] == ["three"]


@pytest.mark.parametrize(("limit", "count"), [(0, 1), (1, 1), (100, 100), (101, 100), (-5, 1)])
async def test_a_poll_takes_from_1_to_100_updates(api: Api, limit: int, count: int) -> None:
    for number in range(102):
        await api.act(text=str(number))
    assert len(await api.call("getUpdates", limit=limit)) == count


async def test_three_pollers_take_each_others_place(api: Api) -> None:
    polls = []
    for _ in range(3):
        polls.append(begin(api.post("getUpdates", timeout=20)))
        await asyncio.sleep(0.05)
    await api.act(text="for the last")
    answers = [(await poll).status_code for poll in polls]
    assert answers == [409, 409, 200]

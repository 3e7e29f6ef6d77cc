import asyncio
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from playground.server import Playground, build_app
from tests.playground.client import ALICE, GROUP, Api, begin, button, eventually, keyboard


async def test_the_next_calls_of_a_method_fail_as_asked(api: Api) -> None:
    await api.control(
        "faults",
        method="sendMessage",
        times=2,
        error_code=500,
        description="Internal Server Error",
    )
    for _ in range(2):
        refusal = await api.refused("sendMessage", chat_id=ALICE, text="x")
        assert refusal == "Internal Server Error"
    assert await api.call("sendMessage", chat_id=ALICE, text="x")


async def test_a_fault_may_carry_parameters(api: Api) -> None:
    parameters = {"retry_after": 7}
    await api.control("faults", error_code=429, description="Too Many", parameters=parameters)
    await api.call("getUpdates")
    response = await api.post("sendMessage", chat_id=ALICE, text="x")
    assert response.json()["parameters"] == parameters
    assert response.headers["Retry-After"] == "7"


async def test_a_fault_may_answer_garbage(api: Api) -> None:
    await api.control("faults", method="getMe", raw_body="<html>bad gateway", error_code=502)
    response = await api.post("getMe")
    assert (response.status_code, response.text) == (502, "<html>bad gateway")


async def test_a_fault_may_delay(api: Api) -> None:
    await api.control("faults", method="getMe", delay_ms=200)
    began = time.monotonic()
    assert await api.call("getMe")
    assert time.monotonic() - began > 0.19


async def test_work_may_be_done_and_the_answer_lost(api: Api) -> None:
    await api.control("faults", method="sendMessage", drop_after=True)
    with pytest.raises(httpx.TransportError):
        await api.post("sendMessage", chat_id=ALICE, text="was it sent?")
    calls = await api.transcript("sendMessage")
    assert [call["answer"]["result"]["text"] for call in calls] == ["was it sent?"]


async def test_faults_can_be_called_off(api: Api) -> None:
    await api.control("faults", times=100, error_code=400)
    await api.http.delete(f"{api.base}/playground/control/faults")
    assert await api.call("getMe")
    assert (await api.control("faults", times=0)).status_code == 400


async def test_an_update_may_come_twice(api: Api) -> None:
    await api.control("duplicate-update")
    await api.act(text="one")
    await api.act(text="two")
    updates = await api.call("getUpdates")
    assert [update["message"]["text"] for update in updates] == ["one", "one", "two"]
    assert updates[0] == updates[1]


async def test_presses_may_be_made_too_old(api: Api) -> None:
    markup = keyboard([button("a")])
    sent = await api.call("sendMessage", chat_id=ALICE, text="x", reply_markup=markup)
    query = (await api.act(press={"message_id": sent["message_id"]}))["query"]
    assert (await api.control("expire-callbacks")).json()["expired"] == 1
    assert "too old" in await api.refused("answerCallbackQuery", callback_query_id=query)


async def test_a_person_may_block_the_bot_and_come_back(api: Api) -> None:
    await api.control("block")
    change = (await api.updates())[0]["my_chat_member"]
    assert change["new_chat_member"]["status"] == "kicked"
    refusal = await api.refused("sendMessage", chat_id=ALICE, text="x")
    assert refusal == "Forbidden: bot was blocked by the user"
    await api.control("block", blocked=False)
    assert await api.call("sendMessage", chat_id=ALICE, text="x")
    assert (await api.control("block", chat="group")).status_code == 400


async def test_the_transcript_holds_every_call(api: Api) -> None:
    files = {"document": ("a.txt", b"text")}
    await api.call("sendDocument", files, chat_id=ALICE, caption="c")
    await api.refused("sendMessage", chat_id=1, text="x")
    sent = (await api.transcript("senddocument"))[0]
    assert sent["arguments"]["caption"] == "c"
    assert sent["arguments"]["(files)"] == {"document": {"file_name": "a.txt", "size": 4}}
    failed = (await api.transcript("sendMessage"))[0]
    assert (failed["status"], failed["number"] > sent["number"]) == (400, True)
    address = f"{api.base}/playground/control/transcript"
    later = await api.http.get(address, params={"after": sent["number"]})
    assert [call["number"] for call in later.json()["calls"]] == [failed["number"]]
    await api.http.delete(address)
    assert (await api.http.get(address)).json() == {"calls": []}
    assert (await api.http.get(address, params={"after": "x"})).status_code == 400


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"text": " "}, "message text is empty"),
        ({"text": "x" * 4097}, "message is too long"),
        ({"person": 5, "text": "x"}, "person not found"),
        ({"person": "x", "text": "x"}, "person must be a number"),
        ({"chat": "nowhere", "text": "x"}, "chat not found"),
        ({"press": "["}, "press must be a JSON object"),
    ],
)
async def test_a_person_cannot_do_everything(
    api: Api, fields: dict[str, Any], sentence: str
) -> None:
    response = await api.control("send", **fields)
    assert response.status_code == 400
    assert response.json()["description"] == f"Bad Request: {sentence}"


async def test_eleven_files_are_too_many_for_a_person(api: Api) -> None:
    files = {f"f{n}": (f"{n}.txt", b"x") for n in range(11)}
    response = await api.control("send", files, **{"as": "document"})
    assert "from 1 to 10" in response.json()["description"]


async def test_a_restart_cuts_polls_and_forgets_nothing(api: Api) -> None:
    poll = begin(api.post("getUpdates", timeout=20))
    await asyncio.sleep(0.05)
    assert (await api.control("restart", down_ms=300)).json()["cut"] == 1
    with pytest.raises(httpx.TransportError):
        await poll
    away = await api.post("getUpdates")
    assert (away.status_code, "502 Bad Gateway" in away.text) == (502, True)
    await api.act(text="sent meanwhile")

    async def back() -> bool:
        return (await api.post("getMe")).status_code == 200

    await eventually(back)
    assert [update["message"]["text"] for update in await api.updates()] == ["sent meanwhile"]
    assert {call["status"] for call in await api.transcript("getUpdates")} == {200}


async def test_faults_end_a_restart_too(api: Api) -> None:
    await api.control("restart", down_ms=60_000)
    assert (await api.post("getMe")).status_code == 502
    await api.http.delete(f"{api.base}/playground/control/faults")
    assert await api.call("getMe")
    assert (await api.control("restart", down_ms=-1)).status_code == 400


async def test_a_bot_may_be_put_out_of_a_group(api: Api) -> None:
    await api.control("kick")
    change = (await api.updates())[0]["my_chat_member"]
    assert (change["chat"]["id"], change["new_chat_member"]["status"]) == (GROUP, "kicked")
    refusal = await api.refused("sendMessage", chat_id=GROUP, text="x")
    assert refusal == "Forbidden: bot was kicked from the supergroup chat"
    await api.act(chat="group", text="/unheard")
    assert await api.call("getUpdates") == []
    await api.control("kick", kicked=False)
    assert await api.call("sendMessage", chat_id=GROUP, text="x")
    for wrong in ({"chat": f"12345-{ALICE}"}, {"bot": 1}, {"bot": "x"}, {"chat": "nowhere"}):
        assert (await api.control("kick", **wrong)).status_code == 400


async def test_an_account_may_be_no_more(api: Api) -> None:
    await api.control("deactivate")
    refusal = await api.refused("sendMessage", chat_id=ALICE, text="x")
    assert refusal == "Forbidden: user is deactivated"
    await api.control("deactivate", deactivated=False)
    assert await api.call("sendMessage", chat_id=ALICE, text="x")


async def test_a_group_that_became_a_supergroup_names_its_new_id(api: Api) -> None:
    description = "Bad Request: group chat was upgraded to a supergroup chat"
    parameters = {"migrate_to_chat_id": GROUP}
    await api.control(
        "faults",
        method="sendMessage",
        error_code=400,
        description=description,
        parameters=parameters,
    )
    response = await api.post("sendMessage", chat_id=-100, text="x")
    assert response.json()["parameters"] == parameters


def test_every_control_address_is_documented(playground: Playground) -> None:
    guide = (Path(__file__).parents[2] / "docs" / "playground.md").read_text(encoding="utf-8")
    routes = build_app(playground).router.resources()
    paths = {route.canonical for route in routes if "/control/" in route.canonical}
    assert len(paths) > 10
    assert [path for path in sorted(paths) if f"{path}`" not in guide] == []

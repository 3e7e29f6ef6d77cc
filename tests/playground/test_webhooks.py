import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from playground.rates import Limits
from playground.server import Playground
from tests.playground.client import ALICE, MARIA, Api, begin, eventually
from tests.playground.conftest import Clock


class Hook:
    """A bot that is called: notes what came, answers what it was told to."""

    def __init__(self) -> None:
        self.requests: list[tuple[str | None, str]] = []
        self.answers: list[web.Response] = []
        self.address = ""
        self.times: list[float] = []
        self.open_for_s = 0.0
        self.most_at_once = 0
        self._open = 0

    async def receive(self, request: web.Request) -> web.Response:
        update = await request.json()
        secret = request.headers.get("X-Telegram-Bot-Api-Secret-Token")
        self.requests.append((secret, update["message"]["text"]))
        self.times.append(time.monotonic())
        self._open += 1
        self.most_at_once = max(self.most_at_once, self._open)
        await asyncio.sleep(self.open_for_s)
        self._open -= 1
        return self.answers.pop(0) if self.answers else web.Response()

    async def received(self, count: int) -> list[tuple[str | None, str]]:
        async def enough() -> bool:
            return len(self.requests) >= count

        await eventually(enough)
        return self.requests


@pytest.fixture
async def hook(playground: Playground) -> AsyncIterator[Hook]:
    playground.webhook_delay_s = 0.05
    playground.world.settings = replace(playground.world.settings, allow_http=True)
    made = Hook()
    app = web.Application()
    app.router.add_post("/hook", made.receive)
    async with TestServer(app) as server:
        made.address = str(server.make_url("/hook"))
        yield made


async def test_updates_are_posted_with_the_secret(hook: Hook, api: Api) -> None:
    await api.call("setWebhook", url=hook.address, secret_token="s3cret")
    await api.act(text="one")
    await api.act(text="two")
    assert await hook.received(2) == [("s3cret", "one"), ("s3cret", "two")]


async def test_an_update_is_posted_until_it_is_taken(hook: Hook, api: Api) -> None:
    hook.answers = [web.Response(status=500), web.Response(status=503)]
    await api.call("setWebhook", url=hook.address)
    await api.act(text="again")
    await api.act(text="next")
    received = await hook.received(4)
    assert [text for _, text in received] == ["again", "again", "again", "next"]
    info = await api.call("getWebhookInfo")
    assert info["url"] == hook.address
    assert info["last_error_message"].startswith("Wrong response from the webhook: 503")


async def test_a_method_may_be_in_the_answer(hook: Hook, api: Api) -> None:
    reply = {"method": "sendMessage", "chat_id": ALICE, "text": "from the answer"}
    hook.answers = [web.json_response(reply)]
    await api.call("setWebhook", url=hook.address)
    await api.act(text="hello")
    calls = await eventually(lambda: api.transcript("sendMessage"))
    assert calls[0]["answer"]["result"]["text"] == "from the answer"


async def test_polling_and_a_webhook_exclude_each_other(hook: Hook, api: Api) -> None:
    poll = begin(api.post("getUpdates", timeout=20))
    await asyncio.sleep(0.05)
    await api.call("setWebhook", url=hook.address, allowed_updates=["message"])
    ended = (await poll).json()["description"]
    assert ended == "Conflict: terminated by setWebhook request"
    refusal = await api.refused("getUpdates")
    assert refusal.startswith("Conflict: can't use getUpdates method while webhook is active")
    assert (await api.call("getWebhookInfo"))["allowed_updates"] == ["message"]
    await api.call("deleteWebhook", drop_pending_updates=True)
    assert await api.call("getUpdates") == []
    assert (await api.call("getWebhookInfo"))["url"] == ""


async def test_a_bot_that_is_down_is_noted(api: Api, hook: Hook) -> None:
    await api.call("setWebhook", url="http://127.0.0.1:9/hook", drop_pending_updates=True)
    await api.act(text="x")

    async def failed() -> Any:
        info = await api.call("getWebhookInfo")
        return info if "last_error_message" in info else None

    info = await eventually(failed)
    assert info["last_error_message"] == "Connection refused"
    assert info["pending_update_count"] == 1


async def test_a_chat_that_waits_holds_up_no_other(hook: Hook, api: Api) -> None:
    await api.start(MARIA)
    hook.answers = [web.Response(status=503, headers={"Retry-After": "60"})]
    await api.call("setWebhook", url=hook.address)
    await api.act(text="refused")
    await hook.received(1)
    await api.act(text="behind it")
    await api.act(person=MARIA, text="beside it")
    assert await hook.received(2) == [(None, "refused"), (None, "beside it")]
    assert (await api.call("getWebhookInfo"))["pending_update_count"] == 2


@pytest.mark.parametrize(("connections", "at_once"), [(1, 1), (2, 2)])
async def test_no_more_connections_are_open_than_asked_for(
    hook: Hook, api: Api, connections: int, at_once: int
) -> None:
    await api.start(MARIA)
    hook.open_for_s = 0.2
    await api.call("setWebhook", url=hook.address, max_connections=connections)
    await api.act(text="one")
    await api.act(person=MARIA, text="two")
    await hook.received(2)
    assert hook.most_at_once == at_once


async def test_the_order_within_a_chat_is_kept(hook: Hook, api: Api) -> None:
    hook.open_for_s = 0.01
    await api.call("setWebhook", url=hook.address)
    for number in range(10):
        await api.act(text=str(number))
    assert [text for _, text in await hook.received(10)] == [str(number) for number in range(10)]


async def test_the_wait_doubles_until_the_update_is_taken(
    hook: Hook, api: Api, playground: Playground
) -> None:
    playground.webhook_delay_s = 0.05
    hook.answers = [web.Response(status=500) for _ in range(3)]
    await api.call("setWebhook", url=hook.address)
    await api.act(text="x")
    await hook.received(4)
    pauses = [later - sooner for sooner, later in pairwise(hook.times)]
    assert pauses[0] >= 0.05
    assert pauses[1] >= 0.1
    assert pauses[2] >= 0.2


async def test_a_webhook_that_is_gone_for_a_day_is_given_up(
    hook: Hook, api: Api, clock: Clock
) -> None:
    hook.answers = [web.Response(status=410) for _ in range(100)]
    await api.call("setWebhook", url=hook.address)
    await api.act(text="x")
    await hook.received(1)
    assert (await api.call("getWebhookInfo"))["url"] == hook.address
    clock.now += 23 * 3600

    async def given_up() -> bool:
        return bool((await api.call("getWebhookInfo"))["url"] == "")

    await eventually(given_up)


async def test_a_webhook_is_set_once_a_second(
    hook: Hook, api: Api, playground: Playground, clock: Clock
) -> None:
    playground.world.rates.replace(Limits())
    await api.call("setWebhook", url=hook.address)
    response = await api.post("setWebhook", url=hook.address)
    assert response.json()["description"] == "Too Many Requests: retry after 1"
    clock.now += 1
    await api.call("setWebhook", url=hook.address)


@pytest.mark.parametrize("method", ["getMe", "setWebhook", "deleteWebhook", "logOut", "close"])
async def test_some_methods_stay_out_of_answers(hook: Hook, api: Api, method: str) -> None:
    hook.answers = [web.json_response({"method": method})]
    await api.call("setWebhook", url=hook.address)
    await api.control("send", text="x")
    await api.act(text="y")
    await hook.received(2)
    assert [call["took_ms"] for call in await api.transcript(method)] == (
        [] if method != "setWebhook" else [0]
    )


async def test_telegram_wants_https_and_one_of_four_ports(
    api: Api, playground: Playground
) -> None:
    assert not playground.world.settings.allow_http
    refused = {
        "http://e.com": "bad webhook: An HTTPS URL must be provided for webhook",
        "https://": "bad webhook: An HTTPS URL must be provided for webhook",
        "https://e.com:99999": "bad webhook: URL is invalid",
        "https://e.com:8080": (
            "bad webhook: Webhook can be set up only on ports 80, 88, 443 or 8443"
        ),
    }
    for url, sentence in refused.items():
        assert await api.refused("setWebhook", url=url) == f"Bad Request: {sentence}"
    for url in ("https://e.com", "https://e.com:8443/x"):
        assert await api.call("setWebhook", url=url) is True


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"url": "ftp://e.com"}, "bad webhook: An HTTPS URL must be provided for webhook"),
        (
            {"url": "https://e.com", "secret_token": "a b"},
            "secret token contains unallowed characters",
        ),
    ],
)
async def test_a_wrong_webhook_is_refused(api: Api, fields: dict[str, Any], sentence: str) -> None:
    assert await api.refused("setWebhook", **fields) == f"Bad Request: {sentence}"


async def test_another_address_is_tried_at_once(hook: Hook, api: Api) -> None:
    hook.answers = [web.Response(status=503, headers={"Retry-After": "60"})]
    await api.call("setWebhook", url=hook.address)
    await api.act(text="waiting")
    await hook.received(1)
    await api.call("setWebhook", url=hook.address, secret_token="new")
    assert await hook.received(2) == [(None, "waiting"), ("new", "waiting")]


async def test_news_do_not_shorten_the_wait_a_bot_asked_for(hook: Hook, api: Api) -> None:
    hook.answers = [web.Response(status=503, headers={"Retry-After": "60"})]
    await api.call("setWebhook", url=hook.address)
    await api.act(text="one")
    await hook.received(1)
    await api.act(text="two")
    await asyncio.sleep(0.2)
    assert len(hook.requests) == 1


async def test_delivery_that_failed_begins_anew_with_the_next_call(
    hook: Hook, api: Api, playground: Playground, monkeypatch: pytest.MonkeyPatch
) -> None:
    updates = playground.world.seat(api.token).updates
    with monkeypatch.context() as broken:
        broken.setattr(updates, "next_for_webhook", None)
        await api.call("setWebhook", url=hook.address)
        await asyncio.sleep(0.05)
    await api.act(text="hello")
    await api.call("getWebhookInfo")
    assert await hook.received(1) == [(None, "hello")]


async def test_a_redirection_is_a_wrong_response(hook: Hook, api: Api) -> None:
    hook.answers = [web.Response(status=307, headers={"Location": "/elsewhere"})]
    await api.call("setWebhook", url=hook.address)
    await api.act(text="again")
    assert await hook.received(2) == [(None, "again")] * 2
    info = await api.call("getWebhookInfo")
    assert info["last_error_message"].startswith("Wrong response from the webhook: 307")


async def test_an_answer_without_end_is_no_method(hook: Hook, api: Api) -> None:
    reply = {"method": "sendMessage", "chat_id": ALICE, "text": "x", "more": "x" * 2_000_000}
    hook.answers = [web.json_response(reply)]
    await api.call("setWebhook", url=hook.address)
    await api.act(text="one")
    await api.act(text="two")
    assert [text for _, text in await hook.received(2)] == ["one", "two"]
    assert await api.transcript("sendMessage") == []

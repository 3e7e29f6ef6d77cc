import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from playground.server import Playground
from tests.playground.client import ALICE, Api, begin, eventually


class Hook:
    """A bot that is called: notes what came, answers what it was told to."""

    def __init__(self) -> None:
        self.requests: list[tuple[str | None, str]] = []
        self.answers: list[web.Response] = []
        self.address = ""

    async def receive(self, request: web.Request) -> web.Response:
        update = await request.json()
        secret = request.headers.get("X-Telegram-Bot-Api-Secret-Token")
        self.requests.append((secret, update["message"]["text"]))
        return self.answers.pop(0) if self.answers else web.Response()

    async def received(self, count: int) -> list[tuple[str | None, str]]:
        async def enough() -> bool:
            return len(self.requests) >= count

        await eventually(enough)
        return self.requests


@pytest.fixture
async def hook(playground: Playground) -> AsyncIterator[Hook]:
    playground.webhook_delay_s = 0.05
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
    assert info["last_error_message"].startswith("Connection failed")
    assert info["pending_update_count"] == 1


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"url": "ftp://e.com"}, "bad webhook: An HTTPS URL must be provided for webhook"),
        (
            {"url": "http://e.com", "secret_token": "a b"},
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
        broken.setattr(updates, "first", None)
        await api.call("setWebhook", url=hook.address)
        await asyncio.sleep(0.05)
    await api.act(text="hello")
    await api.call("getWebhookInfo")
    assert await hook.received(1) == [(None, "hello")]

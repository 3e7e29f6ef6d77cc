import asyncio
from collections.abc import AsyncIterator
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiohttp import ClientError, ClientSession, web

from bot.config import WebConfig
from bot.web import BODY_MAX_BYTES, SECRET_HEADER, CannotListen, Health, build_web, listening

SECRET = "s3cret"


class Site:
    def __init__(self, base: str) -> None:
        self.base = base
        self.taken: list[dict[str, Any]] = []
        self.is_well = True

    async def health(self) -> tuple[bool, Health]:
        return self.is_well, {"engine": "ready"}

    async def take(self, update: dict[str, Any]) -> None:
        self.taken.append(update)

    async def post(self, body: bytes, secret: str | None = SECRET) -> int:
        headers = {SECRET_HEADER: secret} if secret is not None else {}
        async with (
            ClientSession() as client,
            client.post(f"{self.base}/webhook", data=BytesIO(body), headers=headers) as answer,
        ):
            return answer.status


@pytest.fixture
async def site(unused_tcp_port: int) -> AsyncIterator[Site]:
    site = Site(f"http://127.0.0.1:{unused_tcp_port}")
    application = build_web(site.health, site.take, SECRET)
    async with listening(WebConfig(port=unused_tcp_port), application):
        yield site


async def test_an_update_with_the_secret_is_taken(site: Site) -> None:
    assert await site.post(b'{"update_id": 1}') == 200
    assert site.taken == [{"update_id": 1}]


@pytest.mark.parametrize("secret", [None, "", "wrong", SECRET + "x"])
async def test_without_the_secret_nothing_is_taken(site: Site, secret: str | None) -> None:
    assert await site.post(b'{"update_id": 1}', secret) == 401
    assert site.taken == []


async def test_a_secret_that_is_not_utf_8_is_a_wrong_one(site: Site) -> None:
    place = urlsplit(site.base)
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    head = f"POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n{SECRET_HEADER}: "
    writer.write(head.encode() + b"\xff\r\n\r\n")
    assert b" 401 " in await reader.readline()
    writer.close()
    await writer.wait_closed()


async def test_a_request_in_progress_does_not_hold_up_the_end(
    unused_tcp_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.web.SHUTDOWN_S", 0.05)
    site, is_taken = Site(f"http://127.0.0.1:{unused_tcp_port}"), asyncio.Event()

    async def take_for_ever(_update: dict[str, Any]) -> None:
        is_taken.set()
        await asyncio.Event().wait()

    application = build_web(site.health, take_for_ever, SECRET)
    async with asyncio.timeout(5):
        async with listening(WebConfig(port=unused_tcp_port), application):
            posting = asyncio.ensure_future(site.post(b"{}"))  # noqa: TID251
            await is_taken.wait()
        with pytest.raises(ClientError):
            await posting


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b"\xff"])
async def test_what_is_no_update_is_refused(site: Site, body: bytes) -> None:
    assert await site.post(body) == 400


async def test_a_body_has_a_limit(site: Site) -> None:
    assert await site.post(b" " * (BODY_MAX_BYTES + 1)) == 413


@pytest.mark.parametrize(("is_well", "status"), [(True, 200), (False, 503)])
async def test_health_is_told_in_the_status_and_in_figures(
    site: Site, is_well: bool, status: int
) -> None:
    site.is_well = is_well
    async with ClientSession() as client, client.get(f"{site.base}/healthz") as answer:
        assert answer.status == status
        told = {"status": "ok" if is_well else "failing", "engine": "ready"}
        assert await answer.json() == told


async def test_without_a_webhook_there_is_no_door_for_updates(unused_tcp_port: int) -> None:
    site = Site(f"http://127.0.0.1:{unused_tcp_port}")
    application = build_web(site.health, None, SECRET)
    async with listening(WebConfig(port=unused_tcp_port), application):
        assert await site.post(b"{}") == 404


async def test_a_taken_port_is_one_clear_line(site: Site, unused_tcp_port: int) -> None:
    second = build_web(site.health, None, "")
    with pytest.raises(CannotListen, match=f"127.0.0.1:{unused_tcp_port}: Address already"):
        async with listening(WebConfig(port=unused_tcp_port), second):
            pass


async def test_without_a_place_nothing_listens() -> None:
    async with listening(None, web.Application()):
        pass

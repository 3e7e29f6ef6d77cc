"""The bot's own HTTP server: ``/healthz`` for whoever watches it, ``/webhook`` for Telegram."""

import hmac
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import web

from bot.config import WebConfig
from bot.inbox import Raw

BODY_MAX_BYTES: Final = 1024 * 1024
SHUTDOWN_S: Final = 1.0
"""For requests in progress when the bot stops; Telegram repeats what was not acknowledged."""
SECRET_HEADER: Final = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105 - a header's name

Health = Mapping[str, str | float | bool | None]


class CannotListen(Exception):
    """Our own port cannot be had; the message is one line for the operator."""


def build_web(
    health: Callable[[], Awaitable[tuple[bool, Health]]],
    take: Callable[[Raw], Awaitable[None]] | None,
    secret: str,
) -> web.Application:
    """Build the application.

    Args:
        health: tells whether all is well, and the figures behind that.
        take: keeps an update, which Telegram may forget once this returns; without it there is
            no webhook.
        secret: what Telegram must show with every update.
    """

    async def healthz(_request: web.Request) -> web.Response:
        is_well, figures = await health()
        body = {"status": "ok" if is_well else "failing", **figures}
        return web.json_response(body, status=200 if is_well else 503)

    async def webhook(request: web.Request) -> web.Response:
        shown = request.headers.get(SECRET_HEADER, "")
        # aiohttp passes on bytes that are not UTF-8 as surrogates.
        if not hmac.compare_digest(shown.encode(errors="surrogateescape"), secret.encode()):
            raise web.HTTPUnauthorized
        try:
            update = json.loads(await request.text())
        except ValueError as fault:
            raise web.HTTPBadRequest(reason="not JSON") from fault
        if not isinstance(update, dict) or take is None:
            raise web.HTTPBadRequest(reason="not an update")
        await take(update)
        return web.Response()

    application = web.Application(client_max_size=BODY_MAX_BYTES)
    application.router.add_get("/healthz", healthz)
    if take is not None:
        application.router.add_post("/webhook", webhook)
    return application


@asynccontextmanager
async def listening(place: WebConfig | None, application: web.Application) -> AsyncIterator[None]:
    """Serve ``application`` at ``place``; nowhere if there is none.

    Raises:
        CannotListen: the port is taken, or not ours to take.
    """
    if place is None:
        yield
        return
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=SHUTDOWN_S)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, place.host, place.port).start()
        except OSError as fault:
            where = f"web: cannot listen on {place.host}:{place.port}"
            raise CannotListen(f"{where}: {os.strerror(fault.errno or 0)}") from fault
        yield
    finally:
        await runner.cleanup()

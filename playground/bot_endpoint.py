"""The address bots talk to: `/bot<token>/<method>` and `/file/bot<token>/<path>`."""

import asyncio
import logging
import time
from typing import Any, Final

from aiohttp import web

from playground.api import table
from playground.api.call import Call
from playground.arguments import Arguments, read_arguments
from playground.errors import ApiError, internal_error
from playground.faults import Fault, Faults
from playground.model import Json
from playground.transcript import Transcript
from playground.world import Seat, World

_log: Final = logging.getLogger(__name__)

BAD_GATEWAY: Final = (
    "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n"
    "<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n</body>\r\n</html>\r\n"
)


class BotEndpoint:
    """Answers calls in the Bot API's envelope, notes them, and fails where it was asked to."""

    def __init__(self, world: World, faults: Faults, transcript: Transcript) -> None:
        self._world = world
        self._faults = faults
        self._transcript = transcript

    def clock(self) -> float:
        """The time in this world, in seconds since 1970."""
        return self._world.clock()

    async def call(self, request: web.Request) -> web.StreamResponse:
        """Serve one HTTP call of a method; a restart of the server cuts its connection."""
        if self._faults.is_down:
            return web.Response(status=502, text=BAD_GATEWAY, content_type="text/html")
        with self._faults.watching(request.transport):
            return await self._call(request)

    async def _call(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["method"]
        try:
            seat = self._world.seat(request.match_info["token"])
            arguments = await read_arguments(request)
        except ApiError as error:
            self._transcript.add(0, name, {}, error.status, error.to_json())
            return _respond(error.status, error.to_json())
        fault = self._faults.take(name)
        if fault:
            await asyncio.sleep(fault.delay_ms / 1000)
            if fault.raw_body is not None:
                status = fault.error_code or 200
                body: Json = {"(raw)": fault.raw_body}
                self._transcript.add(seat.bot.id, name, arguments.summary(), status, body)
                return web.Response(status=status, text=fault.raw_body)
        status, answer = await self.perform(seat, name, arguments, fault)
        if fault and fault.drop_after and request.transport:
            request.transport.abort()
        return _respond(status, answer)

    async def perform(
        self, seat: Seat, name: str, arguments: Arguments, fault: Fault | None = None
    ) -> tuple[int, Json]:
        """Carry out a method, whoever asked; returns the HTTP status and the envelope."""
        began = time.monotonic()
        try:
            if fault and fault.error_code:
                raise ApiError(fault.error_code, fault.description, fault.parameters)
            result: Any = await table.run(Call(self._world, seat), name, arguments)
            status, answer = 200, {"ok": True, "result": result}
        except ApiError as error:
            status, answer = error.status, error.to_json()
            if status == 404:
                _log.warning("%s: %s", name, error.description)
        except Exception:
            _log.exception("%s failed", name)
            status, answer = 500, internal_error().to_json()
        took_ms = round((time.monotonic() - began) * 1000)
        self._transcript.add(
            seat.bot.id, name, arguments.summary(), status, answer, took_ms=took_ms
        )
        return status, answer

    async def download(self, request: web.Request) -> web.StreamResponse:
        """Serve the bytes behind a `file_path`."""
        try:
            seat = self._world.seat(request.match_info["token"])
        except ApiError as error:
            return _respond(error.status, error.to_json())
        on_disk = self._world.files.path_for_bot(seat.bot.id, request.match_info["path"])
        if on_disk is None:
            return _respond(404, ApiError(404, "Not Found").to_json())
        return web.FileResponse(on_disk, headers={"Content-Type": "application/octet-stream"})


def _respond(status: int, answer: Json) -> web.Response:
    headers = {}
    retry_after = (answer.get("parameters") or {}).get("retry_after")
    if retry_after is not None:
        headers["Retry-After"] = str(retry_after)
    return web.json_response(answer, status=status, headers=headers)

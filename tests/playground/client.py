"""A Bot API client with nothing in it, and files to send."""

import asyncio
import io
import json
from collections.abc import Awaitable, Callable, Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
from PIL import Image

ALICE = 700_000_001
MARIA = 700_000_002
GROUP = -1_001_000_000_001

_T = TypeVar("_T")


def begin(work: Coroutine[Any, Any, _T]) -> asyncio.Task[_T]:
    """Let something run while the test goes on; the test awaits it in the end."""
    return asyncio.get_running_loop().create_task(work)


async def eventually(look: Callable[[], Awaitable[_T]], timeout_s: float = 10) -> _T:
    """Look again and again until there is something true to see."""
    for _ in range(int(timeout_s / 0.02)):
        if found := await look():
            return found
        await asyncio.sleep(0.02)
    raise AssertionError("it did not happen in time")


class Api:
    """Calls methods and the control addresses; keeps nothing but the connection."""

    def __init__(self, base: str, token: str) -> None:
        self.base = base
        self.token = token
        # Plain HTTP: loading certificates would take longer than most tests do.
        self.http = httpx.AsyncClient(timeout=20, verify=False)  # noqa: S501

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        await self.http.aclose()

    async def start(self, person: int = ALICE) -> None:
        """Let a person start the chat, and take the update away."""
        await self.act(person=person, text="/start")
        await self.updates()

    async def post(
        self, method: str, files: dict[str, Any] | None = None, **fields: object
    ) -> httpx.Response:
        data = {
            name: value if isinstance(value, str) else json.dumps(value)
            for name, value in fields.items()
        }
        return await self.http.post(
            f"{self.base}/bot{self.token}/{method}", data=data, files=files
        )

    async def call(
        self, method: str, files: dict[str, Any] | None = None, **fields: object
    ) -> Any:
        """Call and expect success; returns the result."""
        answer = (await self.post(method, files, **fields)).json()
        assert answer["ok"], answer
        return answer["result"]

    async def refused(
        self, method: str, files: dict[str, Any] | None = None, **fields: object
    ) -> str:
        """Call and expect a refusal in the right shape; returns its sentence."""
        response = await self.post(method, files, **fields)
        answer = response.json()
        assert answer["ok"] is False, answer
        assert answer["error_code"] == response.status_code
        description: str = answer["description"]
        return description

    async def updates(self, **fields: Any) -> list[Any]:
        """Take all waiting updates and confirm them."""
        found: list[Any] = await self.call("getUpdates", **fields)
        if found:
            await self.call("getUpdates", offset=found[-1]["update_id"] + 1)
        return found

    async def act(self, files: dict[str, Any] | None = None, **fields: object) -> Any:
        """Act as a person through the control address."""
        response = await self.control("send", files, **fields)
        assert response.status_code == 200, response.text
        return response.json()

    async def control(
        self, name: str, files: dict[str, Any] | None = None, **fields: object
    ) -> httpx.Response:
        address = f"{self.base}/playground/control/{name}"
        if files:
            data = {name: str(value) for name, value in fields.items()}
            return await self.http.post(address, data=data, files=files)
        return await self.http.post(address, json=fields)

    async def transcript(self, method: str) -> list[Any]:
        address = f"{self.base}/playground/control/transcript"
        calls: list[Any] = (await self.http.get(address, params={"method": method})).json()[
            "calls"
        ]
        return calls

    async def download(self, file_id: str) -> bytes:
        path = (await self.call("getFile", file_id=file_id))["file_path"]
        response = await self.http.get(f"{self.base}/file/bot{self.token}/{path}")
        assert response.status_code == 200
        return response.content


def picture(
    width: int = 64, height: int = 48, color: str = "teal", kind: str = "PNG", mode: str = "RGB"
) -> bytes:
    """An image file of one colour."""
    buffer = io.BytesIO()
    Image.new(mode, (width, height), color).save(buffer, kind)
    return buffer.getvalue()


def button(text: str, data: str = "x", **more: object) -> dict[str, object]:
    return {"text": text, "callback_data": data, **more}


def keyboard(*rows: list[dict[str, object]]) -> dict[str, object]:
    return {"inline_keyboard": list(rows)}

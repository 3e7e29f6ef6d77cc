"""The playground under load: 200 updates and 200 sends a second at once, then 100,000 messages."""

import asyncio
import re
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp

from benchmarks.figures import Figure, percentile
from tests.e2e.town import TOKEN, playground

PER_SECOND: Final = 220  # of each kind, so that losing a few still keeps the promise
SECONDS: Final = 10
PROMISED_PER_SECOND: Final = 200
PROMISED_P99_MS: Final = 100
FEW: Final = 20_000
MANY: Final = 100_000
CONNECTIONS: Final = 8
PROMISED_GROWTH: Final = 1.1
_WARM_UP: Final = 100


@dataclass
class _Load:
    """One bot and one person, both as busy as can be, and what they saw.

    Every update's text is its number: that is how it is known again when it arrives.
    """

    session: aiohttp.ClientSession
    address: str
    person: int
    asked_at: dict[int, float] = field(default_factory=dict)
    send_ms: list[float] = field(default_factory=list)
    update_ms: list[float] = field(default_factory=list)

    async def call(self, method: str, **fields: object) -> dict[str, Any]:
        """Call a method of the Bot API; returns the envelope."""
        return await self._post(f"/bot{TOKEN}/{method}", fields)

    async def write(self, text: str) -> None:
        """Write as the person."""
        await self._post("/playground/control/send", {"text": text})

    async def _post(self, path: str, fields: dict[str, object]) -> dict[str, Any]:
        async with self.session.post(self.address + path, json=fields) as response:
            answer: dict[str, Any] = await response.json()
            assert response.status == 200, answer
            return answer

    async def send(self, number: int) -> None:
        """Send a text as the bot, and note how long it took."""
        began = time.perf_counter()
        await self.call("sendMessage", chat_id=self.person, text=f"message {number}")
        self.send_ms.append((time.perf_counter() - began) * 1000)

    async def ask(self, number: int) -> None:
        """Write a text as the person; when it arrives is noted by `poll`."""
        self.asked_at[number] = time.perf_counter()
        await self.write(str(number))

    async def poll(self, count: int) -> None:
        """Take so many updates as the bot."""
        offset = 0
        while len(self.update_ms) < count:
            answer = await self.call("getUpdates", offset=offset, timeout=10)
            now = time.perf_counter()
            for update in answer["result"]:
                offset = update["update_id"] + 1
                asked = self.asked_at.pop(int(update["message"]["text"]))
                self.update_ms.append((now - asked) * 1000)


async def _at_a_rate(load: _Load) -> float:
    """Begin a send and an update by the clock, however long the earlier ones take.

    Returns:
        The seconds from the first to the last answer.
    """
    count = PER_SECOND * SECONDS
    began = time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(load.poll(count))
        for number in range(count):
            await asyncio.sleep(max(0.0, began + number / PER_SECOND - time.perf_counter()))
            tasks.create_task(load.send(number))
            tasks.create_task(load.ask(number))
    return time.perf_counter() - began


async def _throughput(address: str, person: int) -> list[Figure]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=64)) as session:
        load = _Load(session, address, person)
        await load.write("/start")
        for number in range(_WARM_UP):
            await load.call("sendMessage", chat_id=person, text=f"warm-up {number}")
        newest = (await load.call("getUpdates"))["result"][-1]
        await load.call("getUpdates", offset=newest["update_id"] + 1)
        seconds = await _at_a_rate(load)
    how = f"of {PER_SECOND} updates and {PER_SECOND} sends asked for each second, {SECONDS} s"
    return [
        Figure(
            "playground: updates a second",
            len(load.update_ms) / seconds,
            how,
            PROMISED_PER_SECOND,
            ">=",
        ),
        Figure(
            "playground: sends a second",
            len(load.send_ms) / seconds,
            "at the same time",
            PROMISED_PER_SECOND,
            ">=",
        ),
        _p99("playground: from a person's message to the polling bot", load.update_ms),
        _p99("playground: sendMessage", load.send_ms),
    ]


def _p99(what: str, values_ms: list[float]) -> Figure:
    how = f"median {percentile(values_ms, 0.5):.1f} ms, worst {max(values_ms):.0f} ms"
    return Figure(f"{what}, p99, ms", percentile(values_ms, 0.99), how, PROMISED_P99_MS)


async def _fill(address: str, person: int, count: int) -> None:
    """Exchange messages, half of them the person's, as fast as they are taken."""
    numbers = iter(range(count // 2))

    async def exchange(load: _Load) -> None:
        for number in numbers:
            await load.write(f"message {number}")
            await load.call("sendMessage", chat_id=person, text=f"answer {number}")

    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as tasks:
        for _ in range(CONNECTIONS):
            tasks.create_task(exchange(_Load(session, address, person)))


def _resident_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    found = re.search(r"VmRSS:\s+(\d+)", status)
    assert found is not None
    return int(found[1]) / 1000


def _memory(address: str, person: int, pid: int) -> Figure:
    began = time.perf_counter()
    asyncio.run(_fill(address, person, FEW))
    few_mb = _resident_mb(pid)
    asyncio.run(_fill(address, person, MANY - FEW))
    many_mb = _resident_mb(pid)
    rate = MANY / (time.perf_counter() - began)
    return Figure(
        f"playground: memory after {MANY:,} / after {FEW:,} messages",
        many_mb / few_mb,
        f"{many_mb:.0f} MB / {few_mb:.0f} MB; {rate:.0f} messages a second",
        PROMISED_GROWTH,
    )


def measure() -> list[Figure]:
    """Load one playground process from this one: first by the clock, then to the brim."""
    with playground("--no-limits", "--keep-messages", "1000") as (program, town):
        person = town.state()["people"][0]["id"]
        figures = asyncio.run(_throughput(town.address, person))
        return [*figures, _memory(town.address, person, program.process.pid)]

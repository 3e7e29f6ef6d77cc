"""Asking an engine for pictures, and waiting for what it says."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from pipelines.contracts import Event, Failed, Finished, Progressed, Work
from pipelines.engine.local import LocalEngine
from pipelines.text_to_image import TextToImageRequest


def work(job_id: int, quality: str = "flash", **request: Any) -> Work:
    values = {"prompt": "a cat", "width_px": 64, "height_px": 64, "seed": job_id}
    return Work(
        job_id,
        "text_to_image",
        TextToImageRequest.model_validate({**values, "quality": quality, **request}),
    )


async def rest(events: AsyncIterator[Event]) -> list[Event]:
    return [event async for event in events]


async def everything(engine: LocalEngine, *works: Work) -> list[Event]:
    return await rest(engine.run(works))


async def first_step(events: AsyncIterator[Event]) -> Progressed:
    event = await anext(events)
    assert isinstance(event, Progressed)
    return event


async def until(is_so: Callable[[], bool], timeout_s: float = 60) -> None:
    async with asyncio.timeout(timeout_s):
        while not is_so():  # noqa: ASYNC110 - what is waited for happens in another process
            await asyncio.sleep(0.01)


def outcomes(events: list[Event]) -> dict[int, str]:
    """Each job's one last event, in words."""
    last = [event for event in events if isinstance(event, Finished | Failed)]
    assert len({event.job_id for event in last}) == len(last)
    return {e.job_id: e.code if isinstance(e, Failed) else "finished" for e in last}


def computed_s(pid: int) -> float:
    """Seconds a process has had a processor, which a busy machine does not make more."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def exists(pid: int) -> bool:
    """Whether there is such a process, be it a zombie."""
    return Path(f"/proc/{pid}").exists()


def is_running(pid: int) -> bool:
    """Whether there is such a process and it is no zombie."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return status != "Z"

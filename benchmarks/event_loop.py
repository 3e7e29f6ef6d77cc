"""How late the bot's event loop is while a worker draws, against drawing in a thread beside it."""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from benchmarks.figures import Figure, percentile
from bot.app import build_app, open_bot
from bot.config import load_config
from pipelines.contracts import Pipeline
from pipelines.engine.local import LocalEngine
from pipelines.profiles import load_profile
from pipelines.text_to_image import MODE, TextToImageRequest
from tests.e2e.town import TOKEN, Town, playground

CONFIG: Final = Path("config.yaml")
TICK_S: Final = 0.005
PICTURES: Final = 4
PROMPT: Final = "a red circle on a blue background"
PROMISE_MS: Final = 50


def _request(seed: int) -> TextToImageRequest:
    return TextToImageRequest(
        prompt=PROMPT,
        seed=seed,
        width_px=128,
        height_px=128,
        quality="base",
    )


async def _lags_ms(work: Callable[[], Awaitable[None]]) -> list[float]:
    """Tick every 5 ms while ``work`` runs, and note how late each tick came."""
    lags: list[float] = []
    is_over = False

    async def tick() -> None:
        while not is_over:
            due = time.perf_counter() + TICK_S
            await asyncio.sleep(TICK_S)
            lags.append((time.perf_counter() - due) * 1000)

    async def finish() -> None:
        nonlocal is_over
        try:
            await work()
        finally:
            is_over = True

    await asyncio.gather(tick(), finish())
    return lags


async def _draw(town: Town, seeds: range) -> None:
    """Ask for pictures one after the other, as a person does."""
    for seed in seeds:
        wanted = len(await asyncio.to_thread(town.pictures)) + 1
        await asyncio.to_thread(town.says, f"{PROMPT} --quality base --seed {seed}")
        while len(await asyncio.to_thread(town.pictures)) < wanted:  # noqa: ASYNC110 - as a person
            await asyncio.sleep(0.1)


async def _in_the_bot(town: Town, data_dir: str) -> tuple[list[float], float]:
    """Run the whole bot on this loop, its worker in a process of its own."""
    environment = {"BOT_TOKEN": TOKEN, "BOT_API_BASE": town.address, "DATA_DIR": data_dir}
    config = load_config(CONFIG, environment)
    app = await build_app(config, open_bot(config.telegram), engine=LocalEngine(config.weights))
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(app.run())
        await _draw(town, range(1))  # the weights are loaded now
        began = time.perf_counter()
        lags = await _lags_ms(lambda: _draw(town, range(1, 1 + PICTURES)))
        seconds = time.perf_counter() - began
        serving.cancel()
    return lags, seconds


async def _in_a_thread(recipe: Pipeline[TextToImageRequest]) -> tuple[list[float], float]:
    def draw() -> None:
        for seed in range(1, 1 + PICTURES):
            recipe([_request(seed)], lambda _: frozenset())

    began = time.perf_counter()
    lags = await _lags_ms(lambda: asyncio.to_thread(draw))
    return lags, time.perf_counter() - began


def load_recipe() -> Pipeline[TextToImageRequest]:
    """Load the recipe into this process and draw one picture to warm it up."""
    from pipelines.weights import ComponentStore  # noqa: PLC0415 - torch, not before it is needed

    recipe = MODE.load(ComponentStore.open(load_profile(CONFIG)))
    recipe([_request(0)], lambda _: frozenset())
    return recipe


def measure() -> list[Figure]:
    """Compare the 99th percentiles of lag."""
    with tempfile.TemporaryDirectory() as data_dir, playground() as (_, town):
        process, process_s = asyncio.run(_in_the_bot(town, data_dir))
    thread, thread_s = asyncio.run(_in_a_thread(load_recipe()))
    process_ms, thread_ms = percentile(process, 0.99), percentile(thread, 0.99)
    return [
        Figure(
            "event-loop lag while drawing, p99, ms",
            process_ms,
            f"of the whole bot; of an idle loop beside a drawing thread {thread_ms:.1f} ms",
            PROMISE_MS,
        ),
        Figure(
            "event-loop lag, worst, ms",
            max(process),
            f"of the whole bot; of an idle loop beside a drawing thread {max(thread):.1f} ms",
        ),
        Figure(
            f"time of {PICTURES} pictures, through the bot / in a bare thread",
            process_s / thread_s,
            f"{process_s:.2f} s / {thread_s:.2f} s, the chat's pace included",
        ),
    ]

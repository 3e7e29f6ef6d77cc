"""One person, one picture: the way through bot, queue and worker against the bare recipe."""

import tempfile
import time
from pathlib import Path
from typing import Final

from benchmarks.event_loop import load_recipe
from benchmarks.figures import Figure, median
from pipelines.text_to_image import TextToImageRequest
from tests.e2e.town import PYTHON, Town, eventually, playground

ROUNDS: Final = 7
PROMPT: Final = "a red circle on a blue background"
REST_S: Final = 4.0
"""Between two jobs, so that Telegram's limit of a message a second and chat is never met."""
PROMISE: Final = 1.10


def _through_the_bot_s(town: Town, seed: int) -> float:
    """From the person's pressing Enter to the picture in the chat."""
    time.sleep(REST_S)
    pictures = len(town.pictures())
    began = time.perf_counter()
    town.says(f"{PROMPT} --quality base --seed {seed}")
    eventually(lambda: len(town.pictures()) > pictures or None, "the picture")
    return time.perf_counter() - began


def measure() -> list[Figure]:
    """Alternate between the two, after one warm-up each."""
    recipe = load_recipe()

    def bare_s(seed: int) -> float:
        request = TextToImageRequest(
            prompt=PROMPT, seed=seed, width_px=128, height_px=128, quality="base"
        )
        began = time.perf_counter()
        recipe([request], lambda _: frozenset())
        return time.perf_counter() - began

    with (
        tempfile.TemporaryDirectory() as folder,
        playground("--bot", f"{PYTHON} -m bot", DATA_DIR=str(Path(folder))) as (_, town),
    ):
        _through_the_bot_s(town, 0)
        through, bare = [], []
        for seed in range(1, ROUNDS + 1):
            through.append(_through_the_bot_s(town, seed))
            bare.append(bare_s(seed))
    return [
        Figure(
            "one job, through bot, queue and worker / bare recipe",
            median(through) / median(bare),
            f"{median(through):.2f} s / {median(bare):.2f} s, medians of {ROUNDS}",
            PROMISE,
        )
    ]

"""The micro model, and how two ways of drawing are compared on it."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import torch

from pipelines.contracts import Step
from pipelines.kandinsky3.model import Kandinsky3
from pipelines.profiles import load_profile
from pipelines.text_to_image import TextToImageRequest
from pipelines.weights import ComponentStore

CONFIG: Final = Path("config.yaml")
PROMPTS: Final = (
    "a red circle on a blue background",
    "small yellow star at the top, black background",
    "a green square on a white background",
    "большое розовое сердце слева на белом фоне",
    "a cyan ring on a grey background",
    "an orange triangle at the bottom on a brown background",
    "фиолетовый крест на зелёном фоне",
    "a white moon on a purple background",
)


def open_store() -> ComponentStore:
    """Open the weights that come with the program."""
    return ComponentStore.open(load_profile(CONFIG, "micro"))


def open_model() -> Kandinsky3:
    """Bind the blocks to them."""
    return Kandinsky3(open_store())


def requests() -> list[TextToImageRequest]:
    """What eight people ask for."""
    size = {"width_px": 128, "height_px": 128}
    return [
        TextToImageRequest.model_validate(
            {**size, "prompt": text, "quality": "base", "seed": seed}
        )
        for seed, text in enumerate(PROMPTS)
    ]


def unwatched(_: Step) -> frozenset[int]:
    """Everybody waits to the end."""
    return frozenset()


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Let torch compute on so many threads in this block."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def alternate(rounds: int, *works: Callable[[], object], is_warm: bool = False) -> list[float]:
    """Take turns between works, after one turn of each to warm up unless they are warm.

    Returns:
        Seconds of each one's quickest turn: what disturbs a machine only ever adds time.
    """
    seconds: list[list[float]] = [[] for _ in works]
    with torch.inference_mode():
        for turn in range(is_warm, rounds + 1):
            for work, spent in zip(works, seconds, strict=True):
                began = time.perf_counter()
                work()
                if turn:
                    spent.append(time.perf_counter() - began)
    return [min(spent) for spent in seconds]


def said(seconds: Sequence[float]) -> str:
    """Write down the sides of a ratio."""
    return " / ".join(f"{1000 * value:.1f} ms" for value in seconds)

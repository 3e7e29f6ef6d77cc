"""``python -m benchmarks.gpu``: memory and time of a full-size Kandinsky 3 under each plan.

The weights are random, made on the device: neither time nor memory depends on what they say. For
each plan and quality one picture is drawn twice, each time of a new text, so that the second time
shows what the plan costs and not what loading does. Printed are seconds, the most memory that was
allocated, the most the plan foresaw, and the floor: the arithmetic alone, at the dense 16-bit rate
of an H200 (790 TFLOP/s), without any memory traffic or launch.

``--memory-gb 24`` makes a large GPU behave as one of 24 GB: the plan is made for that much and the
allocator gives no more.
"""

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Final

import torch

from benchmarks.gpu.models import MICRO, Models, RandomStore, full_size, small
from pipelines.contracts import GenerationError, Step
from pipelines.devices import (
    bound_device_memory,
    find_device,
    free_device_bytes,
    free_main_bytes,
)
from pipelines.engine.batch import attempt
from pipelines.kandinsky3.model import Kandinsky3
from pipelines.memory import PLANS
from pipelines.profiles import Profile, Quality
from pipelines.text_to_image import TextToImage, TextToImageRequest

GB: Final = 10**9
FLOOR_S: Final[dict[Quality, float]] = {
    "base": 354 / 790,
    "flash": 49 / 790,
    "refined": (354 + 2 * 3.18) / 790,
}
"""TFLOP of one picture of 1024x1024 at 50 steps, counted on the meta device, per TFLOP/s."""

STEPS: Final = 50
TEXTS: Final = ("a red cat on a green hill", "a castle over a river at dawn, oil painting")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what the command line asks for; 1 if nothing can be measured here."""
    options = _options(arguments)
    if options.device != "cpu" and not torch.cuda.is_available():
        print(
            "benchmarks.gpu needs an NVIDIA GPU, and CUDA sees none here; "
            "--device cpu --small shows that the code runs",
            file=sys.stderr,
        )
        return 1
    models = small() if options.small else full_size()
    print("| plan | quality | first, s | next, s | floor, s | peak, GB | planned, GB |")
    print("|---|---|---|---|---|---|---|")
    for plan in options.plans:
        for row in _rows(plan, models, options):
            print(f"| {plan} | {row} |", flush=True)
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("--device", default="cuda", help="cuda, cuda:1 or cpu")
    parser.add_argument("--small", action="store_true", help="tiny models, two steps")
    parser.add_argument("--memory-gb", type=float, help="behave as a device of this size")
    parser.add_argument("--plans", nargs="+", choices=PLANS, default=PLANS)
    parser.add_argument("--qualities", nargs="+", choices=FLOOR_S, default=list(FLOOR_S))
    return parser.parse_args(arguments)


def _rows(plan: str, models: Models, options: argparse.Namespace) -> Iterator[str]:
    try:
        recipe, store = _recipe(_profile(plan, options), models, options)
    except GenerationError as error:
        yield f"does not fit: {error} | | | | |"
        return
    for quality in options.qualities:
        try:
            seconds, peak_bytes = attempt(partial(_measured, recipe, store, quality))
        except GenerationError as error:
            yield f"{quality} | {type(error).__name__} | | | |"
            continue
        first_s, next_s = seconds
        floor = "" if options.small else f"{FLOOR_S[quality]:.3f}"
        peak = "" if peak_bytes is None else f"{peak_bytes / GB:.2f}"
        planned = f"{store.plan.peak_bytes / GB:.2f}" if store.plan else ""
        yield f"{quality} | {first_s:.2f} | {next_s:.2f} | {floor} | {peak} | {planned}"


def _profile(plan: str, options: argparse.Namespace) -> Profile:
    steps, side_px = (2, 64) if options.small else (STEPS, 1024)
    values: dict[str, Any] = {
        "weights_dir": MICRO,
        "licence": "none",
        "sizes": {"1:1": {"width_px": side_px, "height_px": side_px}},
        "qualities": {"base": {"steps": steps}, "refined": {"steps": steps}, "flash": {}},
        "default_quality": "base",
        "batch_pictures": 1,
        "device": options.device,
        "precision": "auto",
        "memory_plan": plan,
    }
    return Profile.model_validate(values)


def _recipe(
    profile: Profile, models: Models, options: argparse.Namespace
) -> tuple[TextToImage, RandomStore]:
    device = find_device(profile.device)
    budget_bytes = free_device_bytes(device)
    if options.memory_gb is not None:
        budget_bytes = int(options.memory_gb * GB)
        bound_device_memory(device, budget_bytes)
    store = RandomStore(profile, device, budget_bytes=budget_bytes, ram_bytes=free_main_bytes())
    store.models = models
    return TextToImage(Kandinsky3(store), profile), store


def _measured(
    recipe: TextToImage, store: RandomStore, quality: Quality
) -> tuple[list[float], int | None]:
    """Draw two texts; return the seconds of each, and the most memory the second took."""
    size = store.profile.sizes["1:1"].model_dump()
    seconds: list[float] = []
    for text in TEXTS:
        _settle(store.device)
        started_s = time.perf_counter()
        prompt = f"{quality}: {text}"  # no other quality has cached it
        request = TextToImageRequest(prompt=prompt, quality=quality, seed=1, **size)
        recipe([request], _keep_all)
        seconds.append(time.perf_counter() - started_s)
    is_cuda = store.device.type == "cuda"
    return seconds, torch.cuda.max_memory_allocated(store.device) if is_cuda else None


def _settle(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)


def _keep_all(_step: Step) -> frozenset[int]:
    return frozenset()


if __name__ == "__main__":
    sys.exit(main())

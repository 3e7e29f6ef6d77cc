"""What the bot process costs before the first message: time to import and build, and memory."""

import re
import subprocess
import sys
from typing import Final

from benchmarks.figures import Figure, median

RUNS: Final = 3
BUILD: Final = """
import time
began = globals().get("began", time.perf_counter())
import asyncio
import bot.__main__
from tests.architecture.building import build_once
asyncio.run(build_once())
print("seconds", time.perf_counter() - began)
status = open("/proc/self/status").read()
print("rss", status.split("VmHWM:")[1].split()[0])
"""
PLAIN: Final = "import time; began = time.perf_counter(); import aiogram\n"


def _once(code: str) -> tuple[float, float]:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    seconds = re.search(r"seconds ([\d.]+)", done.stdout)
    rss_kb = re.search(r"rss (\d+)", done.stdout)
    assert seconds is not None
    assert rss_kb is not None
    return float(seconds[1]), int(rss_kb[1]) / 1000


def measure() -> list[Figure]:
    """Start fresh interpreters, alternating with ones that import aiogram or torch plainly."""
    runs, with_torch, plain = [], [], []
    for _ in range(RUNS):
        runs.append(_once(BUILD))
        with_torch.append(_once("import torch\n" + BUILD))
        plain.append(_once(PLAIN + BUILD))
    seconds, memory_mb = median([run[0] for run in runs]), median([run[1] for run in runs])
    plain_s, plain_mb = median([run[0] for run in plain]), median([run[1] for run in plain])
    torch_mb = median([run[1] for run in with_torch])
    return [
        Figure(
            "import and build the bot, s",
            seconds,
            f"median of {RUNS}; {plain_s:.2f} s if aiogram built all its types",
            2.0,
        ),
        Figure(
            "memory of the bot process, peak, MB",
            memory_mb,
            f"{plain_mb:.0f} MB if aiogram built all its types, {torch_mb:.0f} MB with torch",
            200,
        ),
    ]

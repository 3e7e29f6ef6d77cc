"""Which device there is, and how much memory."""

import os
from pathlib import Path
from typing import Final

import torch

from pipelines.contracts import GenerationError

_CGROUP: Final = Path("/sys/fs/cgroup")
_MEMINFO: Final = Path("/proc/meminfo")


class DeviceMissing(GenerationError):
    """The machine has no such device. The message names it."""

    code = "error-device-missing"


def find_device(name: str) -> torch.device:
    """Find a device and touch it, so that what is wrong with it shows now.

    Args:
        name: as torch names devices, or ``auto``: CUDA where there is any, else the CPU.

    Raises:
        DeviceMissing: there is none of that name.
        RuntimeError: there is, and CUDA does not answer this process; another one may be lucky.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise DeviceMissing(_unusable(name, _one_line(error))) from error
    if device.type == "cuda":
        # Both ask the driver and not this process's context, which may be broken.
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if (device.index or 0) >= count:
            raise DeviceMissing(_unusable(name, f"CUDA sees {count} devices"))
        torch.zeros(1, device=device).item()
        return device
    try:
        torch.zeros(1, device=device).item()
    except (RuntimeError, NotImplementedError, AssertionError) as error:
        raise DeviceMissing(_unusable(name, _one_line(error))) from error
    return device


def free_device_bytes(device: torch.device) -> int | None:
    """Memory of a GPU that nobody uses now; none for a CPU, which has no memory of its own."""
    if device.type != "cuda":
        return None
    free, _total = torch.cuda.mem_get_info(device)
    return free


def bound_device_memory(device: torch.device, budget_bytes: int) -> None:
    """Have a GPU's allocator refuse what goes beyond, whoever asks."""
    if device.type == "cuda":
        _free, total = torch.cuda.mem_get_info(device)
        torch.cuda.set_per_process_memory_fraction(min(1.0, budget_bytes / total), device)


def free_main_bytes(cgroup: Path = _CGROUP, meminfo: Path = _MEMINFO) -> int:
    """Main memory that may still be taken: of the machine, and of the container we may be in."""
    return min(_of_machine(meminfo), _of_container(cgroup, meminfo))


def _of_machine(meminfo: Path) -> int:
    try:
        lines = dict(line.split(":", 1) for line in meminfo.read_text().splitlines())
        return int(lines["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):  # no Linux
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _of_container(cgroup: Path, meminfo: Path) -> int:
    try:
        limit = int((cgroup / "memory.max").read_text())
        used = int((cgroup / "memory.current").read_text())
        counts = dict(line.split() for line in (cgroup / "memory.stat").read_text().splitlines())
        # Files that were read, the weights' own among them, are counted until others need room.
        cached = int(counts["active_file"]) + int(counts["inactive_file"])
        return max(0, limit - used + cached)
    except (OSError, KeyError, ValueError):  # no container, or one without a limit: "max"
        return _of_machine(meminfo)


def _unusable(name: str, reason: str) -> str:
    return f"device {name!r} cannot be used: {reason}"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__

"""The component store: loads, shares and evicts components under a memory budget.

A *component* is one set of weights: a text encoder, one UNet, a MoVQ. Modes share components, not
whole pipelines. What the components are is said by the blocks (``kandinsky3/load.py``).

A weights folder carries a ``manifest.json``: ``{"files": {"unet/config.json": {"bytes": 321,
"sha256": "..."}}}``, paths relative to the folder; what else it says is not read here.
"""

import hashlib
import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Generic, TypeVar, cast

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import nn

from pipelines.contracts import GenerationError, OutOfDeviceMemory
from pipelines.devices import (
    bound_device_memory,
    find_device,
    free_device_bytes,
    free_main_bytes,
)
from pipelines.headers import HeaderTensor, read_header, weigh
from pipelines.memory import (
    BLOCK_BYTES,
    Demand,
    MemoryPlan,
    Placement,
    Role,
    Weights,
    Working,
    plan,
)
from pipelines.profiles import Profile
from pipelines.quantise import quantise
from pipelines.residence import Hosted, Streamed, compute_on_cpu

MANIFEST: Final = "manifest.json"
_LOG: Final = logging.getLogger(__name__)
ComponentT = TypeVar("ComponentT")


class WeightsError(GenerationError):
    """Weights that are missing or not what they should be. The message names the file."""

    code = "error-weights-missing"

    def __init__(self, path: Path, expected: str) -> None:
        super().__init__(f"{path}: expected {expected}")
        self.path = path


@dataclass(frozen=True)
class Component(Generic[ComponentT]):
    """One set of weights and how to build it.

    Attributes:
        name: unique; what logs call it.
        path: its file or folder, relative to the weights folder.
        build: makes it from that path, in a precision, on a device. May raise whatever reading
            raises; the store turns it into :class:`WeightsError`.
        role: what the memory plan takes it for.
    """

    name: str
    path: str
    build: Callable[[Path, torch.dtype, torch.device], ComponentT]
    role: Role = "other"


class FileRecord(BaseModel):
    """What the manifest says of one file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    size_bytes: int = Field(alias="bytes")
    sha256: str


class Manifest(BaseModel):
    """The list of a weights folder's files, by path relative to it."""

    files: dict[str, FileRecord]


@dataclass
class _Lodger:
    """A loaded component."""

    value: Any
    device_bytes: int
    hosted: Hosted | Streamed | None = None
    is_there: bool = True
    """On the device, and not only in main memory."""


class ComponentStore:
    """Components by name, loaded when first asked for.

    Keeps what it counts, weights and the room reserved to work in, within ``budget_bytes``: before
    a component comes, those not used for longest leave. What of it stays, comes and goes, in which
    precision, is settled by :meth:`settle`; a component that was not settled is held whole and
    leaves like any other. A caller that keeps a component keeps its memory, so blocks ask again
    each time. Not thread-safe: it lives in the one thread that computes.

    Args:
        profile: which weights.
        device: where to compute.
        budget_bytes: of the device; none is no bound.
        ram_bytes: main memory for copies of what leaves the device.
        working: what components need to work in.
        block_bytes: most that a block of a streamed component takes.
    """

    def __init__(
        self,
        profile: Profile,
        device: torch.device,
        *,
        budget_bytes: int | None = None,
        ram_bytes: int = 0,
        working: Working | None = None,
        block_bytes: int = BLOCK_BYTES,
    ) -> None:
        self.profile = profile
        self.device = device
        self.dtype = _dtype(profile, device)
        self.budget_bytes = budget_bytes
        self.ram_bytes = ram_bytes
        self.plan: MemoryPlan | None = None
        self.evictions = 0
        self._working = working or Working(reserve_bytes=0 if device.type == "cpu" else 10**9)
        self._block_bytes = block_bytes
        self._lodgers: OrderedDict[str, _Lodger] = OrderedDict()
        self._headers: dict[str, Weights] = {}
        self._settled: dict[str, Weights] = {}
        self._shared: dict[Callable[[ComponentStore], Any], Any] = {}

    @classmethod
    def open(cls, profile: Profile, workers: int = 1) -> "ComponentStore":
        """Settle on a device and a number of threads for this process, and check the files.

        Args:
            profile: which weights.
            workers: processes that share this machine's main memory, each on its own device.

        Raises:
            DeviceMissing: the profile names a device that is not there.
            WeightsError: a file of the profile is missing or has another size.
        """
        if profile.threads:
            torch.set_num_threads(profile.threads)
        device = find_device(profile.device)
        bounds = [profile.memory_bytes, free_device_bytes(device)]
        if profile.memory_bytes is not None:
            bound_device_memory(device, profile.memory_bytes)
        store = cls(
            profile,
            device,
            budget_bytes=min((bound for bound in bounds if bound is not None), default=None),
            ram_bytes=0 if device.type == "cpu" else free_main_bytes() // workers,
        )
        store.check()
        return store

    @property
    def resident_bytes(self) -> int:
        """What is on the device."""
        return sum(lodger.device_bytes for lodger in self._lodgers.values() if lodger.is_there)

    @property
    def resident(self) -> tuple[str, ...]:
        """The names of what is on the device, the one not used for longest first."""
        return tuple(name for name, lodger in self._lodgers.items() if lodger.is_there)

    @property
    def pictures_at_once(self) -> int:
        """How many pictures the memory allows to be drawn together."""
        return self.plan.pictures_at_once if self.plan else self.profile.batch_pictures

    def settle(self, components: Sequence[Component[Any]]) -> MemoryPlan:
        """Plan where these components, and those settled before, are held; tell the log.

        One whose files cannot be read is left out; asking for it says what is wrong.

        Raises:
            DeviceTooSmall: there is no such plan for this device.
        """
        demand = Demand(
            name=self.profile.memory_plan,
            pixels=max(s.width_px * s.height_px for s in self.profile.sizes.values()),
            pictures=self.profile.batch_pictures,
            activation_bytes=self.dtype.itemsize,
            working=self._working,
            block_bytes=self._block_bytes,
        )
        for component in components:
            with suppress(WeightsError):
                self._settled[component.name] = self._weights(component)
        before, settled = self.plan, list(self._settled.values())
        self.plan = plan(settled, self.budget_bytes, self.ram_bytes, demand)
        held_as = before.placements if before else {}
        for name in list(self._lodgers):  # what is held otherwise than it now should be
            if held_as.get(name) != self.plan.placements.get(name):
                del self._lodgers[name]
        for line in self.plan.lines(str(self.dtype).removeprefix("torch.")):
            _LOG.info("%s", line)
        return self.plan

    def is_kept(self, component: Component[Any]) -> bool:
        """Whether it may be loaded ahead of its use: it is not read again each time."""
        placement = self._placement(component)
        return self.budget_bytes is None if placement is None else placement.where != "reloaded"

    def get(self, component: Component[ComponentT]) -> ComponentT:
        """Return the component, and see that it has room to work in; others may leave for it.

        Raises:
            WeightsError: its files are missing or do not fit.
            OutOfDeviceMemory: there is not enough room for it, even alone.
        """
        name = component.name
        self._make_room(component)
        if name not in self._lodgers:
            self._lodgers[name] = self._load(component)
        lodger = self._lodgers[name]
        if lodger.hosted and not lodger.is_there:
            lodger.hosted.come()
            lodger.is_there = True
        self._lodgers.move_to_end(name)
        return cast("ComponentT", lodger.value)

    def has(self, component: Component[Any]) -> bool:
        """Whether the weights folder has the component at all."""
        return (self.profile.weights_dir / component.path).exists()

    def shared(self, build: "Callable[[ComponentStore], ComponentT]") -> ComponentT:
        """Return what is built over these components once, for all modes together."""
        if build not in self._shared:
            self._shared[build] = build(self)
        return cast("ComponentT", self._shared[build])

    def size_bytes(self, component: Component[Any]) -> int:
        """How much the component takes once loaded, read from its files' headers.

        Raises:
            WeightsError: a file is missing or is no safetensors file.
        """
        return self._weights(component).sizes["full"]

    def check(self) -> None:
        """Compare every file's size with the manifest: a truncated copy is found at once.

        Raises:
            WeightsError: names the first file that is missing or has another size.
        """
        for path, record in self._manifest():
            if not path.is_file():
                raise WeightsError(path, "a file, found none")
            if (size_bytes := path.stat().st_size) != record.size_bytes:
                raise WeightsError(path, f"{record.size_bytes} bytes, found {size_bytes}")

    def verify(self) -> None:
        """Compare every file's contents with the manifest; reads all of them.

        Raises:
            WeightsError: names the first file that is not the one the manifest was made of.
        """
        self.check()
        for path, record in self._manifest():
            with path.open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
            if found != record.sha256:
                raise WeightsError(path, f"sha256 {record.sha256}, found {found}")

    def _manifest(self) -> list[tuple[Path, FileRecord]]:
        path = self.profile.weights_dir / MANIFEST
        try:
            manifest = Manifest.model_validate_json(path.read_bytes())
        except OSError as error:
            raise self._absent(path, "the list of this profile's weights") from error
        except ValidationError as error:
            raise WeightsError(path, "bytes and sha256 of each file") from error
        return [(path.parent / name, record) for name, record in manifest.files.items()]

    def _path(self, component: Component[Any]) -> Path:
        path = self.profile.weights_dir / component.path
        if not path.exists():
            raise self._absent(path, f"the {component.name}, found nothing")
        return path

    def _absent(self, path: Path, expected: str) -> WeightsError:
        is_ours = path.is_relative_to(self.profile.weights_dir)  # and not a language model's
        component = path.relative_to(self.profile.weights_dir).parts[0] if is_ours else ""
        command = self.profile.fetch_command_for(component) if is_ours else None
        return WeightsError(path, f"{expected}; to get it: {command}" if command else expected)

    def _weights(self, component: Component[Any]) -> Weights:
        if component.name not in self._headers:
            path = self._path(component)
            files = sorted(path.rglob("*.safetensors")) if path.is_dir() else [path]
            tensors = [tensor for file in files for tensor in _header(file, self.dtype.itemsize)]
            self._headers[component.name] = weigh(component.name, component.role, tensors)
        return self._headers[component.name]

    def _placement(self, component: Component[Any]) -> Placement | None:
        return self.plan.placements.get(component.name) if self.plan else None

    def _load(self, component: Component[Any]) -> _Lodger:
        placement = self._placement(component)
        if component.role == "host":
            return _Lodger(self._build(component, torch.device("cpu")), 0)
        if placement is None:
            return _Lodger(self._build(component, self.device), self.size_bytes(component))
        if placement.where in {"stays", "reloaded"} and placement.precision == "full":
            return _Lodger(self._build(component, self.device), placement.device_bytes)
        module: nn.Module = self._build(component, torch.device("cpu"))
        if placement.precision != "full":
            quantise(module, 8 if placement.precision == "8bit" else 4, self.device)
        return self._housed(module, placement)

    def _housed(self, module: nn.Module, placement: Placement) -> _Lodger:
        """Put a module that is in main memory where the plan wants it."""
        # Pinning rounds up to powers of two.
        copies_bytes = self.plan.host_bytes if self.plan else 0
        is_pinned = self.device.type == "cuda" and 2 * copies_bytes <= self.ram_bytes
        match placement.where:
            case "cpu":
                return _Lodger(compute_on_cpu(module, self.device), 0)
            case "streamed":
                streamed = Streamed(module, self.device, self._block_bytes, is_pinned=is_pinned)
                return _Lodger(module, streamed.size_bytes, streamed, is_there=False)
            case "swapped":
                hosted = Hosted(module.modules(), self.device, is_pinned=is_pinned)
                return _Lodger(module, placement.device_bytes, hosted, is_there=False)
            case _:
                return _Lodger(module.to(self.device), placement.device_bytes)

    def _build(self, component: Component[ComponentT], device: torch.device) -> ComponentT:
        path = self._path(component)
        try:
            built = component.build(path, self.dtype, device)
        except (WeightsError, MemoryError, torch.OutOfMemoryError, torch.AcceleratorError):
            raise  # nothing is wrong with the file
        except Exception as error:  # what a broken file raises depends on where it is broken
            raise WeightsError(path, f"the {component.name} ({_one_line(error)})") from error
        _LOG.info("loaded %s, %.1f MB", component.name, self.size_bytes(component) / 1e6)
        return built

    def _make_room(self, component: Component[Any]) -> None:
        """Let those go that were not used for longest, until it fits with room to work in.

        The plan has room for all that it knows beside what stays; what it does not know may
        need that, too.

        Raises:
            OutOfDeviceMemory: it does not fit, even alone.
        """
        if self.budget_bytes is None or component.role == "host":
            return
        name, placement = component.name, self._placement(component)
        wanted = placement.device_bytes if placement else self.size_bytes(component)
        room = placement.room_bytes if placement else 0
        wanted = room if name in self.resident else wanted + room
        others = [o for o in self.resident if o != name and self._lodgers[o].device_bytes]
        leaving = sorted(others, key=self._stays)  # stable: by the time of their last use
        evictions = self.evictions
        while leaving and self.resident_bytes + wanted > self.budget_bytes:
            self._evict(leaving.pop(0))
        if self.evictions > evictions and self.device.type == "cuda":
            torch.cuda.empty_cache()
        if self.resident_bytes + wanted > self.budget_bytes:
            msg = f"{name} takes {wanted} bytes of {self.budget_bytes}"
            raise OutOfDeviceMemory(msg)

    def _stays(self, name: str) -> bool:
        placement = self.plan.placements.get(name) if self.plan else None
        return placement is not None and placement.where == "stays"

    def _evict(self, name: str) -> None:
        lodger = self._lodgers[name]
        if lodger.hosted:
            lodger.hosted.leave()
            lodger.is_there = False
        else:
            del self._lodgers[name]
        self.evictions += 1
        _LOG.info("%s left the device, %.1f MB", name, lodger.device_bytes / 1e6)


def _dtype(profile: Profile, device: torch.device) -> torch.dtype:
    """Read the profile's precision; by itself it is what the device is made for."""
    name: str = profile.precision
    if name == "auto":
        name = "float32" if device.type == "cpu" else "bfloat16"
    return cast("torch.dtype", getattr(torch, name))


def _header(path: Path, floating_bytes: int) -> list[HeaderTensor]:
    try:
        return read_header(path, floating_bytes)
    except (OSError, ValueError) as error:
        raise WeightsError(path, f"a safetensors file ({_one_line(error)})") from error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__

"""The component store: loads, shares and evicts components under a memory budget.

A *component* is one set of weights: a text encoder, one UNet, a MoVQ. Modes share components, not
whole pipelines. What the components are is said by the blocks (``kandinsky3/load.py``).

A weights folder carries a ``manifest.json``: ``{"files": {"unet/config.json": {"bytes": 321,
"sha256": "..."}}}``, paths relative to the folder; what else it says is not read here.
"""

import hashlib
import json
import logging
import math
import struct
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Generic, TypeVar, cast

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipelines.contracts import GenerationError
from pipelines.profiles import Profile

MANIFEST: Final = "manifest.json"
_LOG: Final = logging.getLogger(__name__)
_FLOATING: Final = frozenset({"F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2"})
_OTHER_BYTES: Final = {"BOOL": 1, "U8": 1, "I8": 1, "I16": 2, "U16": 2, "I32": 4, "I64": 8}

ComponentT = TypeVar("ComponentT")


class WeightsError(GenerationError):
    """Weights that are missing or not what they should be. The message names the file."""

    code = "error-weights-missing"

    def __init__(self, path: Path, expected: str) -> None:
        super().__init__(f"{path}: expected {expected}")
        self.path = path


class DeviceMissing(GenerationError):
    """The machine has no such device, or it does not answer. The message names it."""

    code = "error-device-missing"


@dataclass(frozen=True)
class Component(Generic[ComponentT]):
    """One set of weights and how to build it.

    Attributes:
        name: unique; what logs call it.
        path: its file or folder, relative to the weights folder.
        build: makes it from that path, in a precision, on a device. May raise whatever reading
            raises; the store turns it into :class:`WeightsError`.
    """

    name: str
    path: str
    build: Callable[[Path, torch.dtype, torch.device], ComponentT]


class FileRecord(BaseModel):
    """What the manifest says of one file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    size_bytes: int = Field(alias="bytes")
    sha256: str


class Manifest(BaseModel):
    """The list of a weights folder's files, by path relative to it."""

    files: dict[str, FileRecord]


class ComponentStore:
    """Components by name, loaded when first asked for.

    Never holds more than ``budget_bytes`` of weights, unless a single component is larger by
    itself: before a component is loaded, those not used for longest leave. A caller that keeps a
    component keeps its memory, so blocks ask again each time. Not thread-safe: it lives in the
    one thread that computes.
    """

    def __init__(
        self, profile: Profile, device: torch.device, *, budget_bytes: int | None = None
    ) -> None:
        self.profile = profile
        self.device = device
        self.dtype = cast("torch.dtype", getattr(torch, profile.precision))
        self.budget_bytes = budget_bytes
        self.evictions = 0
        self._loaded: OrderedDict[str, Any] = OrderedDict()
        self._sizes_bytes: dict[str, int] = {}

    @classmethod
    def open(cls, profile: Profile) -> "ComponentStore":
        """Settle on a device and a number of threads for this process, and check the files.

        Raises:
            DeviceMissing: the profile names a device that is not there.
            WeightsError: a file of the profile is missing or has another size.
        """
        if profile.threads:
            torch.set_num_threads(profile.threads)
        store = cls(profile, _device(profile.device), budget_bytes=profile.memory_bytes)
        store.check()
        return store

    @property
    def resident_bytes(self) -> int:
        """What the loaded components take."""
        return sum(self._sizes_bytes[name] for name in self._loaded)

    @property
    def resident(self) -> tuple[str, ...]:
        """The loaded components' names, the one not used for longest first."""
        return tuple(self._loaded)

    def get(self, component: Component[ComponentT]) -> ComponentT:
        """Return the component, loading it (and evicting others) if need be.

        Raises:
            WeightsError: its files are missing or do not fit.
        """
        if component.name not in self._loaded:
            self._make_room(self.size_bytes(component))
            self._loaded[component.name] = self._build(component)
        self._loaded.move_to_end(component.name)
        return cast("ComponentT", self._loaded[component.name])

    def size_bytes(self, component: Component[Any]) -> int:
        """How much the component takes once loaded, read from its files' headers.

        Raises:
            WeightsError: a file is missing or is no safetensors file.
        """
        if component.name not in self._sizes_bytes:
            path = self._path(component)
            files = sorted(path.rglob("*.safetensors")) if path.is_dir() else [path]
            self._sizes_bytes[component.name] = sum(
                _tensor_bytes(file, self.dtype.itemsize) for file in files
            )
        return self._sizes_bytes[component.name]

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
            raise WeightsError(path, "the list of this profile's weights") from error
        except ValidationError as error:
            raise WeightsError(path, "bytes and sha256 of each file") from error
        return [(path.parent / name, record) for name, record in manifest.files.items()]

    def _path(self, component: Component[Any]) -> Path:
        path = self.profile.weights_dir / component.path
        if not path.exists():
            raise WeightsError(path, f"the {component.name}, found nothing")
        return path

    def _build(self, component: Component[ComponentT]) -> ComponentT:
        path = self._path(component)
        try:
            built = component.build(path, self.dtype, self.device)
        except (WeightsError, MemoryError, torch.OutOfMemoryError, torch.AcceleratorError):
            raise  # nothing is wrong with the file
        except Exception as error:  # what a broken file raises depends on where it is broken
            raise WeightsError(path, f"the {component.name} ({_one_line(error)})") from error
        _LOG.info("loaded %s, %.1f MB", component.name, self.size_bytes(component) / 1e6)
        return built

    def _make_room(self, wanted_bytes: int) -> None:
        if self.budget_bytes is None:
            return
        while self._loaded and self.resident_bytes + wanted_bytes > self.budget_bytes:
            name, _ = self._loaded.popitem(last=False)
            self.evictions += 1
            _LOG.info("evicted %s, %.1f MB", name, self._sizes_bytes[name] / 1e6)
        if self.device.type == "cuda":
            torch.cuda.empty_cache()


def _device(name: str) -> torch.device:
    """Find the device and put a number on it: a driver that is missing is noticed by that only."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).item()
    except (RuntimeError, AssertionError) as error:  # the latter where torch has no CUDA in it
        msg = f"device {name!r} cannot be used: {_one_line(error)}"
        raise DeviceMissing(msg) from error
    return device


def _tensor_bytes(path: Path, floating_bytes: int) -> int:
    """Sum a safetensors file's tensors, floating-point ones at the given width.

    The format: 8 bytes with the header's length, little-endian, then the header as JSON.
    """
    try:
        with path.open("rb") as file:
            (header_bytes,) = struct.unpack("<Q", file.read(8))
            header = json.loads(file.read(min(header_bytes, path.stat().st_size)))
        return sum(
            math.prod(tensor["shape"])
            * (floating_bytes if tensor["dtype"] in _FLOATING else _OTHER_BYTES[tensor["dtype"]])
            for name, tensor in header.items()
            if name != "__metadata__"
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, struct.error) as error:
        raise WeightsError(path, f"a safetensors file ({_one_line(error)})") from error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__

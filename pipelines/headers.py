"""What a safetensors file says of its tensors, without reading them."""

import json
import math
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from pipelines.memory import Role, Weights
from pipelines.quantise import quantised_bytes

_TABLES: Final = ("shared", "embed_tokens", "relative_attention_bias")
_FLOATING: Final = frozenset({"F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2"})
_WIDTHS: Final = {"BOOL": 1, "U8": 1, "I8": 1, "I16": 2, "U16": 2, "I32": 4, "I64": 8}


@dataclass(frozen=True, slots=True)
class HeaderTensor:
    """One tensor; ``size_bytes`` is in the precision it will be held in."""

    name: str
    shape: tuple[int, ...]
    size_bytes: int

    def quantised_bytes(self, bits: Literal[8, 4]) -> int:
        """What it takes where Linear layers are held in fewer bits; a T5's tables are none."""
        is_table = any(word in self.name for word in _TABLES)
        if len(self.shape) != 2 or is_table:
            return self.size_bytes
        return quantised_bytes(*self.shape, bits)


def weigh(name: str, role: Role, tensors: Iterable[HeaderTensor]) -> Weights:
    """Sum a component's tensors up for the memory plan."""
    known = list(tensors)
    return Weights(
        name=name,
        role=role,
        sizes={
            "full": sum(tensor.size_bytes for tensor in known),
            "8bit": sum(tensor.quantised_bytes(8) for tensor in known),
            "4bit": sum(tensor.quantised_bytes(4) for tensor in known),
        },
        largest_tensor=max((tensor.size_bytes for tensor in known), default=0),
    )


def read_header(path: Path, floating_bytes: int) -> list[HeaderTensor]:
    """List a file's tensors, floating-point ones at the given width.

    The format: 8 bytes with the header's length, little-endian, then the header as JSON.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no safetensors file.
    """
    try:
        with path.open("rb") as file:
            (header_bytes,) = struct.unpack("<Q", file.read(8))
            header = json.loads(file.read(min(header_bytes, path.stat().st_size)))
        return [
            HeaderTensor(
                name,
                tuple(tensor["shape"]),
                math.prod(tensor["shape"])
                * (floating_bytes if tensor["dtype"] in _FLOATING else _WIDTHS[tensor["dtype"]]),
            )
            for name, tensor in header.items()
            if name != "__metadata__"
        ]
    except (KeyError, TypeError, AttributeError, struct.error) as error:
        raise ValueError(str(error)) from error

"""Tensors in files: reading what others pickled without running it, writing safetensors."""

import json
import os
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import torch
from safetensors.torch import load_file
from torch import Tensor
from tqdm import tqdm

from pipelines.checkpoints.errors import BadCheckpoint

_DTYPES: Final = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
}


def read_pickle(path: Path) -> object:
    """Read a file of ``torch.save`` that holds nothing but tensors in plain containers.

    The tensors stay on the disk until they are looked at; only files of the old, unzipped format
    are read at once.

    Raises:
        BadCheckpoint: it is no such file, or it asks for code to be run.
    """
    try:
        contents: object = torch.load(
            path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path)
        )
    except Exception as error:  # what a broken file raises depends on where it is broken
        raise BadCheckpoint(path, "a torch file of tensors and nothing else") from error
    return contents


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """Read a safetensors file; the tensors stay on the disk until they are looked at.

    Raises:
        BadCheckpoint: it is no such file.
    """
    try:
        return load_file(path)
    except Exception as error:  # what a broken file raises depends on where it is broken
        raise BadCheckpoint(path, "a safetensors file") from error


def as_tensors(path: Path, contents: object, what: str) -> dict[str, Tensor]:
    """Insist that the contents of a file are floating-point tensors by name.

    Args:
        path: the file, for the message.
        contents: what was read from it, or a part of that.
        what: what it should have been, for the message.

    Raises:
        BadCheckpoint: they are something else.
    """
    if not isinstance(contents, Mapping) or not contents:
        raise BadCheckpoint(path, what)
    for name, tensor in contents.items():
        if not isinstance(tensor, Tensor) or tensor.dtype not in _DTYPES:
            raise BadCheckpoint(path, f"{what}, found something else under {str(name)!r}")
    return {str(name): tensor for name, tensor in contents.items()}


def check_fits(path: Path, tensors: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> None:
    """Compare names and shapes with a model's state, which may lie on the meta device.

    Raises:
        BadCheckpoint: names the first tensor that does not fit.
    """
    for name, like in wanted.items():
        if name not in tensors:
            raise BadCheckpoint(path, f"a tensor for {name}, found none")
        if (found := tuple(tensors[name].shape)) != (shape := tuple(like.shape)):
            raise BadCheckpoint(path, f"{name} of shape {shape}, found {found}")
    if foreign := sorted(tensors.keys() - wanted.keys()):
        raise BadCheckpoint(path, f"no tensor {foreign[0]}")


def write_safetensors(path: Path, tensors: Mapping[str, Tensor], **facts: str) -> None:
    """Write tensors one after the other, so that one is in memory at a time.

    The format: 8 bytes with the header's length, little-endian, the header as JSON, padded so that
    the tensors begin at a multiple of 8, and their bytes; the wider numbers first, so that each
    tensor is aligned.

    Args:
        path: the file; its folder exists.
        tensors: floating point, any shape.
        facts: what the file says of itself.

    Raises:
        OSError: it cannot be written.
    """
    ordered = sorted(tensors.items(), key=lambda item: -item[1].element_size())
    header: dict[str, object] = {"__metadata__": {"format": "pt", **facts}}
    end = 0
    for name, tensor in ordered:
        begin, end = end, end + tensor.numel() * tensor.element_size()
        header[name] = {
            "dtype": _DTYPES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [begin, end],
        }
    encoded = json.dumps(header).encode()
    encoded += b" " * (-len(encoded) % 8)
    bar = tqdm(
        total=end,
        unit="B",
        unit_scale=True,
        desc=f"writing {path.parent.name}/{path.name}"[-40:],
        disable=None,
    )
    with path.open("wb") as file, bar:
        file.write(struct.pack("<Q", len(encoded)) + encoded)
        for _, tensor in ordered:
            raw = tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy()
            file.write(raw.data)
            bar.update(raw.nbytes)
        file.flush()
        os.fsync(file.fileno())

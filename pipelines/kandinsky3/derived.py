"""UNets that were trained on from the base one, and published whole with what was added to it.

Nobody has stated whether the base stayed as it was. If it did, what was added is all there is to
keep, and goes onto the UNet that all modes share; if not, the UNet is kept beside the base.
"""

import math
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from torch import Tensor
from tqdm import tqdm

from pipelines.checkpoints.tensors import check_fits, read_safetensors, write_safetensors
from pipelines.kandinsky3.convert import WEIGHTS
from pipelines.kandinsky3.names import unet_name

BASE: Final = ("unet", "conditioning.safetensors")
"""What of the weights folder a derived UNet is compared with."""

_PROJECTION_NAMES: Final = {
    "projection_lin.weight": "linear.weight",
    "projection_ln.weight": "norm.weight",
    "projection_ln.bias": "norm.bias",
}
_NULL_EMBEDDING: Final = "null_embedding"


@dataclass(frozen=True)
class Derived:
    """A derived UNet, by our names; its tensors lie on the disk until they are looked at.

    Attributes:
        path: the published file.
        unet: what the base UNet has, too.
        projection: likewise of the base's conditioning; but for its null embedding, which was not
            trained on.
        added: the rest.
    """

    path: Path
    unet: dict[str, Tensor]
    projection: dict[str, Tensor]
    added: dict[str, Tensor]


@dataclass(frozen=True)
class Comparison:
    """How much of a derived UNet is the base's.

    Attributes:
        shared: how many tensors both have.
        equal: how many of those hold the same numbers, in the coarser precision of the two.
        largest_difference: of any two numbers.
        where: the tensor it is in.
    """

    shared: int
    equal: int
    largest_difference: float
    where: str

    @property
    def is_base(self) -> bool:
        """Whether the derived UNet is the base UNet."""
        return self.equal == self.shared

    @property
    def facts(self) -> dict[str, str]:
        """What files made of it say of it."""
        return {
            "shared_tensors": str(self.shared),
            "equal_tensors": str(self.equal),
            "largest_difference": f"{self.largest_difference:.6g}",
        }

    def __str__(self) -> str:
        """Say it in words."""
        found = f"{self.equal} of {self.shared} tensors it shares with the base model are equal"
        if self.is_base:
            return found
        return f"{found}, the largest difference is {self.largest_difference:.3g} in {self.where}"


def take_apart(
    path: Path, published: Mapping[str, Tensor], is_added: Callable[[str], bool]
) -> Derived:
    """Sort a derived UNet's tensors by what they belong to.

    Args:
        path: the published file.
        published: its tensors by their original names.
        is_added: tells by its original name whether a tensor was added to the base.
    """
    derived = Derived(path, {}, {}, {})
    for name, tensor in published.items():
        if is_added(name):
            derived.added[name] = tensor
        elif name in _PROJECTION_NAMES:
            derived.projection[_PROJECTION_NAMES[name]] = tensor
        else:
            derived.unet[unet_name(name)] = tensor
    return derived


def compare(derived: Derived, weights_dir: Path) -> Comparison:
    """Compare it with the base model, tensor by tensor, so that two are in memory at a time.

    Raises:
        BadCheckpoint: it is no UNet of the base's names and shapes.
    """
    unet, conditioning = _base(weights_dir)
    del conditioning[_NULL_EMBEDDING]
    check_fits(derived.path, derived.unet, unet)
    check_fits(derived.path, derived.projection, conditioning)
    pairs = [(name, derived.unet[name], unet[name]) for name in unet]
    pairs += [(name, derived.projection[name], conditioning[name]) for name in conditioning]
    differences = {
        name: _difference(theirs, ours)
        for name, theirs, ours in tqdm(pairs, desc="comparing with the base", disable=None)
    }
    where = max(differences, key=lambda name: differences[name])
    equal = sum(difference == 0 for difference in differences.values())
    return Comparison(len(pairs), equal, differences[where], where)


def keep(derived: Derived, variant: str, made: Path, weights_dir: Path) -> None:
    """Write its UNet and conditioning as a variant of their own.

    The base's null embedding goes with them: what was derived does without one, and the
    conditioning has it by its layout.
    """
    folder = made / f"unet_{variant}"
    folder.mkdir()
    shutil.copyfile(weights_dir / "unet" / "config.json", folder / "config.json")
    write_safetensors(folder / WEIGHTS, derived.unet, variant=variant)
    _, conditioning = _base(weights_dir)
    tensors = {**derived.projection, _NULL_EMBEDDING: conditioning[_NULL_EMBEDDING]}
    write_safetensors(made / f"conditioning_{variant}.safetensors", tensors, variant=variant)


def _base(weights_dir: Path) -> tuple[Mapping[str, Tensor], dict[str, Tensor]]:
    unet, conditioning = BASE
    return (
        read_safetensors(weights_dir / unet / WEIGHTS),
        read_safetensors(weights_dir / conditioning),
    )


def _difference(theirs: Tensor, ours: Tensor) -> float:
    """Give the largest difference of two numbers; endless where one of them is none."""
    coarser = min(theirs, ours, key=Tensor.element_size).dtype
    theirs, ours = theirs.to(coarser), ours.to(coarser)
    if torch.equal(theirs, ours):
        return 0.0
    largest = float((theirs.float() - ours.float()).abs().max())
    return math.inf if math.isnan(largest) else largest

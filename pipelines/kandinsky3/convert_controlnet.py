"""The published ControlNets of both generations, and the network that finds edges for them.

Source: ai-forever/kandinsky3-diffusers, `unet_kandi3.py:1009-1227` (main) and `:1230-1332` (branch
`depreciated`); huggingface/controlnet_aux, `hed/__init__.py`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, cast

import torch
from torch import Tensor

from pipelines.checkpoints.records import Conversion, Part
from pipelines.checkpoints.tensors import as_tensors, check_fits, read_pickle, write_safetensors
from pipelines.kandinsky3 import controlnet_layout as layout
from pipelines.kandinsky3 import derived
from pipelines.kandinsky3.controlnet import ControlBranch, InputHint
from pipelines.kandinsky3.convert import empty_unet
from pipelines.kandinsky3.hed import HED
from pipelines.profiles import UNetShape

_OF_A_BRANCH: Final = "convs.0.weight"
"""A tensor that a side branch has, and a UNet with a hint encoder has not."""


def _controlnet(work: Conversion) -> None:
    """Make a ControlNet of either generation, and the UNet it goes with only if it is its own."""
    (path,) = work.files["controlnet"]
    published = as_tensors(path, read_pickle(path), "the tensors of a ControlNet")
    control, tensors = _control(work.hub.unet, published)
    check_fits(path, tensors, control.state_dict())
    variant, facts = _unet(work, path, published)
    made = work.made / "controlnet"
    made.mkdir()
    layout.write_config(control, made)
    write_safetensors(made / layout.WEIGHTS, tensors, variant=variant, **facts)


def _control(
    shape: UNetShape, published: Mapping[str, Tensor]
) -> tuple[ControlBranch | InputHint, dict[str, Tensor]]:
    """Tell the generations apart; build the ControlNet without weights, and name these."""
    with torch.device("meta"):
        unet = empty_unet(shape, "base")
        if _OF_A_BRANCH in published:
            tensors = {layout.branch_name(name): tensor for name, tensor in published.items()}
            return ControlBranch(unet), tensors
        tensors = {
            layout.hint_name(name): tensor
            for name, tensor in published.items()
            if layout.is_of_the_hint(name)
        }
        return InputHint(cast("Any", unet).conv_in.out_channels), tensors


def _unet(
    work: Conversion, path: Path, published: Mapping[str, Tensor]
) -> tuple[str, dict[str, str]]:
    """Compare the UNet that was published with it, keep it if need be, and name its variant.

    A side branch's UNet is a file of its own. Where the hub section does not name it, the branch
    is taken to be the base's.
    """
    if _OF_A_BRANCH in published:
        if "controlnet_unet" not in work.files:
            work.say("controlnet: its UNet is not looked at, it goes with the base")
            return "base", {}
        (path,) = work.files["controlnet_unet"]
        published = as_tensors(path, read_pickle(path), "the tensors of a Kandinsky 3 UNet")
    found = derived.take_apart(path, published, layout.is_of_the_hint)
    comparison = derived.compare(found, work.weights_dir)
    variant = "base" if comparison.is_base else "controlnet"
    kept = "it goes with the base" if comparison.is_base else "its UNet is kept as unet_controlnet"
    work.say(f"controlnet: {comparison}: {kept}")
    if not comparison.is_base:
        derived.keep(found, variant, work.made, work.weights_dir)
    return variant, comparison.facts


def _hed(work: Conversion) -> None:
    """Make the network that finds edges; its names stay."""
    (path,) = work.files["hed"]
    tensors = as_tensors(path, read_pickle(path), "the tensors of a HED")
    with torch.device("meta"):
        check_fits(path, tensors, HED().state_dict())
    write_safetensors(work.made / "hed.safetensors", tensors)


PARTS: Final = (
    Part(
        "controlnet",
        ("controlnet",),
        ("controlnet",),
        _controlnet,
        may_need=("controlnet_unet",),
        may_make=("unet_controlnet", "conditioning_controlnet.safetensors"),
        requires=derived.BASE,
    ),
    Part("hed", ("hed",), ("hed.safetensors",), _hed),
)

"""How a ControlNet lies in a folder: its tensors' names, the originals' too, and its config.

``config.json`` says all that the tensors do not::

    {"kind": "branch", "hint_channels": [16, 32, 96, 256], "unet": {... of the Kandinsky3UNet}}
    {"kind": "hint", "hint_channels": [16, 32, 96, 256], "out_channels": 192}

A UNet that was published with it is a variant of its own, beside the folder (see ``load.py``).

Source: ai-forever/kandinsky3-diffusers, `unet_kandi3.py:978-1332` (the names).
"""

import re
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import torch
from diffusers import Kandinsky3UNet
from pydantic import BaseModel, ConfigDict, Field, PositiveInt, TypeAdapter
from torch import nn

from pipelines.kandinsky3.controlnet import HINT_CHANNELS, ControlBranch, InputHint
from pipelines.kandinsky3.names import unet_name

CONFIG: Final = "config.json"
WEIGHTS: Final = "diffusion_pytorch_model.safetensors"

_HINT: Final = re.compile(r"^input_hint_block\.(?:conv(\d)|(out))\.")
_LAST: Final = 7
"""The original's ``out`` is the convolution after its ``conv7``, which is our 6."""

_Channels = tuple[PositiveInt, PositiveInt, PositiveInt, PositiveInt]


class _BranchConfig(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["branch"] = "branch"
    hint_channels: _Channels = HINT_CHANNELS
    unet: dict[str, Any] = Field(description="arguments of the Kandinsky3UNet it was copied from")

    def empty(self) -> ControlBranch:
        unet: Any = Kandinsky3UNet.from_config(self.unet)
        return ControlBranch(unet, self.hint_channels)


class _HintConfig(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["hint"] = "hint"
    hint_channels: _Channels = HINT_CHANNELS
    out_channels: PositiveInt

    def empty(self) -> InputHint:
        return InputHint(self.out_channels, self.hint_channels)


_Config = Annotated[_BranchConfig | _HintConfig, Field(discriminator="kind")]


def is_of_the_hint(original: str) -> bool:
    """Whether a tensor of a published hint-encoder UNet belongs to the encoder."""
    return _HINT.match(original) is not None


def hint_name(original: str) -> str:
    """Translate the name of a hint encoder's tensor to :class:`InputHint`'s."""
    return _HINT.sub(lambda m: f"convs.{int(m[1]) - 1 if m[1] else _LAST}.", original)


def branch_name(original: str) -> str:
    """Translate the name of a published side branch's tensor to :class:`ControlBranch`'s."""
    if is_of_the_hint(original):
        return f"hint.{hint_name(original)}"
    return unet_name(re.sub(r"^convs\.", "zero_convs.", original))


def write_config(control: nn.Module, folder: Path) -> None:
    """Write the config of a ControlNet, with or without its weights, into its folder.

    Args:
        control: a :class:`ControlBranch` or an :class:`InputHint`.
        folder: is there.
    """
    config: _BranchConfig | _HintConfig
    if isinstance(control, ControlBranch):
        config = _BranchConfig(hint_channels=_widths(control.hint), unet=dict(control.unet_config))
    elif isinstance(control, InputHint):
        config = _HintConfig(hint_channels=_widths(control), out_channels=_out(control))
    else:
        raise TypeError(control)
    (folder / CONFIG).write_text(config.model_dump_json(indent=2) + "\n", encoding="utf-8")


def empty(folder: Path) -> ControlBranch | InputHint:
    """Build the ControlNet that a folder's config describes, without weights.

    Raises:
        ValueError: the config is none of a ControlNet.
    """
    text = (folder / CONFIG).read_text(encoding="utf-8")
    config: _BranchConfig | _HintConfig = TypeAdapter[Any](_Config).validate_json(text)
    with torch.device("meta"):
        return config.empty()


def _widths(hint: InputHint) -> _Channels:
    first, _, second, _, third, _, fourth, _ = (conv.out_channels for conv in _convs(hint))
    return first, second, third, fourth


def _out(hint: InputHint) -> int:
    return _convs(hint)[-1].out_channels


def _convs(hint: InputHint) -> list[nn.Conv2d]:
    return [conv for conv in hint.convs if isinstance(conv, nn.Conv2d)]

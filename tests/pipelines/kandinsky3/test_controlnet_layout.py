import json
from pathlib import Path

import pytest
import torch
from torch import nn

from pipelines.kandinsky3.controlnet import ControlBranch, InputHint
from pipelines.kandinsky3.controlnet_layout import (
    branch_name,
    empty,
    hint_name,
    is_of_the_hint,
    write_config,
)
from pipelines.kandinsky3.convert import empty_unet
from pipelines.kandinsky3.names import unet_name
from pipelines.profiles import UNetShape
from tests.pipelines.kandinsky3.controls import branch_state, fingerprint, hint_unet_state
from tests.pipelines.kandinsky3.published import UNET_SHAPE

BRANCH_LAYOUT = "b4e06ff5b659d569437cfdf720d08dc236ba597729017b04c96f832d3026c8c3"
HINT_LAYOUT = "d2d05e9ba9e2985bf7058ae228b7ee21ceae6bd0cbab4e477ece61294a983dc2"
"""Of the original's small models, every tensor drawn from its name and shape."""


def small_unet() -> nn.Module:
    with torch.device("meta"):
        return empty_unet(UNetShape.model_validate(UNET_SHAPE), "base")


def shapes(module: nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}


def test_the_published_side_branch_is_ours_by_other_names() -> None:
    state = branch_state()
    assert fingerprint(state) == BRANCH_LAYOUT
    translated = {branch_name(name): tuple(tensor.shape) for name, tensor in state.items()}
    assert translated == shapes(ControlBranch(small_unet()))


def test_the_published_hint_unet_is_a_unet_and_a_hint_encoder_by_other_names() -> None:
    state = hint_unet_state()
    assert fingerprint(state) == HINT_LAYOUT
    hint = {hint_name(n): tuple(t.shape) for n, t in state.items() if is_of_the_hint(n)}
    assert hint == shapes(InputHint(16))
    rest = {
        unet_name(name): tuple(tensor.shape)
        for name, tensor in state.items()
        if not is_of_the_hint(name) and not name.startswith("projection_")
    }
    assert rest == shapes(small_unet())


def test_at_its_full_size_the_side_branch_weighs_what_was_published() -> None:
    with torch.device("meta"):
        branch = ControlBranch(empty_unet(UNetShape(), "base"))
    numbers = sum(weight.numel() for weight in branch.parameters())
    assert numbers * torch.bfloat16.itemsize == 939_227_168


def test_a_branch_is_built_again_from_its_config(tmp_path: Path) -> None:
    branch = ControlBranch(small_unet(), hint_channels=(4, 6, 8, 10)).to_empty(device="cpu")
    for weight in branch.parameters():
        nn.init.normal_(weight, std=0.1)
    write_config(branch, tmp_path)
    again = empty(tmp_path)
    assert isinstance(again, ControlBranch)
    again.load_state_dict(branch.state_dict(), strict=True, assign=True)
    # What no shape tells: into how many heads and groups the numbers are divided.
    given = torch.randn(1, 4, 8, 8), torch.tensor([9]), torch.randn(1, 3, 32), torch.ones(1, 3)
    hint = torch.rand(1, 3, 64, 64)
    for ours, theirs in zip(branch(*given, hint), again(*given, hint), strict=True):
        assert torch.equal(ours, theirs)


def test_a_hint_encoder_is_built_again_from_its_config(tmp_path: Path) -> None:
    write_config(InputHint(12, channels=(4, 6, 8, 10)), tmp_path)
    again = empty(tmp_path)
    assert isinstance(again, InputHint)
    assert shapes(again) == shapes(InputHint(12, channels=(4, 6, 8, 10)))
    assert all(weight.is_meta for weight in again.parameters())


@pytest.mark.parametrize(
    "config",
    [
        {"kind": "depth", "out_channels": 16},
        {"kind": "hint"},
        {"kind": "hint", "out_channels": 16, "hint_channels": [16, 32]},
        {"kind": "branch", "out_channels": 16},
    ],
)
def test_a_config_of_something_else_is_refused(tmp_path: Path, config: dict[str, object]) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match="validation error"):
        empty(tmp_path)

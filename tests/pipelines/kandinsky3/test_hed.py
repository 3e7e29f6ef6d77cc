"""Against the published network written out over plain tensors, by its own names."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from pipelines.kandinsky3.hed import HED

CONVS = {1: (64, 2), 2: (128, 2), 3: (256, 3), 4: (512, 3), 5: (512, 3)}
"""Of each block of the published file: its width, and how many convolutions it has."""


@pytest.fixture(scope="module")
def published() -> dict[str, Tensor]:
    """Make a state dict as `ControlNetHED.pth` has it, of random numbers."""
    generator = torch.Generator().manual_seed(3)
    state = {"norm": torch.rand(1, 3, 1, 1, generator=generator) * 100}
    wide = 3
    for number, (wider, count) in CONVS.items():
        for conv in range(count):
            scale = (18 * wide) ** -0.5 / (50 if wide == 3 else 0.5)
            weight = torch.randn(wider, wide, 3, 3, generator=generator) * scale
            state[f"block{number}.convs.{conv}.weight"] = weight
            state[f"block{number}.convs.{conv}.bias"] = torch.zeros(wider)
            wide = wider
        weight = torch.randn(1, wider, 1, 1, generator=generator) * wider**-0.5
        state[f"block{number}.projection.weight"] = weight
        state[f"block{number}.projection.bias"] = torch.full((1,), 0.1 * number)
    return state


@pytest.fixture(scope="module")
def model(published: dict[str, Tensor]) -> HED:
    with torch.device("meta"):
        model = HED()
    model.load_state_dict(published, strict=True, assign=True)
    return model.requires_grad_(requires_grad=False)


def by_hand(state: dict[str, Tensor], pixels: Tensor) -> Tensor:
    """Every scale's edges, enlarged as OpenCV does with INTER_LINEAR, and averaged."""
    height, width = pixels.shape[-2:]
    states = pixels * 255 - state["norm"]
    scales = []
    for number, (_, count) in CONVS.items():
        if number > 1:
            states = states.unfold(2, 2, 2).unfold(3, 2, 2).amax(dim=(-1, -2))
        for conv in range(count):
            name = f"block{number}.convs.{conv}"
            weight, bias = state[f"{name}.weight"], state[f"{name}.bias"]
            states = functional.conv2d(states, weight, bias, padding=1).clamp(min=0)
        name = f"block{number}.projection"
        weight = state[f"{name}.weight"].flatten()
        edges = torch.einsum("bchw,c->bhw", states, weight) + state[f"{name}.bias"]
        rows, columns = linear(edges.shape[1], height), linear(edges.shape[2], width)
        scales.append(rows @ edges @ columns.T)
    return 1 / (1 + torch.exp(-torch.stack(scales, dim=1).mean(dim=1, keepdim=True)))


def linear(few: int, many: int) -> Tensor:
    """The matrix, (many, few), that interpolates linearly between the middles of pixels."""
    places = ((torch.arange(many) + 0.5) * few / many - 0.5).clamp(0, few - 1)
    distances = (places[:, None] - torch.arange(few)).abs()
    return (1 - distances).clamp(min=0)


def test_it_computes_what_the_published_network_does(
    model: HED, published: dict[str, Tensor]
) -> None:
    pixels = torch.rand(2, 3, 32, 48, generator=torch.Generator().manual_seed(1))
    found = model(pixels)
    assert found.shape == (2, 1, 32, 48)
    assert float(found.std()) > 0.01
    torch.testing.assert_close(found, by_hand(published, pixels), atol=1e-4, rtol=0)


def test_it_has_the_published_file_s_tensors_and_no_other() -> None:
    with torch.device("meta"):
        state = HED().state_dict()
    # The file is in 16 bits, of 29.4 MB with its pickle's names.
    assert sum(tensor.numel() for tensor in state.values()) == 14_716_168
    blocks = {name.split(".")[0] for name in state}
    assert blocks == {"norm", *(f"block{number}" for number in CONVS)}

import random

import pytest
import torch
from diffusers import VQModel

from training import movq
from training.world import draw, sample_scene

CPU = torch.device("cpu")


@pytest.fixture
def model() -> VQModel:
    torch.manual_seed(0)
    return movq.build().eval().requires_grad_(requires_grad=False)


@pytest.fixture
def pixels() -> torch.Tensor:
    rng = random.Random(0)
    return movq.to_tensor([draw(sample_scene(rng), rng, 64, 64) for _ in range(2)], CPU)


def test_pixels_lie_between_minus_one_and_one(pixels: torch.Tensor) -> None:
    assert pixels.shape == (2, 3, 64, 64)
    assert pixels.min() >= -1
    assert pixels.max() <= 1


def test_latents_are_eight_times_smaller(model: VQModel, pixels: torch.Tensor) -> None:
    latents = movq.encode(model, pixels)
    assert latents.shape == (2, 4, 8, 8)
    assert movq.decode(model, latents).shape == pixels.shape


def test_folding_moves_the_latents_and_leaves_the_pictures(
    model: VQModel, pixels: torch.Tensor
) -> None:
    mean, reach = torch.tensor([0.3, -0.2, 1.0, 0.0]), torch.tensor([2.0, 0.5, 1.5, 3.0])
    latents = movq.encode(model, pixels)
    restored = movq.decode(model, latents)
    movq.fold(model, mean, reach)
    folded = movq.encode(model, pixels)
    expected = (latents - mean[:, None, None]) / reach[:, None, None]
    assert torch.allclose(folded, expected, atol=1e-4)
    assert torch.allclose(movq.decode(model, folded), restored, atol=1e-3)


def test_folding_by_its_statistics_brings_latents_within_one(model: VQModel) -> None:
    rng = random.Random(1)
    movq.fold(model, *movq.statistics(model, rng, CPU, batches=1))
    mean, reach = movq.statistics(model, rng, CPU, batches=1)
    assert mean.abs().max() < 0.2
    assert (reach - 1).abs().max() < 0.2

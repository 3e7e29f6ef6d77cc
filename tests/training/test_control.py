import random

import pytest
import torch
from diffusers import Kandinsky3UNet
from PIL import Image

from pipelines.kandinsky3.conditioning import Conditioning
from pipelines.kandinsky3.sampler import alphas_cumprod
from training import control, unet
from training.pairs import Motif
from training.world import Scene

SIZE_PX = (64, 64)


@pytest.fixture(scope="module")
def painter() -> Kandinsky3UNet:
    torch.manual_seed(0)
    return unet.build().eval().requires_grad_(requires_grad=False)


@pytest.fixture
def contexts() -> Conditioning:
    torch.manual_seed(1)
    return Conditioning(torch.randn(2, 5, unet.CONTEXT_DIM), torch.ones(2, 5), torch.full((2,), 5))


@pytest.fixture
def hints() -> torch.Tensor:
    motif = Motif(Scene.of("star", "red", "blue"), seed=0, is_nameless=False)
    rng = random.Random(0)
    return control.edges_of([motif.counterpart(rng, SIZE_PX) for _ in range(2)])


def test_a_new_branch_changes_nothing(
    painter: Kandinsky3UNet, contexts: Conditioning, hints: torch.Tensor
) -> None:
    latents, timesteps = torch.randn(2, 4, 8, 8), torch.tensor([900, 100])
    branch = control.build(painter)
    heeded = control.predict(painter, branch, hints, latents, timesteps, contexts)
    (plain,) = painter(latents, timesteps, contexts.context, contexts.mask, return_dict=False)
    assert torch.allclose(heeded, plain, atol=1e-5)


def test_a_new_hint_encoder_lets_the_hint_through(
    painter: Kandinsky3UNet, hints: torch.Tensor
) -> None:
    encoder = control.build(painter).hint
    empty = torch.zeros_like(hints)
    assert encoder(hints).sub(encoder(empty)).std() > 0.1 * hints.std()


def test_learning_reaches_the_branch_and_not_the_painter(
    painter: Kandinsky3UNet, contexts: Conditioning, hints: torch.Tensor
) -> None:
    branch = control.build(painter)

    def paint(noisy: torch.Tensor, at: torch.Tensor, told: Conditioning) -> torch.Tensor:
        return control.predict(painter, branch, hints, noisy, at, told)

    latents = torch.randn(2, 4, 8, 8)
    loss, _ = unet.noise_error(paint, alphas_cumprod(), latents, contexts)
    torch.autograd.backward(loss)
    learnt = [weight.grad for weight in branch.zero_convs[0].parameters()]
    assert all(grad is not None and grad.abs().max() > 0 for grad in learnt)
    assert all(weight.grad is None for weight in painter.parameters())


def test_weights_of_errors_are_those_given() -> None:
    contexts = Conditioning(torch.zeros(3, 2, 4), torch.ones(3, 2), torch.full((3,), 2))

    def blank(noisy: torch.Tensor, _at: torch.Tensor, _told: Conditioning) -> torch.Tensor:
        return torch.zeros_like(noisy)

    def twice(snr: torch.Tensor) -> torch.Tensor:
        return torch.full_like(snr, 2.0)

    latents = torch.zeros(3, 4, 8, 8)
    loss, error = unet.noise_error(blank, alphas_cumprod(), latents, contexts, twice)
    assert loss.item() == pytest.approx(2 * error.item())
    assert error.item() == pytest.approx(1, abs=0.2)  # of unit noise


def test_edges_are_the_same_whatever_the_colours_when_these_are_far_apart() -> None:
    motif = Motif(Scene.of("star", "white", "black"), seed=3, is_nameless=False)
    colourings = (motif.scene, Scene.of("star", "yellow", "blue"))
    pictures = [Image.fromarray(motif.draw(c, random.Random(0), SIZE_PX)) for c in colourings]
    first, second = control.edges_of(pictures)
    assert first.shape == (3, 64, 64)
    assert first.min() == pytest.approx(0, abs=1e-6)
    assert first.max() == 1
    assert (first - second).abs().mean() < 0.02

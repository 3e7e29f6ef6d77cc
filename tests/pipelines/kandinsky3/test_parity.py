"""Against numbers recorded from ai-forever/Kandinsky-3 itself, small and with rebuilt weights."""

from typing import cast

import pytest
import torch
from torch import Tensor, nn

from pipelines.kandinsky3 import movq
from pipelines.kandinsky3.conditioning import Conditioning, stack
from pipelines.kandinsky3.sampler import UNet, guide, predict
from tests.pipelines.kandinsky3.original import original_movq, original_unet, recorded

TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def unet() -> UNet:
    return cast("UNet", original_unet())


@pytest.fixture(scope="module")
def model() -> nn.Module:
    return original_movq()


def conditioning(context: Tensor, mask: Tensor) -> Conditioning:
    lengths = torch.full((len(context),), context.shape[1])
    return Conditioning(context, mask.float(), lengths)


def test_one_call_of_the_unet(unet: UNet) -> None:
    case = recorded("unet_call")
    contexts = conditioning(case["context"], case["mask"])
    for row, timestep in enumerate(case["t"]):
        out = predict(unet, case["x"][[row]], timestep, contexts.keep([row]))
        torch.testing.assert_close(out, case["out"][[row]], atol=TOLERANCE, rtol=0)


def test_guidance_with_a_negative_context(unet: UNet) -> None:
    case = recorded("guidance_negative")
    both = stack(
        conditioning(case["context"], case["mask"]), conditioning(case["neg"], case["neg_mask"])
    )
    twice = torch.cat([case["x"]] * 2)
    noise, noise_negative = predict(unet, twice, case["t"][0], both).chunk(2)
    # Four times and three times the prediction: the tolerance of a call grows as much.
    torch.testing.assert_close(
        guide(noise, noise_negative, 3.0), case["out"], atol=7 * TOLERANCE, rtol=0
    )


def test_encoding_a_picture(model: nn.Module) -> None:
    case = recorded("movq")
    torch.testing.assert_close(movq.encode(model, case["x"]), case["z"], atol=TOLERANCE, rtol=0)


def test_decoding_latents_without_quantising(model: nn.Module) -> None:
    case = recorded("movq")
    pixels = movq.decode(model, case["z"])
    assert pixels.shape == (1, 3, 64, 96)
    # Every third pixel was kept, along both sides.
    torch.testing.assert_close(pixels[:, :, ::3, ::3], case["y"], atol=TOLERANCE, rtol=0)

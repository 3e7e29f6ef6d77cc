from pathlib import Path

import pytest
import torch
from torch.nn.functional import avg_pool2d

from pipelines.kandinsky3 import load, movq
from pipelines.kandinsky3.calibration import calibration_pictures
from pipelines.kandinsky3.preview import LatentToRGB, fit_latent_rgb

MICRO = Path(__file__).parents[3] / "weights" / "micro"


def test_the_pictures_are_always_the_same_and_fill_the_range_of_colours() -> None:
    pictures = calibration_pictures(8, 64)
    assert pictures.shape == (8, 3, 64, 64)
    assert torch.equal(pictures, calibration_pictures(8, 64))
    assert pictures.min() < -0.9
    assert pictures.max() > 0.9
    assert pictures.abs().max() <= 1


def test_a_map_that_is_linear_is_found_exactly() -> None:
    weight, bias = torch.randn(3, 4), torch.randn(3)
    latents = torch.randn(2, 4, 4, 6)
    colours = torch.einsum("kc,bchw->bkhw", weight, latents) + bias[:, None, None]
    pixels = colours.repeat_interleave(8, dim=2).repeat_interleave(8, dim=3)
    found_weight, found_bias = fit_latent_rgb(latents, pixels)
    torch.testing.assert_close(found_weight, weight, atol=1e-4, rtol=0)
    torch.testing.assert_close(found_bias, bias, atol=1e-4, rtol=0)


@pytest.mark.parametrize("colour", [(0.8, -0.6, -0.6), (-0.5, 0.6, -0.5), (0.7, 0.7, 0.7)])
def test_the_map_fitted_to_a_real_movq_knows_colours(colour: tuple[float, float, float]) -> None:
    model = load.MOVQ.build(MICRO / "movq", torch.float32, torch.device("cpu"))
    pictures = calibration_pictures(8, 64)
    weight, bias = fit_latent_rgb(movq.encode(model, pictures), pictures)
    flat = torch.tensor(colour)[None, :, None, None].expand(1, 3, 64, 64).contiguous()
    shown = LatentToRGB(weight, bias)(movq.encode(model, flat)).float().mean(dim=(0, 1, 2))
    wanted = (avg_pool2d(flat, 64).flatten() + 1) * 127.5
    assert (shown - wanted).abs().max() < 40

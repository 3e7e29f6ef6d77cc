import copy
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from torch import Tensor, nn

from pipelines.kandinsky3 import load, movq
from pipelines.kandinsky3.strips import decode_in_strips
from pipelines.profiles import load_profile
from pipelines.weights import ComponentStore
from tests.pipelines.kandinsky3.original import original_movq

ONE_LEVEL = 2 / 255
ROUNDING = 1e-3


@pytest.fixture(scope="module")
def trained() -> nn.Module:
    """The decoder that comes with the program; its flat grounds are the hardest for a norm."""
    profile = load_profile(Path(__file__).parents[3] / "config.yaml", "micro")
    return ComponentStore.open(profile).get(load.MOVQ)


def scene(width_px: int, height_px: int) -> Image.Image:
    image = Image.new("RGB", (width_px, height_px), (40, 60, 200))
    pen = ImageDraw.Draw(image)
    pen.ellipse((width_px // 5, height_px // 4, width_px // 2, height_px // 2), (220, 30, 40))
    far = (width_px * 9 // 10, height_px * 4 // 5)
    pen.rectangle((width_px // 2, height_px // 2, *far), (250, 220, 40))
    return image


@pytest.fixture(scope="module", params=[(512, 512), (640, 512)], ids=str)
def latents(trained: nn.Module, request: pytest.FixtureRequest) -> Tensor:
    return movq.encode(trained, movq.from_images([scene(*request.param)]))


@pytest.fixture(scope="module")
def whole(trained: nn.Module, latents: Tensor) -> Tensor:
    return movq.decode(trained, latents)


def test_a_large_picture_in_strips_is_the_whole_one_without_a_seam(
    trained: nn.Module, latents: Tensor, whole: Tensor
) -> None:
    in_strips = movq.decode(trained, latents, tile_px=256)
    assert (in_strips - whole).abs().mean() < ONE_LEVEL / 4
    shown = np.asarray(movq.to_images(in_strips)[0]).astype(int)
    drawn = np.asarray(scene(shown.shape[1], shown.shape[0])).astype(int)
    assert np.abs(shown - drawn).mean() < 12


def test_what_differs_is_the_rounding_of_the_whole_decoders_norms(trained: nn.Module) -> None:
    latents = movq.encode(trained, movq.from_images([scene(128, 128)]))
    in_strips = movq.decode(trained, latents, tile_px=64)
    exact = movq.decode(copy.deepcopy(trained).double(), latents)
    assert (in_strips - exact).abs().max() < ONE_LEVEL / 10


def test_tiles_decoded_each_by_itself_would_not_fit_together(
    trained: nn.Module, latents: Tensor, whole: Tensor
) -> None:
    corner = movq.decode(trained, latents[:, :, :32, :32])[:, :, :192, :192]
    assert (corner - whole[:, :, :192, :192]).abs().max() > 10 * ONE_LEVEL


@pytest.mark.parametrize("strip_px", [1, 96 * 5, 96 * 64, 10**9])
def test_strips_of_any_height_make_the_same_picture(strip_px: int) -> None:
    model = cast("Any", original_movq())
    latents = torch.randn(1, 4, 8, 12, generator=torch.Generator().manual_seed(0))
    states = model.post_quant_conv(latents)
    in_strips = decode_in_strips(model.decoder, strip_px, states, latents)
    torch.testing.assert_close(in_strips, movq.decode(model, latents), atol=ROUNDING, rtol=0)


def test_only_what_is_larger_than_a_tile_is_cut_and_then_one_by_one() -> None:
    model = original_movq()
    entered: list[tuple[int, ...]] = []
    first = model.get_submodule("decoder.conv_in")
    norms = model.get_submodule("decoder.conv_norm_out")
    handles = [
        first.register_forward_pre_hook(lambda _, inputs: entered.append(inputs[0].shape)),
        norms.register_forward_pre_hook(lambda *_: entered.append(())),
    ]
    latents = torch.zeros(2, 4, 8, 8)
    movq.decode(model, latents, tile_px=64)
    movq.decode(model, latents, tile_px=32)
    movq.decode(model, latents)
    for handle in handles:
        handle.remove()
    whole, cut = [(2, 4, 8, 8), ()], [(1, 4, 8, 8)] * 2
    assert entered == [*whole, *cut, *whole]


def test_whoever_brings_the_weights_when_the_decoder_is_called_is_asked_still() -> None:
    model = original_movq()
    called: list[str] = []
    decoder = model.get_submodule("decoder")
    decoder.register_forward_pre_hook(lambda *_: called.append("come"))
    decoder.register_forward_hook(lambda *_: called.append("leave"))
    movq.decode(model, torch.zeros(1, 4, 8, 8), tile_px=32)
    assert called == ["come", "leave"]


def test_a_failure_in_a_strip_leaves_the_decoder_as_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = original_movq()
    latents = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    expected: Tensor = movq.decode(model, latents)

    def fail(*_: object) -> None:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(movq, "decode_in_strips", fail)
        with pytest.raises(MemoryError):
            movq.decode(model, latents, tile_px=32)
    assert torch.equal(movq.decode(model, latents), expected)

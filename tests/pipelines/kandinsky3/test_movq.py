import numpy as np
import pytest
import torch

from pipelines.kandinsky3 import load, movq
from pipelines.weights import ComponentStore


@pytest.fixture
def latents() -> torch.Tensor:
    return torch.randn(5, 4, 8, 16, generator=torch.Generator().manual_seed(0))


def test_latents_are_an_eighth_of_the_pictures_size(store: ComponentStore) -> None:
    pixels = torch.rand(2, 3, 64, 128) * 2 - 1
    latents = movq.encode(store.get(load.MOVQ), pixels)
    assert latents.shape == (2, 4, 8, 16)
    assert movq.decode(store.get(load.MOVQ), latents).shape == pixels.shape


def test_decoding_goes_through_no_codebook(store: ComponentStore, latents: torch.Tensor) -> None:
    model = store.get(load.MOVQ)
    moved = movq.decode(model, latents + 1e-3)
    difference = (moved - movq.decode(model, latents)).abs().max()
    assert 0 < difference < 0.1


def test_large_batches_are_decoded_picture_by_picture_to_the_same_pixels(
    store: ComponentStore, latents: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = store.get(load.MOVQ)
    batches: list[int] = []
    handle = model.get_submodule("decoder").register_forward_pre_hook(
        lambda _, inputs: batches.append(len(inputs[0]))
    )
    together = movq.decode(model, latents)
    monkeypatch.setattr(movq, "PICTURES_AT_ONCE_PX", 64 * 128 * 2)
    in_pairs = movq.decode(model, latents)
    monkeypatch.setattr(movq, "PICTURES_AT_ONCE_PX", 1)
    one_by_one = movq.decode(model, latents)
    handle.remove()

    assert batches == [5, 2, 2, 1, 1, 1, 1, 1, 1]
    torch.testing.assert_close(in_pairs, together, atol=1e-4, rtol=0)
    torch.testing.assert_close(one_by_one, together, atol=1e-4, rtol=0)


def test_pixels_become_levels_and_what_lies_beyond_is_cut() -> None:
    pixels = torch.tensor([-3.0, -1.0, 0.0, 0.5, 1.0, 7.0]).expand(1, 3, 2, 6)
    (image,) = movq.to_images(pixels)
    assert image.mode == "RGB"
    assert image.size == (6, 2)
    assert np.asarray(image)[0, :, 0].tolist() == [0, 0, 128, 191, 255, 255]

"""Drawing a given picture anew: how much of it is left, told from the pixels."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from pipelines.contracts import Picture
from pipelines.kandinsky3 import load, movq, sampler
from pipelines.kandinsky3.model import Kandinsky3
from pipelines.kandinsky3.sampler import Rows, alphas_cumprod
from pipelines.kandinsky3.timesteps import FLASH_TIMESTEPS, tail, timesteps
from pipelines.profiles import QualitySettings, load_profile
from pipelines.weights import ComponentStore

SIDE_PX = 128
BASE = QualitySettings(steps=20)
RED, BLUE = (220, 40, 40), (40, 70, 220)
LEFT, RIGHT = np.s_[58:70, 28:40], np.s_[58:70, 88:100]


def given() -> Image.Image:
    """A red circle on the left of a blue ground."""
    image = Image.new("RGB", (SIDE_PX, SIDE_PX), BLUE)
    ImageDraw.Draw(image).ellipse((10, 40, 58, 88), RED)
    return image


def keep_all(rows: Rows, guess: Tensor) -> range:
    return range(len(rows.indices))


@pytest.fixture(scope="module")
def trained() -> Kandinsky3:
    """The model that comes with the program."""
    profile = load_profile(Path(__file__).parents[2] / "config.yaml", "micro")
    return Kandinsky3(ComponentStore.open(profile))


def redrawn(
    model: Kandinsky3,
    prompt: str,
    settings: QualitySettings | None,
    strength: float,
    seeds: tuple[int, ...] = (3,),
) -> list[np.ndarray[Any, Any]]:
    rows = model.start_from([given()] * len(seeds), seeds)
    texts, nothing = [prompt] * len(seeds), [""] * len(seeds)
    rows = model.redraw(rows, texts, nothing, settings, keep_all, strength)
    pictures = model.pictures(rows, seeds)
    files = [picture.png for picture in pictures if isinstance(picture, Picture)]
    return [np.asarray(Image.open(io.BytesIO(file))).astype(float) for file in files]


def is_near(pixels: np.ndarray[Any, Any], colour: tuple[int, int, int]) -> bool:
    return bool(np.linalg.norm(np.median(pixels.reshape(-1, 3), axis=0) - colour) < 90)


@pytest.mark.parametrize("settings", [BASE, None], ids=["base", "flash"])
def test_a_touch_keeps_the_picture_and_nearly_full_strength_draws_what_is_asked(
    trained: Kandinsky3, settings: QualitySettings | None
) -> None:
    asked = "a red circle on the right, blue background"
    touched, obeyed = (redrawn(trained, asked, settings, s)[0] for s in (0.2, 0.9))
    assert is_near(touched[LEFT], RED)
    assert is_near(touched[RIGHT], BLUE)
    assert is_near(obeyed[LEFT], BLUE)
    assert is_near(obeyed[RIGHT], RED)


def test_each_rows_noise_is_its_own_seeds(store: ComponentStore) -> None:
    model = Kandinsky3(store)
    few = QualitySettings(steps=4)
    together = redrawn(model, "a red circle", few, 0.5, (1, 2))
    alone = [redrawn(model, "a red circle", few, 0.5, (seed,))[0] for seed in (1, 2)]
    assert not np.array_equal(together[0], together[1])
    assert all(np.abs(a - b).max() <= 1 for a, b in zip(together, alone, strict=True))


def test_drawing_anew_begins_at_the_timestep_of_the_strength(store: ComponentStore) -> None:
    seen: list[int] = []
    unet = store.get(load.UNETS["base"])
    handle = unet.register_forward_pre_hook(
        lambda _, args: seen.append(int(args[1][0])),
    )
    try:
        redrawn(Kandinsky3(store), "a red circle", QualitySettings(steps=10), 0.35)
    finally:
        handle.remove()
    assert seen == timesteps(10)[-3:]


@pytest.mark.parametrize(
    ("strength", "left"), [(1.0, 25), (0.9, 22), (0.3, 7), (0.2, 5), (0.03, 1), (0.001, 1)]
)
def test_strength_is_the_librarys_share_of_steps_and_never_none(
    strength: float, left: int
) -> None:
    spaced = timesteps(25)
    assert tail(spaced, strength) == spaced[25 - left :]


def test_flash_draws_anew_with_the_last_of_its_four_steps() -> None:
    assert [tail(FLASH_TIMESTEPS, s) for s in (0.2, 0.5, 0.9, 1.0)] == [
        [229],
        [479, 229],
        [729, 479, 229],
        [979, 729, 479, 229],
    ]


def test_noise_buries_a_picture_as_deep_as_in_training() -> None:
    latents = torch.full((1, 4, 32, 32), 2.0)
    rows = sampler.noised(Rows.over(latents, [5]), 479)
    kept = alphas_cumprod()[479]
    fresh = torch.randn(1, 4, 32, 32, generator=torch.Generator().manual_seed(5))
    torch.testing.assert_close(rows.latents, kept.sqrt() * 2.0 + (1 - kept).sqrt() * fresh)


def test_pictures_become_pixels_and_come_back(store: ComponentStore) -> None:
    pixels = movq.from_images([given()])
    assert pixels.shape == (1, 3, SIDE_PX, SIDE_PX)
    assert pixels.min() >= -1
    assert pixels.max() <= 1
    assert movq.to_images(pixels)[0].tobytes() == given().tobytes()

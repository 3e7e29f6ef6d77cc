import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pipelines.contracts import Cancelled, Step
from pipelines.kandinsky3.model import Kandinsky3
from pipelines.kandinsky3.preview import PREVIEW_MAX_PX, LatentToRGB, Previews
from pipelines.profiles import load_profile
from pipelines.text_to_image import TextToImage, TextToImageRequest
from pipelines.weights import ComponentStore
from training.world import COLOURS

FIRST_THREE = LatentToRGB(torch.eye(3, 4), torch.zeros(3))
"""Red, green and blue are the first three channels."""


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def shown(jpeg: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(jpeg))
    assert image.format == "JPEG"
    return image


def test_the_first_steps_are_shown_and_then_one_every_interval() -> None:
    clock = Clock()
    previews = Previews(FIRST_THREE, interval_s=1.0, clock=clock)
    due = []
    for index in range(1, 26):
        if previews.is_due(index, 25):
            due.append(index)
        clock.now += 0.125
    assert due == [1, 2, 3, 11, 19]


def test_the_last_step_is_not_shown_because_the_picture_follows() -> None:
    previews = Previews(FIRST_THREE, interval_s=0.0)
    assert [previews.is_due(index, 2) for index in (1, 2)] == [True, False]


def test_a_latents_colours_are_the_fitted_maps() -> None:
    latents = torch.tensor([1.0, -1.0, 0.0, 5.0])[None, :, None, None].expand(1, 4, 2, 3)
    colours = FIRST_THREE(latents)
    assert colours.shape == (1, 2, 3, 3)
    assert colours[0, 0, 0].tolist() == [255, 0, 128]
    doubled = LatentToRGB(2 * torch.eye(3, 4), torch.tensor([0.0, 1.0, 0.0]))(latents)
    assert doubled[0, 0, 0].tolist() == [255, 0, 128]


def test_a_preview_fits_the_size_shown_and_keeps_the_proportions() -> None:
    previews = Previews(FIRST_THREE, interval_s=1.0)
    for height, width in ((16, 16), (16, 32), (32, 16), (16, 24), (128, 128)):
        image = shown(previews.render(torch.zeros(1, 4, height, width)))
        assert max(image.size) == PREVIEW_MAX_PX
        assert abs(image.width / image.height - width / height) < 0.02


def test_a_preview_is_the_picture_out_of_focus() -> None:
    latents = torch.full((1, 4, 16, 16), -1.0)
    latents[:, 0, :, 8:] = 1.0
    levels = np.asarray(shown(Previews(FIRST_THREE, 1.0).render(latents)))[128, :, 0].astype(int)
    assert levels[10] < 5
    assert levels[-10] > 250
    # An edge between two cells of 16 pixels runs over several of them, never in one jump.
    assert np.abs(np.diff(levels)).max() < 60


def test_several_pictures_of_one_request_are_shown_together() -> None:
    latents = torch.full((3, 4, 16, 16), -1.0)
    for index in range(3):
        latents[index, index] = 1.0
    image = shown(Previews(FIRST_THREE, 1.0).render(latents))
    assert image.size == (256, 256)
    corners = [image.getpixel(at) for at in ((64, 64), (192, 64), (64, 192), (192, 192))]
    brightest = [int(np.argmax(np.array(corner))) for corner in corners[:3]]
    assert brightest == [0, 1, 2]
    assert max(np.array(corners[3]).tolist()) < 20


GROUNDS = {
    "a red circle on a blue background": "blue",
    "a blue star on a yellow background": "yellow",
    "a white square on a black background": "black",
    "красный круг на зелёном фоне": "green",
    "a black triangle on a white background": "white",
}


def ground(jpeg: bytes) -> tuple[str, float]:
    """Name the colour that most of the border is nearest to, and say how much of it is."""
    pixels = np.asarray(shown(jpeg)).astype(float)
    n = PREVIEW_MAX_PX // 16
    sides = (pixels[:n], pixels[-n:], pixels[:, :n], pixels[:, -n:])
    border = np.concatenate([side.reshape(-1, 3) for side in sides])
    palette = np.array(list(COLOURS.values()))
    nearest = np.linalg.norm(border[:, None] - palette, axis=2).argmin(axis=1)
    counts = np.bincount(nearest, minlength=len(palette))
    return list(COLOURS)[int(counts.argmax())], counts.max() / len(border)


def test_the_third_preview_of_twenty_five_steps_has_the_grounds_colour_already() -> None:
    profile = load_profile(Path("config.yaml"), "micro")
    requests = [
        TextToImageRequest(prompt=prompt, width_px=128, height_px=128, quality="base", seed=seed)
        for seed, prompt in enumerate(GROUNDS)
    ]
    seen: dict[int, bytes] = {}

    def on_step(step: Step) -> frozenset[int]:
        seen.update(step.previews)
        assert step.total == 25
        return frozenset(range(len(requests))) if step.index == 3 else frozenset()

    with pytest.raises(Cancelled):
        TextToImage(Kandinsky3(ComponentStore.open(profile)), profile)(requests, on_step)
    found = [ground(seen[owner]) for owner in range(len(requests))]
    right = [name == asked for (name, _), asked in zip(found, GROUNDS.values(), strict=True)]
    assert sum(right) >= len(GROUNDS) - 1, found  # one may still be a shade off
    # What is shown is the expected end: the latents of now are noise, of which no colour is most.
    assert min(share for _, share in found) > 0.6

import io

import numpy as np
import torch
from PIL import Image

from pipelines.kandinsky3.preview import PREVIEW_MAX_PX, LatentToRGB, Previews

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

"""Fusion of several pictures."""

from typing import Any

import pytest
from pydantic import ValidationError
from torch import Tensor

from pipelines.image_fusion import MODE, ImageFusion, ImageFusionRequest
from pipelines.image_variations import ImageVariations, ImageVariationsRequest
from pipelines.kandinsky3.image_prompts import ImagePrompts
from pipelines.registry import discover_modes
from tests.pipelines.looking import LATENTS_TOLERANCE, apart, blob, keep_all, looks_like


def ask(pictures: tuple[int, ...] = (1, 2), **changes: object) -> ImageFusionRequest:
    values: dict[str, Any] = {"width_px": 64, "height_px": 64, "seed": 7}
    values["images"] = tuple(blob(number) for number in pictures)
    values["weights"] = (1.0,) * len(pictures)
    return ImageFusionRequest.model_validate(values | changes)


@pytest.fixture
def fusion(image_prompts: ImagePrompts) -> ImageFusion:
    return ImageFusion(image_prompts)


def test_a_picture_does_not_depend_on_who_shares_its_batch(
    fusion: ImageFusion, latents: list[Tensor]
) -> None:
    crowd = (
        ask(seed=1),
        ask((2, 3, 4), weights=(1, 5, 0.5)),
        ask((4, 1), seed=3, weights=(0.1, 10)),
        ask((1, 2, 3, 4)),
    )
    together = fusion(crowd, keep_all)
    for index, request in enumerate(crowd):
        alone = fusion([request], keep_all)
        assert looks_like(alone[0].pictures[0], together[index].pictures[0])
        assert apart(latents[-1][0], latents[0][index]) <= LATENTS_TOLERANCE


def test_weights_are_relative_and_matter(fusion: ImageFusion, latents: list[Tensor]) -> None:
    for weights in ((1, 1), (3, 3), (1, 3)):
        fusion([ask(weights=weights)], keep_all)
    assert apart(latents[1], latents[0]) <= LATENTS_TOLERANCE
    assert apart(latents[2], latents[0]) > 1e-3


def test_the_order_of_pictures_with_their_weights_does_not_matter(
    fusion: ImageFusion, latents: list[Tensor]
) -> None:
    fusion([ask((1, 2), weights=(1, 4))], keep_all)
    fusion([ask((2, 1), weights=(4, 1))], keep_all)
    assert apart(latents[1], latents[0]) <= LATENTS_TOLERANCE


def test_a_picture_fused_with_itself_is_its_variation(
    fusion: ImageFusion, image_prompts: ImagePrompts, latents: list[Tensor]
) -> None:
    fusion([ask((1, 1), weights=(1, 3))], keep_all)
    alone = ImageVariationsRequest(images=(blob(1),), width_px=64, height_px=64, seed=7)
    ImageVariations(image_prompts)([alone], keep_all)
    assert apart(latents[1], latents[0]) <= LATENTS_TOLERANCE


def test_the_shares_sum_to_one() -> None:
    assert ask((1, 2, 3), weights=(1, 2, 1)).shares == (0.25, 0.5, 0.25)


@pytest.mark.parametrize(
    ("pictures", "weights"),
    [
        ((1,), (1,)),
        ((1, 2, 3, 4, 5), (1,) * 5),
        ((1, 2), (1,)),
        ((1, 2), ()),
        ((1, 2), (1, 0)),
        ((1, 2), (1, -1)),
        ((1, 2), (1, 10.5)),
        ((1, 2), (1, float("nan"))),
    ],
)
def test_what_cannot_be_weighed_is_refused(
    pictures: tuple[int, ...], weights: tuple[float, ...]
) -> None:
    with pytest.raises(ValidationError):
        ask(pictures, weights=weights)


def test_the_mode_is_found() -> None:
    assert discover_modes()["image_fusion"] is MODE

"""Variations of a picture, and what all modes that draw from pictures promise."""

from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from pipelines.contracts import Step, UnsupportedRequest
from pipelines.image_variations import MODE, ImageVariations, ImageVariationsRequest
from pipelines.kandinsky3.image_prompts import ImagePrompts
from pipelines.kandinsky3.model import Kandinsky3
from pipelines.profiles import ImagePromptSettings
from pipelines.text_to_image import MODE as TEXT_TO_IMAGE
from tests.pipelines.looking import LATENTS_TOLERANCE, apart, blob, keep_all, looks_like
from tests.pipelines.micro import (
    IMAGE_PROMPTS,
    make_store,
)


def ask(picture: int = 1, **changes: object) -> ImageVariationsRequest:
    values: dict[str, Any] = {"width_px": 64, "height_px": 64, "seed": 7}
    values |= {"images": (blob(picture),)}
    return ImageVariationsRequest.model_validate(values | changes)


CROWD = (
    ask(1, seed=1, likeness="loose"),
    ask(2),
    ask(3, seed=5, likeness="close"),
    ask(1, seed=2),
)


@pytest.fixture
def variations(image_prompts: ImagePrompts) -> ImageVariations:
    return ImageVariations(image_prompts)


@pytest.mark.parametrize(
    "settings",
    [
        IMAGE_PROMPTS,
        ImagePromptSettings(steps=4, cache_interval=2),
        ImagePromptSettings(steps=4, guidance=0),
    ],
    ids=["guided", "cached", "unguided"],
)
def test_a_picture_does_not_depend_on_who_shares_its_batch(
    weights_dir: Path, latents: list[Tensor], settings: ImagePromptSettings
) -> None:
    store = make_store(weights_dir, image_prompts=settings)
    variations = ImageVariations(ImagePrompts.of(store))
    together = variations(CROWD, keep_all)
    for index, request in enumerate(CROWD):
        alone = variations([request], keep_all)
        assert looks_like(alone[0].pictures[0], together[index].pictures[0])
        assert apart(latents[-1][0], latents[0][index]) <= LATENTS_TOLERANCE


@pytest.mark.parametrize("interval", [1, 2])
def test_those_who_leave_do_not_change_the_pictures_of_those_who_stay(
    weights_dir: Path, latents: list[Tensor], interval: int
) -> None:
    settings = ImagePromptSettings(steps=4, cache_interval=interval)
    store = make_store(weights_dir, image_prompts=settings)
    variations = ImageVariations(ImagePrompts.of(store))

    def two_leave(step: Step) -> frozenset[int]:
        return frozenset([0] if step.index == 1 else [0, 3])

    stayed = variations(CROWD, two_leave)
    variations(CROWD, keep_all)
    assert stayed.keys() == {1, 2}
    assert apart(latents[0], latents[1][1:3]) <= LATENTS_TOLERANCE


@pytest.mark.parametrize(
    "other",
    [{"images": (blob(2),)}, {"likeness": "close"}, {"seed": 8}, {"height_px": 128}],
    ids=lambda changes: next(iter(changes)),
)
def test_what_is_asked_shows_in_the_picture(
    variations: ImageVariations, latents: list[Tensor], other: dict[str, Any]
) -> None:
    variations([ask()], keep_all)
    variations([ask(**other)], keep_all)
    first, second = latents
    assert first.shape != second.shape or (first - second).abs().max() > 1e-3


def test_each_of_several_pictures_is_the_picture_of_its_own_seed(
    variations: ImageVariations,
) -> None:
    several = variations([ask(n=3)], keep_all)[0].pictures
    assert [picture.seed for picture in several] == [7, 8, 9]
    single = variations([ask(seed=8)], keep_all)[0].pictures[0]
    assert looks_like(single, several[1])


def test_more_pictures_than_are_drawn_at_once_follow_each_other(
    weights_dir: Path, latents: list[Tensor]
) -> None:
    crowd = [ask(1, n=2), ask(2, likeness="close")]
    for at_once in (8, 2):
        store = make_store(weights_dir, image_prompts=IMAGE_PROMPTS, batch_pictures=at_once)
        ImageVariations(ImagePrompts.of(store))(crowd, keep_all)
    assert [len(decoded) for decoded in latents] == [3, 2, 1]
    assert apart(torch.cat(latents[1:]), latents[0]) <= LATENTS_TOLERANCE


def test_all_modes_of_a_store_share_one_model(weights_dir: Path) -> None:
    store = make_store(weights_dir, image_prompts=IMAGE_PROMPTS)
    TEXT_TO_IMAGE.load(store)(
        [
            TEXT_TO_IMAGE.request_type.model_validate(
                {"prompt": "cat", "seed": 1, "width_px": 64, "height_px": 64, "quality": "base"}
            )
        ],
        keep_all,
    )
    before = set(store.resident)
    MODE.load(store)([ask()], keep_all)
    assert set(store.resident) - before == {"image encoder", "image adapter"}
    assert Kandinsky3.of(store) is Kandinsky3.of(store)
    assert ImagePrompts.of(store) is ImagePrompts.of(store)


def test_the_base_model_draws_as_before_once_the_adapter_was_lent(
    weights_dir: Path, latents: list[Tensor]
) -> None:
    store = make_store(weights_dir, image_prompts=IMAGE_PROMPTS)
    text = TEXT_TO_IMAGE.request_type.model_validate(
        {"prompt": "cat", "seed": 1, "width_px": 64, "height_px": 64, "quality": "base"}
    )
    for act in (0, 1, 0):
        (
            MODE.load(store)([ask()], keep_all)
            if act
            else TEXT_TO_IMAGE.load(store)([text], keep_all)
        )
    assert torch.equal(latents[0], latents[2])


def test_a_profile_that_takes_no_pictures_refuses(weights_dir: Path) -> None:
    store = make_store(weights_dir)
    assert not MODE.is_served(store.profile)
    with pytest.raises(UnsupportedRequest):
        MODE.load(store)([ask()], keep_all)


@pytest.mark.parametrize("count", [0, 2])
def test_one_picture_is_asked_for(count: int) -> None:
    with pytest.raises(ValidationError):
        ask(images=tuple(blob(number) for number in range(count)))


def test_a_stored_request_has_no_bytes_in_it() -> None:
    stored = ask().model_dump_json()
    read = ImageVariationsRequest.model_validate_json(stored)
    assert read.images[0].data == b""
    assert read.with_data({blob(1).key: blob(1).data}) == ask()
    assert len(stored) < 400

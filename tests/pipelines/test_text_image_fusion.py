"""Fusion of pictures and a sentence."""

from typing import Any

import pytest
from pydantic import ValidationError
from torch import Tensor

from pipelines.contracts import Drawn
from pipelines.kandinsky3.image_prompts import ImagePrompts
from pipelines.styles import STYLES
from pipelines.text_image_fusion import HEED, TextImageFusion, TextImageFusionRequest
from tests.pipelines.looking import LATENTS_TOLERANCE, apart, blob, keep_all, looks_like


def ask(pictures: tuple[int, ...] = (1,), **changes: object) -> TextImageFusionRequest:
    values: dict[str, Any] = {"width_px": 64, "height_px": 64, "seed": 7, "prompt": "a red circle"}
    values["images"] = tuple(blob(number) for number in pictures)
    return TextImageFusionRequest.model_validate(values | changes)


@pytest.fixture
def fusion(image_prompts: ImagePrompts) -> TextImageFusion:
    return TextImageFusion(image_prompts)


def test_a_picture_does_not_depend_on_who_shares_its_batch(
    fusion: TextImageFusion, latents: list[Tensor]
) -> None:
    crowd = (
        ask(seed=1, prompt="a blue square on a hill and a cat", negative_prompt="green"),
        ask((2, 3), weights=(1, 5), balance="words"),
        ask((4,), seed=3, prompt="cat", style="anime", balance="picture"),
        ask((1, 2, 3, 4), prompt="a green cat"),
    )
    together = fusion(crowd, keep_all)
    for index, request in enumerate(crowd):
        alone = fusion([request], keep_all)
        assert looks_like(alone[0].pictures[0], together[index].pictures[0])
        assert apart(latents[-1][0], latents[0][index]) <= LATENTS_TOLERANCE


@pytest.mark.parametrize(
    "other",
    [
        {"prompt": "a blue square"},
        {"images": (blob(2),)},
        {"balance": "words"},
        {"balance": "picture"},
        {"style": "anime"},
        {"negative_prompt": "green"},
    ],
    ids=lambda changes: "=".join(str(part)[:10] for part in next(iter(changes.items()))),
)
def test_what_is_asked_shows_in_the_picture(
    fusion: TextImageFusion, latents: list[Tensor], other: dict[str, Any]
) -> None:
    fusion([ask()], keep_all)
    fusion([ask(**other)], keep_all)
    first, second = latents
    assert (first - second).abs().max() > 1e-3


def test_the_words_that_are_drawn_are_those_of_the_prompt_step(
    fusion: TextImageFusion, latents: list[Tensor]
) -> None:
    fusion([ask(prompt="a blue square")], keep_all)
    fusion([ask(prompt="a cat", drawn=Drawn(words="a blue square"))], keep_all)
    assert apart(latents[1], latents[0]) <= LATENTS_TOLERANCE


def test_pictures_weigh_the_same_unless_it_is_said() -> None:
    assert ask((1, 2)).shares == (0.5, 0.5)
    assert ask((1, 2)) == ask((1, 2), weights=(1, 1))
    assert ask((1, 2), weights=(1, 3)).shares == (0.25, 0.75)
    stored = ask((1, 2)).model_dump_json()
    assert TextImageFusionRequest.model_validate_json(stored).weights == (1, 1)


def test_the_style_adds_its_words() -> None:
    assert ask(style="anime").sentence("a cat") == f"a cat, {STYLES['anime']}"


def test_the_balance_is_a_matter_of_how_much_the_pictures_are_heeded() -> None:
    assert HEED["words"] < HEED["even"] == 1 < HEED["picture"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"prompt": "  "},
        {"images": ()},
        {"images": tuple(blob(number) for number in range(5))},
        {"weights": (1, 2)},
        {"balance": "both"},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ask(**wrong)

import random

import numpy as np
import pytest

from training.faces import Face
from training.judge import judge, judge_face, marks
from training.world import KINDS, RATIOS, Kind, Picture, Scene, Thing, draw, sample_scene


def right(kind: Kind, count: int, *, noise: float = 0) -> float:
    """The share of true pictures of a kind of scene, in all ratios, that the judge reads right."""
    rng, grain = random.Random(f"{kind} {noise}"), np.random.default_rng(3)
    read = []
    for number in range(count):
        scene = sample_scene(rng, kinds=(kind,))
        picture = draw(scene, rng, *list(RATIOS.values())[number % len(RATIOS)]).astype(float)
        picture += grain.normal(0, noise, picture.shape)
        read.append(all(marks(picture.clip(0, 255).astype(np.uint8), scene).values()))
    return float(np.mean(read))


@pytest.mark.parametrize("kind", KINDS)
def test_the_judge_is_right_on_true_pictures(kind: Kind) -> None:
    assert right(kind, 200) >= 0.99


@pytest.mark.parametrize("kind", KINDS)
def test_the_judge_forgives_noise_a_decoder_leaves(kind: Kind) -> None:
    assert right(kind, 100, noise=8) >= 0.95


def test_an_empty_picture_has_a_ground_and_nothing_on_it() -> None:
    picture = np.full((128, 128, 3), (40, 70, 220), np.uint8)
    verdict = judge(picture)
    assert (verdict.background, verdict.fades_to, verdict.things) == ("blue", None, ())
    assert judge_face(picture) is None
    face = Scene((), "blue", face=Face("light", "black", "blue", "sad"))
    assert not any(marks(picture, face).values())


def pictured(scene: Scene) -> Picture:
    return draw(scene, random.Random(4))


@pytest.mark.parametrize(
    ("aspect", "other"),
    [
        ("shape", Scene.of("heart", "red", "blue", place="left")),
        ("colour", Scene.of("star", "green", "blue", place="left")),
        ("background", Scene.of("star", "red", "white", place="left")),
        ("place", Scene.of("star", "red", "blue", place="top")),
    ],
)
def test_the_judge_finds_what_is_wrong_with_one_thing(aspect: str, other: Scene) -> None:
    found = marks(pictured(Scene.of("star", "red", "blue", place="left")), other)
    assert [name for name, is_right in found.items() if not is_right] == [aspect]


STAR, HEART = Thing("star", "red", place="left"), Thing("heart", "white", place="right")


@pytest.mark.parametrize(
    ("things", "wrong"),
    [
        ((STAR, HEART), set()),
        ((Thing("star", "white", place="left"), Thing("heart", "red", place="right")), {"colour"}),
        ((Thing("heart", "red", place="left"), Thing("star", "white", place="right")), {"shape"}),
        ((STAR,), {"colour", "shape", "place"}),
    ],
)
def test_two_things_are_right_only_together(things: tuple[Thing, ...], wrong: set[str]) -> None:
    found = marks(pictured(Scene((STAR, HEART), "blue")), Scene(things, "blue"))
    assert {name for name, is_right in found.items() if not is_right} == wrong


def test_a_plain_ground_is_no_fading_one() -> None:
    fading = Scene((Thing("star", "white"),), "red", "blue")
    assert marks(pictured(fading), fading)["background"]
    assert not marks(pictured(fading), Scene((Thing("star", "white"),), "red"))["background"]
    plain = Scene((Thing("star", "white"),), "red")
    assert not marks(pictured(plain), fading)["background"]


@pytest.mark.parametrize(
    ("aspect", "other"),
    [
        ("skin", Face("light", "black", "blue", "smiling")),
        ("hair", Face("dark", "grey", "blue", "smiling")),
        ("eyes", Face("dark", "black", "green", "smiling")),
        ("mouth", Face("dark", "black", "blue", "surprised")),
    ],
)
def test_the_judge_finds_what_is_wrong_with_a_face(aspect: str, other: Face) -> None:
    picture = pictured(Scene((), "white", face=Face("dark", "black", "blue", "smiling")))
    found = marks(picture, Scene((), "white", face=other))
    assert [name for name, is_right in found.items() if not is_right] == [aspect]

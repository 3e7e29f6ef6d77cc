import itertools
import random

import numpy as np
import pytest

from training.faces import EYES, HAIRS, MOUTHS, SKINS, Face
from training.shapes import SHAPES
from training.world import (
    COLOURS,
    KINDS,
    PLACES,
    RATIOS,
    SIZES,
    SIZES_OF_TWO,
    Kind,
    Scene,
    Thing,
    draw,
    sample_scene,
)


def rim(picture: np.ndarray) -> np.ndarray:
    return np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])


@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_has_the_size_asked_for(ratio: str, kind: Kind) -> None:
    width_px, height_px = RATIOS[ratio]
    rng = random.Random(0)
    picture = draw(sample_scene(rng, kinds=(kind,)), rng, width_px, height_px)
    assert picture.shape == (height_px, width_px, 3)
    assert picture.dtype == np.uint8


def test_every_size_is_a_multiple_of_64() -> None:
    assert all(side % 64 == 0 for size in RATIOS.values() for side in size)


def test_the_largest_shape_in_any_place_stays_inside_the_picture() -> None:
    rng = random.Random(1)
    for shape, size, place in itertools.product(SHAPES, SIZES, PLACES):
        picture = draw(Scene.of(shape, "black", "white", size, place), rng)
        covered = (rim(picture).mean(axis=1) < 128).mean()
        assert covered < 0.05, (shape, size, place)


@pytest.mark.parametrize(("places", "axis"), [(("left", "right"), 1), (("top", "bottom"), 0)])
def test_two_things_of_any_size_leave_a_gap_between_them(
    places: tuple[str, str], axis: int
) -> None:
    rng = random.Random(2)
    for shape, size in itertools.product(SHAPES, SIZES_OF_TWO):
        things = tuple(Thing(shape, "black", size, place) for place in places)
        dark = draw(Scene(things, "white"), rng).mean(axis=2) < 128
        middle = dark.any(axis=1 - axis)[60:68]
        assert not middle.all(), (shape, size, places)


def test_a_fading_ground_goes_from_its_upper_colour_to_its_lower() -> None:
    picture = draw(Scene((Thing("star", "white"),), "red", "blue"), random.Random(3))
    upper, lower = picture[0].mean(axis=0), picture[-1].mean(axis=0)
    assert np.abs(upper - COLOURS["red"]).max() < 30
    assert np.abs(lower - COLOURS["blue"]).max() < 30
    assert np.abs(picture[64, 0] - (upper + lower) / 2).max() < 8


def test_a_face_has_its_skin_and_hair_where_people_have_them() -> None:
    picture = draw(
        Scene((), "white", face=Face("dark", "blonde", "blue", "sad")), random.Random(4)
    )
    assert np.abs(picture[76, 64].astype(int) - SKINS["dark"]).max() < 30  # between eyes and mouth
    assert np.abs(picture[34, 64].astype(int) - HAIRS["blonde"]).max() < 30


def test_the_same_seed_draws_the_same_picture() -> None:
    for kind in KINDS:
        scene = sample_scene(random.Random(5), kinds=(kind,))
        first, second = (draw(scene, random.Random(6)) for _ in range(2))
        assert np.array_equal(first, second)


def test_training_never_draws_a_held_out_combination() -> None:
    rng = random.Random(7)
    assert not any(sample_scene(rng).is_held_out for _ in range(2000))
    assert all(sample_scene(rng, held_out=True).is_held_out for _ in range(200))


def test_a_held_out_combination_is_held_out_in_company_too() -> None:
    rng = random.Random(8)
    held = sample_scene(rng, held_out=True, kinds=("one",))
    (thing,) = held.things
    assert Scene((thing, Thing("moon", "white")), held.background).is_held_out
    assert Scene((thing,), "white", held.background).is_held_out


def test_about_a_tenth_of_all_combinations_is_held_out() -> None:
    pairs = itertools.permutations(COLOURS, 2)
    scenes = [Scene.of(shape, c, b) for (c, b), shape in itertools.product(pairs, SHAPES)]
    assert 0.07 < sum(scene.is_held_out for scene in scenes) / len(scenes) < 0.13
    for shape in SHAPES:  # each shape and colour is scored on, and learned from
        assert {s.is_held_out for s in scenes if s.things[0].shape == shape} == {True, False}
    for colour in COLOURS:
        assert {s.is_held_out for s in scenes if s.things[0].colour == colour} == {True, False}
    faces = [Face(*parts) for parts in itertools.product(SKINS, HAIRS, EYES, MOUTHS)]
    held = [Scene((), "white", face=face).is_held_out for face in faces]
    assert 0.03 < sum(held) / len(held) < 0.2


@pytest.mark.parametrize("kind", KINDS)
def test_a_scene_comes_back_from_a_file(kind: Kind) -> None:
    scene = sample_scene(random.Random(9), kinds=(kind,))
    assert scene.kind == kind
    assert Scene.from_plain(scene.as_plain()) == scene

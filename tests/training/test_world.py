import itertools
import random

import numpy as np
import pytest

from training.world import COLOURS, PLACES, RATIOS, SHAPES, SIZES, Scene, draw, sample_scene


@pytest.mark.parametrize("ratio", RATIOS)
def test_a_picture_has_the_size_asked_for(ratio: str) -> None:
    width_px, height_px = RATIOS[ratio]
    picture = draw(Scene("star", "red", "blue"), random.Random(0), width_px, height_px)
    assert picture.shape == (height_px, width_px, 3)
    assert picture.dtype == np.uint8


def test_every_size_is_a_multiple_of_64() -> None:
    assert all(side % 64 == 0 for size in RATIOS.values() for side in size)


def test_the_largest_shape_in_any_place_stays_inside_the_picture() -> None:
    rng = random.Random(1)
    for shape, size, place in itertools.product(SHAPES, SIZES, PLACES):
        picture = draw(Scene(shape, "black", "white", size, place), rng)
        rim = np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])
        covered = (rim.mean(axis=1) < 128).mean()
        assert covered < 0.05, (shape, size, place)


def test_the_same_seed_draws_the_same_picture() -> None:
    first, second = (draw(Scene("moon", "cyan", "brown"), random.Random(5)) for _ in range(2))
    assert np.array_equal(first, second)


def test_training_never_draws_a_held_out_combination() -> None:
    rng = random.Random(2)
    assert not any(sample_scene(rng).is_held_out for _ in range(2000))
    assert all(sample_scene(rng, held_out=True).is_held_out for _ in range(200))


def test_about_a_tenth_of_all_combinations_is_held_out() -> None:
    pairs = itertools.permutations(COLOURS, 2)
    scenes = [Scene(shape, c, b) for (c, b), shape in itertools.product(pairs, SHAPES)]
    assert 0.07 < sum(scene.is_held_out for scene in scenes) / len(scenes) < 0.13
    for shape in SHAPES:  # each shape and colour is scored on, and learned from
        assert {s.is_held_out for s in scenes if s.shape == shape} == {True, False}
    for colour in COLOURS:
        assert {s.is_held_out for s in scenes if s.colour == colour} == {True, False}

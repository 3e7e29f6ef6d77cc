import random
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from pipelines.profiles import load_profile
from training import score_images
from training.score_images import Case, Trial, Use, cases_for
from training.world import Picture, Scene, Thing, draw

MICRO = load_profile(Path(__file__).parents[2] / "config.yaml", "micro")
STAR, RING = Scene.of("star", "red", "blue"), Scene.of("ring", "yellow", "black")


@pytest.fixture(scope="module")
def trials() -> Callable[[Use], list[Trial]]:
    """The cases of a use, drawn once."""

    @cache
    def drawn_and_judged(use: Use) -> list[Trial]:
        return score_images.run(MICRO, use, cases_for(use, 48, seed=3))

    return drawn_and_judged


def drawn(scene: Scene, seed: int = 0) -> Picture:
    return draw(scene, random.Random(seed))


def fusion(weights: tuple[float, float] = (1, 1)) -> Case:
    return Case((STAR, RING), weights, STAR, seed=0)


@pytest.mark.parametrize("use", score_images.USES)
def test_every_picture_of_a_score_is_one_that_training_never_drew(use: Use) -> None:
    cases = cases_for(use, 60, seed=2000)
    assert all(scene.is_held_out for case in cases for scene in case.sources)
    assert len({case.seed for case in cases}) == 60
    assert cases == cases_for(use, 60, seed=2000)


def test_the_pictures_of_a_fusion_have_nothing_judged_in_common() -> None:
    for case in cases_for("fusion", 60, seed=1):
        ((first,), (second,)) = (scene.things for scene in case.sources)
        assert first.shape != second.shape
        assert first.colour != second.colour
        assert case.sources[0].background != case.sources[1].background


def test_a_variation_keeps_ground_and_colours_wherever_the_shape_goes() -> None:
    case = Case((STAR,), (1,), STAR, seed=0)
    moved = Scene.of("circle", "red", "blue", place="left")
    assert score_images.of_variation(drawn(moved), case)["right"]
    assert not score_images.of_variation(drawn(Scene.of("star", "red", "green")), case)["right"]
    assert not score_images.of_variation(drawn(Scene.of("star", "pink", "blue")), case)["right"]


@pytest.mark.parametrize(
    ("scene", "is_right"),
    [
        (Scene.of("star", "red", "black"), True),
        (Scene.of("star", "yellow", "black"), True),
        (Scene((Thing("star", "red", "medium", "left"),
                Thing("ring", "yellow", "medium", "right")), "blue"), True),
        (STAR, False),
        (RING, False),
        (Scene.of("star", "orange", "black"), False),
        (Scene.of("star", "red", "purple"), False),
    ],
)  # fmt: skip
def test_a_fusion_shows_something_of_either_picture_and_nothing_of_neither(
    scene: Scene, is_right: bool
) -> None:
    assert score_images.of_fusion(drawn(scene), fusion())["right"] is is_right


def test_of_a_fusion_the_heavier_is_what_stands_on_the_others_ground() -> None:
    star_on_black, ring_on_blue = (
        drawn(scene)
        for scene in (Scene.of("star", "red", "black"), Scene.of("ring", "yellow", "blue"))
    )
    for weights, ruled, other in (
        ((2, 1), star_on_black, ring_on_blue),
        ((1, 2), ring_on_blue, star_on_black),
    ):
        assert score_images.of_fusion(ruled, fusion(weights))["ruled"]
        assert not score_images.of_fusion(other, fusion(weights))["ruled"]
    assert "ruled" not in score_images.of_fusion(star_on_black, fusion())


def test_words_win_where_they_speak_and_the_picture_elsewhere() -> None:
    asked = Scene.of("star", "red", "green")
    case = Case((STAR,), (1,), asked, 0, frozenset({"background"}), "on a green background")
    assert score_images.of_words(drawn(asked), case)["right"]
    unchanged = score_images.of_words(drawn(STAR), case)
    assert (unchanged["named"], unchanged["rest"], unchanged["right"]) == (False, True, False)
    words_alone = score_images.of_words(drawn(Scene.of("ring", "pink", "green")), case)
    assert (words_alone["named"], words_alone["rest"]) == (True, False)


def test_a_table_counts_each_group_by_itself() -> None:
    even, uneven = (
        Trial(fusion(weights), drawn(STAR), {"right": is_right}, seconds=1)
        for weights, is_right in (((1, 1), True), ((1, 2), False))
    )
    rows = [line.split() for line in score_images.table([even, even, uneven]).splitlines()]
    assert ["even", "2", "100.0%"] in rows
    assert ["uneven", "1", "0.0%"] in rows
    assert ["all", "3", "66.7%"] in rows


@pytest.mark.long
@pytest.mark.parametrize(
    ("use", "mark", "least"),
    [
        ("variations", "right", 0.45),
        ("variations", "background", 0.6),
        ("words", "named", 0.5),
        ("words", "right", 0.2),
    ],
)
def test_the_shipped_weights_draw_from_pictures(
    trials: Callable[[Use], list[Trial]], use: Use, mark: str, least: float
) -> None:
    assert score_images.share(trials(use), mark) >= least, score_images.table(trials(use))

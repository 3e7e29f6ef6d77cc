import random
from pathlib import Path

import numpy as np
import pytest

from pipelines.profiles import load_profile
from training import score_shapes
from training.captions import LANGUAGES
from training.pairs import Motif
from training.score_shapes import Case, StyleKind
from training.world import Picture, Scene

MICRO = load_profile(Path(__file__).parents[2] / "config.yaml", "micro")
STAR = Scene.of("star", "red", "blue")


def case_of(scene: Scene) -> Case:
    motif = Motif(scene, seed=1, is_nameless=False)
    given = motif.counterpart(random.Random(0), (128, 128))
    return Case(motif, given, "red on blue", None, "en", "1:1", seed=0)


def drawn(scene: Scene, seed: int = 1) -> Picture:
    motif = Motif(scene, seed, is_nameless=False)
    return motif.draw(scene, random.Random(2), (128, 128))


@pytest.mark.parametrize("style", ["sentence", "picture"])
def test_a_score_asks_in_every_language_and_ratio_for_colours_never_drawn(
    style: StyleKind,
) -> None:
    cases = score_shapes.cases_for(MICRO, style, 40, seed=3000)
    assert {(case.language, case.ratio) for case in cases} == {
        (language, ratio) for language in LANGUAGES for ratio in MICRO.sizes
    }
    assert all(case.motif.scene.is_held_out for case in cases)
    assert len({case.seed for case in cases}) == 40
    for case in cases:
        size = MICRO.sizes[case.ratio]
        assert case.given.size == (size.width_px, size.height_px)
        assert (case.style is None) == bool(case.text) == (style == "sentence")


def test_the_meant_picture_is_kept_and_follows() -> None:
    trial = score_shapes.judged(case_of(STAR), drawn(STAR), 0.1)
    assert trial.overlap > 0.99
    assert trial.is_kept
    assert trial.follows


@pytest.mark.parametrize("other", [Scene.of("circle", "red", "blue"), STAR])
def test_another_outline_in_the_right_colours_follows_and_is_not_kept(other: Scene) -> None:
    trial = score_shapes.judged(case_of(STAR), drawn(other, seed=7), 0.1)
    assert not trial.is_kept
    assert trial.follows


@pytest.mark.parametrize(
    "other", [Scene.of("star", "green", "blue"), Scene.of("star", "red", "white")]
)
def test_the_right_outline_in_other_colours_is_kept_and_does_not_follow(other: Scene) -> None:
    trial = score_shapes.judged(case_of(STAR), drawn(other), 0.1)
    assert trial.is_kept
    assert not trial.follows


def test_an_empty_picture_keeps_nothing() -> None:
    trial = score_shapes.judged(case_of(STAR), np.full((128, 128, 3), (40, 70, 220), np.uint8), 1)
    assert trial.overlap == 0
    assert not trial.follows


def test_the_table_has_a_row_of_each_group_and_their_means() -> None:
    trials = [
        score_shapes.judged(case_of(STAR), picture, 0.5)
        for picture in (drawn(STAR), drawn(Scene.of("star", "red", "white")))
    ]
    lines = score_shapes.table(trials).splitlines()
    assert [line.split()[0] for line in lines[1:-1]] == ["one", "en", "1:1", "all"]
    everything = lines[-2].split()
    assert everything[1:5] == ["2", "1.000", "100.0%", "50.0%"]
    assert lines[-1] == "0.50 s a picture"


@pytest.mark.long
def test_the_shipped_weights_keep_most_of_the_outlines_and_colours() -> None:
    cases = score_shapes.cases_for(MICRO, "sentence", 20, seed=7)
    trials = score_shapes.run(MICRO, cases)
    shares = score_shapes.shares_of(trials)
    assert shares["overlap"] >= 0.65, score_shapes.table(trials)
    assert shares["follows"] >= 0.6, score_shapes.table(trials)

import random

import numpy as np
import pytest

from training.judge import judge
from training.world import RATIOS, Scene, draw, sample_scene


@pytest.mark.parametrize("ratio", RATIOS)
def test_the_judge_is_right_on_true_pictures(ratio: str) -> None:
    rng = random.Random(ratio)
    scenes = [sample_scene(rng) for _ in range(200)]
    right = [judge(draw(scene, rng, *RATIOS[ratio])).agrees(scene) for scene in scenes]
    assert np.mean(right) >= 0.99


def test_the_judge_forgives_noise_a_decoder_leaves() -> None:
    rng, noise = random.Random(3), np.random.default_rng(3)
    scenes = [sample_scene(rng) for _ in range(200)]
    verdicts = []
    for scene in scenes:
        picture = draw(scene, rng).astype(float) + noise.normal(0, 8, (128, 128, 3))
        verdicts.append(judge(picture.clip(0, 255).astype(np.uint8)))
    assert np.mean([v.agrees(s) for v, s in zip(verdicts, scenes, strict=True)]) >= 0.97


def test_an_empty_picture_has_a_ground_and_no_shape() -> None:
    verdict = judge(np.full((128, 128, 3), (40, 70, 220), np.uint8))
    assert verdict.background == "blue"
    assert (verdict.colour, verdict.shape, verdict.place) == (None, None, None)


def test_the_judge_finds_each_wrong_answer() -> None:
    truth = Scene("star", "red", "blue", place="left")
    verdict = judge(draw(truth, random.Random(4)))
    assert verdict.agrees(truth)
    assert not verdict.agrees(Scene("heart", "red", "blue", place="left"))
    assert not verdict.agrees(Scene("star", "green", "blue", place="left"))
    assert not verdict.agrees(Scene("star", "red", "white", place="left"))
    assert not verdict.agrees(Scene("star", "red", "blue", place="top"))

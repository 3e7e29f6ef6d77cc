from pathlib import Path

import numpy as np
import pytest

from pipelines.profiles import load_profile
from pipelines.weights import ComponentStore
from training import score
from training.captions import LANGUAGES
from training.world import KINDS

MICRO = load_profile(Path(__file__).parents[2] / "config.yaml", "micro")


def test_the_shipped_weights_are_whole() -> None:
    ComponentStore.open(MICRO).verify()


def test_a_score_asks_for_every_kind_in_every_language_and_ratio_and_nothing_seen() -> None:
    prompts = score.prompts_for(MICRO, 400, seed=1000)
    assert {prompt.scene.kind for prompt in prompts} == set(KINDS)
    assert {(p.language, p.ratio) for p in prompts} == {
        (language, ratio) for language in LANGUAGES for ratio in MICRO.sizes
    }
    assert all(prompt.scene.is_held_out for prompt in prompts)
    assert len({prompt.seed for prompt in prompts}) == 400


@pytest.fixture(scope="module")
def flash() -> list[score.Trial]:
    return score.run(MICRO, "flash", count=160, seed=7)


@pytest.mark.long
@pytest.mark.parametrize("language", LANGUAGES)
def test_flash_draws_what_it_is_told_in_both_languages(
    flash: list[score.Trial], language: str
) -> None:
    said = [trial for trial in flash if trial.prompt.language == language]
    assert score.share(said, "background") >= 0.95, score.table(flash)
    assert score.share(said, "colour") >= 0.9, score.table(flash)
    assert score.share(said, "shape") >= 0.85, score.table(flash)
    assert score.share(said, "place") >= 0.9, score.table(flash)


@pytest.mark.long
def test_flash_puts_two_things_where_they_belong(flash: list[score.Trial]) -> None:
    two = [trial for trial in flash if trial.prompt.scene.kind == "two"]
    assert score.share(two) >= 0.75, score.table(flash)


@pytest.mark.long
def test_the_base_model_draws_what_it_is_told() -> None:
    trials = score.run(MICRO, "base", count=64, seed=11)
    shapes = [trial for trial in trials if trial.prompt.scene.things]
    assert score.share(shapes) >= 0.8, score.table(trials)


@pytest.mark.long
def test_a_negative_prompt_removes_the_colour_it_names() -> None:
    assert score.removed_by_negative(MICRO, "base", count=16, seed=5) >= 0.8


@pytest.mark.long
def test_two_seeds_of_one_prompt_differ_visibly() -> None:
    apart = score.difference_of_seeds(MICRO, "flash", count=16, seed=5)
    assert np.median(apart) > 3
    assert apart[0] > 1

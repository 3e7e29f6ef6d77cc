from pathlib import Path

import pytest

from pipelines.profiles import load_profile
from pipelines.weights import ComponentStore
from training import score
from training.captions import LANGUAGES

MICRO = load_profile(Path(__file__).parents[2] / "config.yaml", "micro")


def test_the_shipped_weights_are_whole() -> None:
    ComponentStore.open(MICRO).verify()


@pytest.mark.slow
def test_the_shipped_weights_draw_what_they_are_told_in_both_languages() -> None:
    trials = score.run(MICRO, "flash", count=40, seed=7)
    for language in LANGUAGES:
        said = [trial for trial in trials if trial.language == language]
        assert score.share(said) >= 0.75, score.table(trials)
        assert score.share(said, "colour") >= 0.9, score.table(trials)
        assert score.share(said, "background") >= 0.9, score.table(trials)

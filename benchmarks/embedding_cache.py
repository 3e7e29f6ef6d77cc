"""What a text costs that was drawn before, against one that was not."""

import itertools
from typing import Final

from benchmarks.figures import Figure
from benchmarks.micro import PROMPTS, alternate, open_model, said

ROUNDS: Final = 50


def measure() -> list[Figure]:
    """Ask for new texts and for known ones in turn."""
    model = open_model()
    known, numbers = PROMPTS[0], itertools.count()
    miss_s, hit_s = alternate(
        ROUNDS,
        lambda: model.context(f"{known} {next(numbers)}", "base"),
        lambda: model.context(known, "base"),
    )
    return [Figure("text embedding, new / known", miss_s / hit_s, said([miss_s, hit_s]))]

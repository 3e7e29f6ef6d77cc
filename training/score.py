"""Scores exported weights: held-out prompts in, pictures through the product's recipe, judged.

``python -m training.score`` prints the share of pictures that show what their prompt said, by
language, aspect ratio and attribute.
"""

import argparse
import io
import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
from PIL import Image

from pipelines.contracts import Step
from pipelines.profiles import AspectRatio, Profile, Quality, load_profile
from pipelines.text_to_image import MODE, TextToImage, TextToImageRequest
from pipelines.weights import ComponentStore
from training.captions import LANGUAGES, Language, caption
from training.export import record_score
from training.judge import Verdict, judge
from training.world import Picture, Scene, sample_scene

_ASPECTS = ("background", "colour", "shape", "place")
_DEFAULT_CONFIG = Path(__file__).parent.parent / "config.yaml"


@dataclass(frozen=True, slots=True)
class Trial:
    """One prompt, the picture made of it, and what the judge saw."""

    language: Language
    ratio: AspectRatio
    text: str
    scene: Scene
    picture: Picture
    verdict: Verdict
    seconds: float


def run(profile: Profile, quality: Quality, count: int, seed: int) -> list[Trial]:
    """Draw ``count`` held-out prompts, languages and aspect ratios taking turns."""
    # `load` answers any mode's pipeline; this one's is known.
    recipe = cast("TextToImage", MODE.load(ComponentStore.open(profile)))
    rng = random.Random(seed)
    turns = itertools.cycle(itertools.product(profile.sizes, LANGUAGES))
    trials: dict[tuple[AspectRatio, Language], list[tuple[Scene, str, int]]] = {}
    for number, turn in zip(range(count), turns, strict=False):
        scene = sample_scene(rng, held_out=True)
        text = caption(scene, turn[1], rng, with_filler=False).text
        trials.setdefault(turn, []).append((scene, text, seed + number))
    return [
        trial
        for turn, prompts in trials.items()
        for batch in _batches(prompts, profile.batch_pictures)
        for trial in _draw(recipe, profile, quality, turn, batch)
    ]


def table(trials: Sequence[Trial]) -> str:
    """Shares of right pictures by language, by ratio and overall, a row each."""
    ratios = dict.fromkeys(trial.ratio for trial in trials)
    groups = {
        name: [trial for trial in trials if name in (trial.language, trial.ratio, "all")]
        for name in (*LANGUAGES, *ratios, "all")
    }
    lines = [f"{'':6}{'n':>5}{'right':>8}" + "".join(f"{name:>12}" for name in _ASPECTS)]
    for name, group in groups.items():
        shares = "".join(f"{share(group, aspect):>12.1%}" for aspect in _ASPECTS)
        lines.append(f"{name:6}{len(group):>5}{share(group):>8.1%}{shares}")
    seconds = sum(trial.seconds for trial in trials) / len(trials)
    return "\n".join([*lines, f"{seconds:.2f} s a picture"])


def share(trials: Sequence[Trial], aspect: str | None = None) -> float:
    """The share of pictures right in one aspect, or in all."""
    right = [
        trial.verdict.agrees(trial.scene)
        if aspect is None
        else bool(getattr(trial.verdict, aspect) == getattr(trial.scene, aspect))
        for trial in trials
    ]
    return sum(right) / len(right)


def _draw(
    recipe: TextToImage,
    profile: Profile,
    quality: Quality,
    turn: tuple[AspectRatio, Language],
    batch: list[tuple[Scene, str, int]],
) -> Iterator[Trial]:
    ratio, language = turn
    size = profile.sizes[ratio]
    requests = [
        TextToImageRequest(
            prompt=text,
            seed=seed,
            quality=quality,
            width_px=size.width_px,
            height_px=size.height_px,
        )
        for _, text, seed in batch
    ]
    outputs = recipe(requests, _unwatched)
    for index, (scene, text, _) in enumerate(batch):
        output = outputs[index]
        with Image.open(io.BytesIO(output.pictures[0].png)) as image:
            picture = np.asarray(image.convert("RGB"))
        seconds = output.seconds / len(batch)
        yield Trial(language, ratio, text, scene, picture, judge(picture), seconds)


def _unwatched(_step: Step) -> frozenset[int]:
    """Every picture of a score is wanted to its end."""
    return frozenset()


def _batches(
    prompts: list[tuple[Scene, str, int]], size: int
) -> Iterator[list[tuple[Scene, str, int]]]:
    for at in range(0, len(prompts), size):
        yield prompts[at : at + size]


def main() -> None:
    """Score the weights that a configuration's profile names."""
    parser = argparse.ArgumentParser(prog="python -m training.score", description=main.__doc__)
    parser.add_argument("--quality", choices=("base", "flash", "refined"), default="base")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1000)
    parser.add_argument("--weights", type=Path, help="a folder instead of the profile's own")
    parser.add_argument("--record", action="store_true", help="write the score to the manifest")
    parser.add_argument("--sheet", type=Path, help="also write the first pictures to this PNG")
    options = parser.parse_args()
    profile = load_profile(_DEFAULT_CONFIG, "micro")
    if options.weights:
        profile = profile.model_copy(update={"weights_dir": options.weights})
    trials = run(profile, options.quality, options.count, options.seed)
    print(table(trials))
    if options.record:
        shares: dict[str, float | int] = {name: share(trials, name) for name in _ASPECTS}
        shares |= {"right": share(trials), "pictures": len(trials), "seed": options.seed}
        record_score(profile.weights_dir, options.quality, shares)
    if options.sheet:
        sheet(trials).save(options.sheet)


def sheet(trials: Sequence[Trial], columns: int = 8) -> Image.Image:
    """The first square pictures in a grid, eight in a row, in the order of the trials."""
    pictures = [t.picture for t in trials if t.picture.shape[0] == t.picture.shape[1]]
    rows = [
        np.concatenate(pictures[at : at + columns], axis=1)
        for at in range(0, len(pictures) - columns + 1, columns)
    ]
    return Image.fromarray(np.concatenate(rows))


if __name__ == "__main__":
    main()

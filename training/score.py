"""Scores exported weights: held-out prompts in, pictures through the product's recipe, judged.

``python -m training.score`` prints the share of pictures that show what their prompt said, by
kind of scene, language and aspect ratio; how often a negative prompt removes the colour it names;
and how much two seeds differ.
"""

import argparse
import io
import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, cast

import numpy as np
from PIL import Image

from pipelines.contracts import Step
from pipelines.profiles import QUALITIES, AspectRatio, Profile, Quality, load_profile
from pipelines.text_to_image import MODE, TextToImage, TextToImageRequest
from pipelines.weights import ComponentStore
from training.captions import LANGUAGES, Language, caption
from training.export import record_score
from training.judge import judge, marks
from training.world import KINDS, Kind, Picture, Scene, sample_scene

ASPECTS: Final = ("background", "colour", "shape", "place")
PARTS: Final = ("skin", "hair", "eyes", "mouth")
_MIX: Final[tuple[Kind, ...]] = ("one", "two", "one", "two", "faded", "one", "two", "face")
_DEFAULT_CONFIG = Path(__file__).parent.parent / "config.yaml"


@dataclass(frozen=True, slots=True)
class Prompt:
    """One held-out prompt, and how its picture is to be drawn."""

    text: str
    scene: Scene
    language: Language
    ratio: AspectRatio
    seed: int
    negative: str = ""


@dataclass(frozen=True, slots=True)
class Trial:
    """A prompt, its picture, and of each aspect whether the judge found it right."""

    prompt: Prompt
    picture: Picture
    marks: dict[str, bool]
    seconds: float

    @property
    def is_right(self) -> bool:
        """Whether all is as the prompt said."""
        return all(self.marks.values())

    @property
    def groups(self) -> tuple[str, ...]:
        """The rows of the table that this counts in."""
        prompt = self.prompt
        return (prompt.scene.kind, prompt.language, prompt.ratio, "all")


class Draughtsman:
    """Draws prompts through the product's own recipe, as many at once as the profile allows."""

    def __init__(self, profile: Profile, quality: Quality) -> None:
        # `load` answers any mode's pipeline; this one's is known.
        self._recipe = cast("TextToImage", MODE.load(ComponentStore.open(profile)))
        self._profile = profile
        self._quality = quality

    def draw(self, prompts: Sequence[Prompt]) -> list[Trial]:
        """One trial of each prompt, in no special order."""
        alike: dict[AspectRatio, list[Prompt]] = {}
        for prompt in prompts:
            alike.setdefault(prompt.ratio, []).append(prompt)
        at_once = self._profile.batch_pictures
        batches = [
            group[at : at + at_once]
            for group in alike.values()
            for at in range(0, len(group), at_once)
        ]
        return [trial for batch in batches for trial in self._batch(batch)]

    def _batch(self, batch: Sequence[Prompt]) -> Iterator[Trial]:
        size = self._profile.sizes[batch[0].ratio]
        requests = [
            TextToImageRequest(
                prompt=prompt.text,
                negative_prompt=prompt.negative,
                seed=prompt.seed,
                quality=self._quality,
                width_px=size.width_px,
                height_px=size.height_px,
            )
            for prompt in batch
        ]
        outputs = self._recipe(requests, _unwatched)
        for index, prompt in enumerate(batch):
            output = outputs[index]
            with Image.open(io.BytesIO(output.pictures[0].png)) as image:
                picture = np.asarray(image.convert("RGB"))
            seconds = output.seconds / len(batch)
            yield Trial(prompt, picture, marks(picture, prompt.scene), seconds)


def run(profile: Profile, quality: Quality, count: int, seed: int) -> list[Trial]:
    """Draw ``count`` held-out prompts; kinds, languages and aspect ratios take turns."""
    return Draughtsman(profile, quality).draw(prompts_for(profile, count, seed))


def prompts_for(profile: Profile, count: int, seed: int) -> list[Prompt]:
    """The prompts of a score, the same for the same profile sizes, count and seed."""
    rng = random.Random(seed)
    turns = itertools.cycle(itertools.product(LANGUAGES, profile.sizes))
    prompts = []
    for number, (language, ratio) in zip(range(count), turns, strict=False):
        scene = sample_scene(rng, held_out=True, kinds=(_MIX[number % len(_MIX)],))
        text = caption(scene, language, rng, with_filler=False).text
        prompts.append(Prompt(text, scene, language, ratio, seed + number))
    return prompts


def table(trials: Sequence[Trial]) -> str:
    """Shares of right pictures by kind, language, ratio and overall, a row each."""
    names = (*KINDS, *LANGUAGES, *dict.fromkeys(trial.prompt.ratio for trial in trials), "all")
    columns = (*ASPECTS, *PARTS)
    lines = [f"{'':6}{'n':>5}{'right':>8}" + "".join(f"{name:>12}" for name in columns)]
    for name in names:
        group = [trial for trial in trials if name in trial.groups]
        if group:
            shares = "".join(_percent(share(group, aspect)) for aspect in columns)
            lines.append(f"{name:6}{len(group):>5}{share(group):>8.1%}{shares}")
    seconds = sum(trial.seconds for trial in trials) / len(trials)
    return "\n".join([*lines, f"{seconds:.2f} s a picture"])


def share(trials: Sequence[Trial], aspect: str | None = None) -> float:
    """The share right in one aspect, of the pictures that have it, or in all; NaN of none."""
    right = [
        trial.is_right if aspect is None else trial.marks[aspect]
        for trial in trials
        if aspect is None or aspect in trial.marks
    ]
    return sum(right) / len(right) if right else float("nan")


def removed_by_negative(profile: Profile, quality: Quality, count: int, seed: int) -> float:
    """How often a negative prompt removes the colour it names.

    Prompts leave the colour open; what is drawn has one; the same seed is drawn again with that
    colour as the negative prompt. Removed is a colour that the same shape no longer has.
    """
    rng, draughtsman = random.Random(seed), Draughtsman(profile, quality)
    prompts: list[Prompt] = []
    while len(prompts) < count:
        scene = sample_scene(rng, held_out=True, kinds=("one",))
        said = caption(scene, "en", rng)
        if said.unsaid == {"colour"}:
            prompts.append(Prompt(said.text, scene, "en", "1:1", seed + len(prompts)))
    drawn = [(trial.prompt, judge(trial.picture).things) for trial in draughtsman.draw(prompts)]
    steered = [replace(p, negative=things[0].colour) for p, things in drawn if things]
    again = draughtsman.draw(steered)
    removed = [
        all(thing.colour != trial.prompt.negative for thing in things)
        for trial in again
        if (things := judge(trial.picture).things)
    ]
    return sum(removed) / count


def difference_of_seeds(profile: Profile, quality: Quality, count: int, seed: int) -> list[float]:
    """Mean differences of two seeds' pictures of a prompt, in grey levels 0 to 255, sorted."""
    draughtsman, prompts = Draughtsman(profile, quality), prompts_for(profile, count, seed)
    first = draughtsman.draw(prompts)
    second = draughtsman.draw([replace(prompt, seed=prompt.seed + 10**6) for prompt in prompts])
    return sorted(
        float(np.abs(a.picture.astype(float) - b.picture).mean())
        for a, b in zip(first, second, strict=True)
    )


def sheet(trials: Sequence[Trial], columns: int = 8) -> Image.Image:
    """The first square pictures in a grid, eight in a row, in the order of the trials."""
    pictures = [t.picture for t in trials if t.picture.shape[0] == t.picture.shape[1]]
    rows = [
        np.concatenate(pictures[at : at + columns], axis=1)
        for at in range(0, len(pictures) - columns + 1, columns)
    ]
    return Image.fromarray(np.concatenate(rows))


def _unwatched(_step: Step) -> frozenset[int]:
    """Every picture of a score is wanted to its end."""
    return frozenset()


def _percent(value: float) -> str:
    return f"{'':>12}" if np.isnan(value) else f"{value:>12.1%}"


def main() -> None:
    """Score the weights that a configuration's profile names."""
    parser = argparse.ArgumentParser(prog="python -m training.score", description=main.__doc__)
    parser.add_argument("--quality", choices=QUALITIES, default="base")
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1000)
    parser.add_argument("--steps", type=int, help="of the base model, instead of the profile's")
    parser.add_argument("--weights", type=Path, help="a folder instead of the profile's own")
    parser.add_argument("--record", action="store_true", help="write the score to the manifest")
    parser.add_argument("--sheet", type=Path, help="also write the first pictures to this PNG")
    parser.add_argument("--more", action="store_true", help="also negative prompts and seeds")
    options = parser.parse_args()
    profile = load_profile(_DEFAULT_CONFIG, "micro")
    if options.weights:
        profile = profile.model_copy(update={"weights_dir": options.weights})
    if options.steps:
        profile = _with_steps(profile, options.steps)
    trials = run(profile, options.quality, options.count, options.seed)
    print(table(trials))
    if options.more:
        print(_more(profile, options.quality, options.count // 4, options.seed))
    if options.record:
        shares: dict[str, float | int] = {name: share(trials, name) for name in ASPECTS}
        shares |= {"right": share(trials), "pictures": len(trials), "seed": options.seed}
        record_score(profile.weights_dir, options.quality, shares)
    if options.sheet:
        sheet(trials).save(options.sheet)


def _with_steps(profile: Profile, steps: int) -> Profile:
    settings = {
        name: quality and quality.model_copy(update={"steps": steps})
        for name, quality in profile.qualities.items()
    }
    return profile.model_copy(update={"qualities": settings})


def _more(profile: Profile, quality: Quality, count: int, seed: int) -> str:
    removed = removed_by_negative(profile, quality, count, seed)
    apart = difference_of_seeds(profile, quality, count, seed)
    return (
        f"{removed:.1%} of negative prompts removed the colour they named\n"
        f"two seeds differ by {apart[0]:.1f} grey levels at least, "
        f"by {apart[len(apart) // 2]:.1f} in the middle"
    )


if __name__ == "__main__":
    main()

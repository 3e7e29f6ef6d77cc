"""Scores pictures as prompts: held-out pictures in, others through the product's recipes, judged.

``python -m training.score_images`` prints, for variations, fusion, and fusion with words, the
share of pictures that show what they should, by kind of scene. What is handed in is the JPEG that
the chat would show of a drawn scene, of a combination that training never drew.
"""

import argparse
import io
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias, cast, get_args

import numpy as np
from PIL import Image

from pipelines import image_fusion, image_variations, text_image_fusion
from pipelines.contracts import AnyMode, ImageBlob, Pipeline, Step
from pipelines.image_fusion import ImageFusionRequest
from pipelines.image_variations import ImageVariationsRequest
from pipelines.pictures import encode_picture
from pipelines.profiles import Profile, load_profile
from pipelines.text_image_fusion import TextImageFusionRequest
from pipelines.weights import ComponentStore
from training.captions import LANGUAGES
from training.export import record_score
from training.judge import judge, marks
from training.picture_prompts import NAMED, changed, phrase
from training.world import Kind, Picture, Scene, draw, sample_scene

Use = Literal["variations", "fusion", "words"]
USES: Final[tuple[Use, ...]] = get_args(Use)
AnyRequest: TypeAlias = ImageVariationsRequest | ImageFusionRequest | TextImageFusionRequest
Marks: TypeAlias = dict[str, bool]

_MODES: Final[Mapping[Use, AnyMode]] = {
    "variations": image_variations.MODE,
    "fusion": image_fusion.MODE,
    "words": text_image_fusion.MODE,
}
_MIX: Final[tuple[Kind, ...]] = ("one", "two", "one", "faded", "face")
_UNEVEN: Final = (2.0, 1.0)
_PARTS: Final = ("skin", "hair", "eyes", "mouth")
_DEFAULT_CONFIG = Path(__file__).parent.parent / "config.yaml"


@dataclass(frozen=True, slots=True)
class Case:
    """Held-out pictures to draw from.

    Attributes:
        sources: what the pictures show.
        weights: of each.
        target: what is to come of one picture, and of words.
        named: what of the target the words name.
        text: the words.
        seed: of the picture, and of how the sources are drawn.
    """

    sources: tuple[Scene, ...]
    weights: tuple[float, ...]
    target: Scene
    seed: int
    named: frozenset[str] = frozenset()
    text: str = ""


@dataclass(frozen=True, slots=True)
class Trial:
    """A case, its picture, and what is right about that; ``right`` counts."""

    case: Case
    picture: Picture
    marks: Marks
    seconds: float

    @property
    def groups(self) -> tuple[str, ...]:
        """The rows of the table that this counts in."""
        if len(self.case.sources) > 1:
            return ("even" if self.case.weights[0] == self.case.weights[1] else "uneven", "all")
        if self.case.text:
            return ("+".join(sorted(self.case.named)), self.case.target.kind, "all")
        return (self.case.target.kind, "all")


def variation(number: int, rng: random.Random) -> Case:
    """One picture, of each kind in turn."""
    scene = sample_scene(rng, held_out=True, kinds=(_MIX[number % len(_MIX)],))
    return Case((scene,), (1.0,), scene, rng.getrandbits(32))


def fusion(number: int, rng: random.Random) -> Case:
    """Two pictures of one thing each that differ in all that is judged; every second unevenly."""
    while True:
        first, second = (sample_scene(rng, held_out=True, kinds=("one",)) for _ in range(2))
        if not _traits(first) & _traits(second):
            break
    weights = (1.0, 1.0) if number % 2 else rng.choice([_UNEVEN, _UNEVEN[::-1]])
    return Case((first, second), weights, first, rng.getrandbits(32))


def with_words(number: int, rng: random.Random) -> Case:
    """A picture, and words that name what is to be otherwise, in each language in turn."""
    while True:
        target = sample_scene(rng, held_out=True, kinds=(_MIX[number % len(_MIX)],))
        named = rng.choice(NAMED[target.kind])
        shown = changed(target, named, rng, held_out=None)
        if shown.is_held_out and shown != target:
            break
    text = phrase(target, named, LANGUAGES[number % 2], rng, with_filler=False)
    return Case((shown,), (1.0,), target, rng.getrandbits(32), named, text)


_CASES: Final = {"variations": variation, "fusion": fusion, "words": with_words}


def cases_for(use: Use, count: int, seed: int) -> list[Case]:
    """The cases of a score, the same for the same use, count and seed."""
    rng = random.Random(f"{seed} {use}")
    return [_CASES[use](number, rng) for number in range(count)]


def run(profile: Profile, use: Use, cases: Sequence[Case]) -> list[Trial]:
    """Draw and judge every case, as many at once as the profile allows."""
    # `load` answers any mode's pipeline; these are known.
    recipe = cast("Pipeline[AnyRequest]", _MODES[use].load(ComponentStore.open(profile)))
    at_once = profile.batch_pictures
    return [
        trial
        for at in range(0, len(cases), at_once)
        for trial in _drawn(recipe, profile, use, cases[at : at + at_once])
    ]


def _drawn(
    recipe: Pipeline[AnyRequest], profile: Profile, use: Use, cases: Sequence[Case]
) -> Iterator[Trial]:
    outputs = recipe([_request(case, profile, use) for case in cases], _unwatched)
    for index, case in enumerate(cases):
        with Image.open(io.BytesIO(outputs[index].pictures[0].png)) as image:
            picture = np.asarray(image.convert("RGB"))
        yield Trial(case, picture, _MARKS[use](picture, case), outputs[index].seconds / len(cases))


def _request(case: Case, profile: Profile, use: Use) -> AnyRequest:
    size, rng = profile.sizes["1:1"], random.Random(case.seed)
    common = {
        "images": tuple(_handed_in(scene, profile, rng) for scene in case.sources),
        "seed": case.seed,
        "width_px": size.width_px,
        "height_px": size.height_px,
    }
    if use == "variations":
        return ImageVariationsRequest.model_validate(common)
    if use == "fusion":
        return ImageFusionRequest.model_validate(common | {"weights": case.weights})
    return TextImageFusionRequest.model_validate(common | {"prompt": case.text})


def _handed_in(scene: Scene, profile: Profile, rng: random.Random) -> ImageBlob:
    """The photo that the chat would show of a picture of the scene."""
    image = Image.fromarray(draw(scene, rng))
    return ImageBlob.of(encode_picture(image, 0, profile.photo_scale).jpeg)


def of_variation(picture: Picture, case: Case) -> Marks:
    """Right is a picture of the same ground and the same colours of what stands on it."""
    seen = marks(picture, case.target)
    return seen | {"right": seen["background"] and all(seen[key] for key in _colours(seen))}


def _colours(seen: Mapping[str, bool]) -> tuple[str, ...]:
    return ("skin", "hair") if "skin" in seen else ("colour",)


def of_fusion(picture: Picture, case: Case) -> Marks:
    """Right is a picture in which either source shows, and of whose traits none is of neither.

    ``ruled``: what stands there is that of the heavier picture, and the ground is the other's.
    """
    verdict = judge(picture)
    seen = _traits(Scene(verdict.things, verdict.background, verdict.fades_to))
    first, second = (_traits(scene) for scene in case.sources)
    said = {
        "first": bool(seen & first),
        "second": bool(seen & second),
        "no other": seen <= first | second,
    }
    said["right"] = all(said.values())
    if case.weights[0] != case.weights[1]:
        heavier, lighter = first, second
        if case.weights[0] < case.weights[1]:
            heavier, lighter = second, first
        ground = {trait for trait in lighter if trait[0] == "background"}
        said["ruled"] = seen == {t for t in heavier if t[0] != "background"} | ground
    return said


def _traits(scene: Scene) -> frozenset[tuple[str, str]]:
    """What the judge tells of a scene, but for places."""
    grounds = {("background", ground) for ground in (scene.background, scene.fades_to) if ground}
    colours = {("colour", thing.colour) for thing in scene.things}
    return frozenset(grounds | colours | {("shape", thing.shape) for thing in scene.things})


def of_words(picture: Picture, case: Case) -> Marks:
    """Right is a picture that shows what the words name and in the rest is like the picture.

    The rest are ground, colours and shapes, or skin, hair, eyes and mouth.
    """
    seen = marks(picture, case.target)
    judged = {"background", *_PARTS} if case.target.face else {"background", "colour", "shape"}
    named = all(seen[name] for name in judged & case.named)
    rest = all(seen[name] for name in judged - case.named)
    return seen | {"named": named, "rest": rest, "right": named and rest}


_MARKS: Final = {"variations": of_variation, "fusion": of_fusion, "words": of_words}


def table(trials: Sequence[Trial]) -> str:
    """Shares right in each respect, by group and overall, a row each."""
    columns = list(dict.fromkeys(name for trial in trials for name in trial.marks))
    columns.sort(key=lambda name: name != "right")
    names = sorted({name for trial in trials for name in trial.groups}, key=lambda n: n == "all")
    lines = [f"{'':18}{'n':>5}" + "".join(f"{name:>12}" for name in columns)]
    for name in names:
        group = [trial for trial in trials if name in trial.groups]
        shares = "".join(_percent(share(group, column)) for column in columns)
        lines.append(f"{name:18}{len(group):>5}{shares}")
    seconds = sum(trial.seconds for trial in trials) / len(trials)
    return "\n".join([*lines, f"{seconds:.2f} s a picture"])


def share(trials: Sequence[Trial], mark: str = "right") -> float:
    """The share right in one respect, of the trials that have it; NaN of none."""
    right = [trial.marks[mark] for trial in trials if mark in trial.marks]
    return sum(right) / len(right) if right else float("nan")


def _percent(value: float) -> str:
    return f"{'':>12}" if np.isnan(value) else f"{value:>12.1%}"


def sheet(trials: Sequence[Trial], columns: int = 4) -> Image.Image:
    """Sources and, right of them, what came of them, so many cases in a row."""
    cells = []
    for trial in trials[: len(trials) // columns * columns]:
        rng = random.Random(trial.case.seed)
        sources = [draw(scene, rng) for scene in trial.case.sources]
        gap = np.full((len(trial.picture), 12, 3), 255, np.uint8)
        cells.append(np.concatenate([*sources, trial.picture, gap], axis=1))
    rows = [
        np.concatenate(cells[at : at + columns], axis=1) for at in range(0, len(cells), columns)
    ]
    return Image.fromarray(np.concatenate(rows))


def _unwatched(_step: Step) -> frozenset[int]:
    """Every picture of a score is wanted to its end."""
    return frozenset()


def main() -> None:
    """Score the weights that a configuration's profile names."""
    parser = argparse.ArgumentParser(
        prog="python -m training.score_images", description=main.__doc__
    )
    parser.add_argument("--count", type=int, default=200, help="of each use")
    parser.add_argument("--seed", type=int, default=2000)
    parser.add_argument("--use", choices=USES, action="append", help="instead of all three")
    parser.add_argument("--steps", type=int, help="instead of the profile's")
    parser.add_argument("--guidance", type=float, help="likewise")
    parser.add_argument("--weights", type=Path, help="a folder instead of the profile's own")
    parser.add_argument("--record", action="store_true", help="write the score to the manifest")
    parser.add_argument("--sheets", type=Path, help="also write the first pictures to this folder")
    options = parser.parse_args()
    profile = _profile(options)
    for use in options.use or USES:
        trials = run(profile, use, cases_for(use, options.count, options.seed))
        print(f"{use}\n{table(trials)}", flush=True)
        if options.record:
            shares: dict[str, float | int] = {"right": share(trials), "pictures": len(trials)}
            record_score(profile.weights_dir, use, shares | {"seed": options.seed})
        if options.sheets:
            sheet(trials[:32]).save(options.sheets / f"{use}.png")


def _profile(options: argparse.Namespace) -> Profile:
    profile = load_profile(_DEFAULT_CONFIG, "micro")
    if options.weights:
        profile = profile.model_copy(update={"weights_dir": options.weights})
    given = {"steps": options.steps, "guidance": options.guidance}
    update = {name: value for name, value in given.items() if value is not None}
    settings = profile.image_prompts and profile.image_prompts.model_copy(update=update)
    return profile.model_copy(update={"image_prompts": settings})


if __name__ == "__main__":
    main()

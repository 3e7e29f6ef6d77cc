"""Scores style transfer: a picture of held-out things restyled through the product's recipe.

``python -m training.score_shapes`` prints how well outlines are kept and how often all colours
become those that the style names, a row by kind of scene, language and aspect ratio. The style is
a sentence in either language that names colours and no shapes; with ``--style picture`` it is a
second picture, of other shapes in the colours meant, and no word.
"""

import argparse
import io
import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal, cast, get_args

import numpy as np
from PIL import Image

from pipelines.contracts import ImageBlob, Step
from pipelines.profiles import AspectRatio, Profile, load_profile
from pipelines.style_transfer import MODE, StyleTransfer, StyleTransferRequest
from pipelines.weights import ComponentStore
from training.captions import LANGUAGES, Language
from training.export import record_score
from training.judge import figure, marks
from training.pairs import Motif, in_colours
from training.shapes import SHAPES
from training.world import KINDS, Kind, Picture, draw, sample_scene

StyleKind = Literal["sentence", "picture"]
Hold = Literal["lightly", "normal", "strictly"]

KEPT_IOU: Final = 0.8
"""From this overlap on an outline counts as kept."""
_MIX: Final[tuple[Kind, ...]] = ("one", "two", "one", "two", "faded", "one", "two")
"""Seven, so that every kind comes in every language and ratio."""
_DEFAULT_CONFIG = Path(__file__).parent.parent / "config.yaml"


@dataclass(frozen=True, slots=True)
class Case:
    """One picture to restyle: its geometry, and in ``motif.scene`` the colours it is to get."""

    motif: Motif
    given: Image.Image
    text: str
    style: Image.Image | None
    language: Language
    ratio: AspectRatio
    seed: int


@dataclass(frozen=True, slots=True)
class Trial:
    """A case and the picture that came of it.

    Attributes:
        case: what was asked.
        picture: the answer.
        overlap: of the outlines asked for and drawn, intersection over union.
        marks: what the judge says of the picture as one of the case's scene.
        seconds: what it took.
    """

    case: Case
    picture: Picture
    overlap: float
    marks: dict[str, bool]
    seconds: float

    @property
    def is_kept(self) -> bool:
        """Whether the outlines are."""
        return self.overlap >= KEPT_IOU

    @property
    def follows(self) -> bool:
        """Whether all colours do: every thing's, and the ground's."""
        return self.marks["background"] and self.marks["colour"]

    @property
    def groups(self) -> tuple[str, ...]:
        """The rows of the table that this counts in."""
        return (self.case.motif.scene.kind, self.case.language, self.case.ratio, "all")


def cases_for(profile: Profile, style: StyleKind, count: int, seed: int) -> list[Case]:
    """The cases of a score, the same for the same profile sizes, kind of style, count and seed."""
    rng = random.Random(seed)
    turns = itertools.cycle(itertools.product(LANGUAGES, profile.sizes))
    cases = []
    for number, (language, ratio) in zip(range(count), turns, strict=False):
        scene = sample_scene(rng, held_out=True, kinds=(_MIX[number % len(_MIX)],))
        motif, size = Motif(scene, rng.getrandbits(32), is_nameless=False), profile.sizes[ratio]
        given = motif.counterpart(rng, (size.width_px, size.height_px))
        text = in_colours(scene, language, rng, with_filler=False).text
        others = tuple(replace(t, shape=rng.choice(list(SHAPES))) for t in scene.things)
        model = Image.fromarray(draw(replace(scene, things=others), rng))
        if style == "sentence":
            cases.append(Case(motif, given, text, None, language, ratio, seed + number))
        else:
            cases.append(Case(motif, given, "", model, language, ratio, seed + number))
    return cases


def run(profile: Profile, cases: Sequence[Case], hold: Hold = "normal") -> list[Trial]:
    """Restyle every case, as many at once as the profile allows; one trial each, in any order."""
    # `load` answers any mode's pipeline; this one's is known.
    recipe = cast("StyleTransfer", MODE.load(ComponentStore.open(profile)))
    alike: dict[AspectRatio, list[Case]] = {}
    for case in cases:
        alike.setdefault(case.ratio, []).append(case)
    at_once = profile.batch_pictures
    batches = [
        group[at : at + at_once]
        for group in alike.values()
        for at in range(0, len(group), at_once)
    ]
    return [trial for batch in batches for trial in _restyled(recipe, profile, batch, hold)]


def _restyled(
    recipe: StyleTransfer, profile: Profile, batch: Sequence[Case], hold: Hold
) -> Iterator[Trial]:
    size = profile.sizes[batch[0].ratio]
    requests = [
        StyleTransferRequest(
            images=tuple(_blob(image) for image in (case.given, case.style) if image),
            prompt=case.text,
            hold=hold,
            seed=case.seed,
            width_px=size.width_px,
            height_px=size.height_px,
        )
        for case in batch
    ]
    outputs = recipe(requests, _unwatched)
    for index, case in enumerate(batch):
        with Image.open(io.BytesIO(outputs[index].pictures[0].png)) as image:
            picture = np.asarray(image.convert("RGB"))
        yield judged(case, picture, outputs[index].seconds / len(batch))


def judged(case: Case, picture: Picture, seconds: float) -> Trial:
    """Compare a picture with what its case asked for."""
    scene = case.motif.scene
    true = case.motif.draw(scene, random.Random(0), (picture.shape[1], picture.shape[0]))
    meant, shown = figure(true, scene), figure(picture, scene)
    overlap = float((meant & shown).sum() / max(1, (meant | shown).sum()))
    return Trial(case, picture, overlap, marks(picture, scene), seconds)


def table(trials: Sequence[Trial]) -> str:
    """Overlaps and shares by kind, language, ratio and overall, a row each."""
    names = (*KINDS, *LANGUAGES, *dict.fromkeys(trial.case.ratio for trial in trials), "all")
    columns = ("mean IoU", f"IoU >= {KEPT_IOU}", "colours follow", "ground", "things", "shape")
    lines = [f"{'':6}{'n':>5}" + "".join(f"{column:>16}" for column in columns)]
    for name in names:
        if group := [trial for trial in trials if name in trial.groups]:
            shares = "".join(f"{share:>16.1%}" for share in list(shares_of(group).values())[1:])
            overlap = shares_of(group)["overlap"]
            lines.append(f"{name:6}{len(group):>5}{overlap:>16.3f}{shares}")
    seconds = sum(trial.seconds for trial in trials) / len(trials)
    return "\n".join([*lines, f"{seconds:.2f} s a picture"])


def shares_of(trials: Sequence[Trial]) -> dict[str, float]:
    """The mean overlap, and the shares of trials that have each thing right."""
    return {
        "overlap": float(np.mean([trial.overlap for trial in trials])),
        "kept": float(np.mean([trial.is_kept for trial in trials])),
        "follows": float(np.mean([trial.follows for trial in trials])),
        "background": float(np.mean([trial.marks["background"] for trial in trials])),
        "colour": float(np.mean([trial.marks["colour"] for trial in trials])),
        "shape": float(np.mean([trial.marks["shape"] for trial in trials])),
    }


def sheet(trials: Sequence[Trial], columns: int = 4) -> Image.Image:
    """The square trials in a grid: what was given and, right of it, what came of it."""
    pictures = [
        np.concatenate([np.asarray(trial.case.given), trial.picture], axis=1)
        for trial in trials
        if trial.picture.shape[0] == trial.picture.shape[1]
    ]
    rows = [
        np.concatenate(pictures[at : at + columns], axis=1)
        for at in range(0, len(pictures) - columns + 1, columns)
    ]
    return Image.fromarray(np.concatenate(rows))


def _blob(image: Image.Image) -> ImageBlob:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return ImageBlob.of(buffer.getvalue())


def _unwatched(_step: Step) -> frozenset[int]:
    """Every picture of a score is wanted to its end."""
    return frozenset()


def main() -> None:
    """Score style transfer with the micro weights."""
    parser = argparse.ArgumentParser(
        prog="python -m training.score_shapes", description=main.__doc__
    )
    parser.add_argument("--style", choices=get_args(StyleKind), default="sentence")
    parser.add_argument("--hold", choices=get_args(Hold), default="normal")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=3000)
    parser.add_argument("--weights", type=Path, help="a folder instead of the profile's own")
    parser.add_argument("--record", action="store_true", help="write the score to the manifest")
    parser.add_argument("--sheet", type=Path, help="also write the square pictures to this PNG")
    options = parser.parse_args()
    profile = load_profile(_DEFAULT_CONFIG, "micro")
    if options.weights:
        profile = profile.model_copy(update={"weights_dir": options.weights})
    cases = cases_for(profile, options.style, options.count, options.seed)
    trials = run(profile, cases, options.hold)
    print(table(trials))
    if options.record:
        shares: dict[str, float | int] = {**shares_of(trials)}
        shares |= {"pictures": len(trials), "seed": options.seed}
        record_score(profile.weights_dir, f"shapes by {options.style}", shares)
    if options.sheet:
        sheet(trials).save(options.sheet)


if __name__ == "__main__":
    main()

"""What pictures given as prompts are to come to: lessons of the adapter, and questions of a score.

A lesson is built backwards, from the scene that is to be drawn to pictures (and words) that lead
to it. The rules: one picture is drawn anew; of several the heaviest gives what stands there and
the lightest the ground; words win where they speak, and elsewhere the picture does.
"""

import random
from dataclasses import dataclass, replace
from typing import Final

from training.captions import LANGUAGES, Language, caption
from training.world import KINDS, Kind, Scene, is_clear, sample_scene

# Of a scene's kind, what words may name; the rest of it is left open.
NAMED: Final[dict[Kind, tuple[frozenset[str], ...]]] = {
    "one": (
        frozenset({"shape"}),
        frozenset({"colour"}),
        frozenset({"background"}),
        frozenset({"colour", "shape"}),
    ),
    "faded": (frozenset({"shape"}), frozenset({"colour"}), frozenset({"background"})),
    "two": (frozenset({"colour"}), frozenset({"background"}), frozenset({"colour", "shape"})),
    "face": (
        frozenset({"mouth"}),
        frozenset({"background"}),
        frozenset({"mouth", "hair"}),
        frozenset({"mouth", "skin"}),
        frozenset({"mouth", "eyes"}),
    ),
}
_OF_THINGS: Final = frozenset({"colour", "shape", "place", "size"})
_OF_FACES: Final = frozenset({"skin", "hair", "eyes", "mouth"})


@dataclass(frozen=True, slots=True)
class Lesson:
    """What is shown and said, and what to draw.

    Attributes:
        target: the scene to draw.
        sources: what the pictures show; none is no picture.
        weights: of each picture, together 1.
        text: the words; empty is none.
    """

    target: Scene
    sources: tuple[Scene, ...] = ()
    weights: tuple[float, ...] = ()
    text: str = ""


def lesson_for(target: Scene, rng: random.Random) -> Lesson:
    """Any way that leads to a scene of the training split."""
    (kind,) = rng.choices(
        ("variation", "fusion", "words", "words, no picture", "nothing"), _SHARES
    )
    if kind == "variation":
        return Lesson(target, (target,), (1.0,))
    if kind == "fusion":
        return Lesson(target, *fused(target, rng))
    if kind == "words":
        shown, text = worded(target, rng)
        if rng.random() < 0.2:
            return Lesson(target, *fused(shown, rng), text)
        return Lesson(target, (shown,), (1.0,), text)
    if kind == "words, no picture":
        return Lesson(target, text=caption(target, rng.choice(LANGUAGES), rng).text)
    return Lesson(target)


_SHARES: Final = (0.3, 0.3, 0.3, 0.04, 0.06)


def fused(
    target: Scene, rng: random.Random, *, held_out: bool = False
) -> tuple[tuple[Scene, Scene], tuple[float, float]]:
    """Two scenes that fuse into the target, in any order, and their weights.

    One has what stands on the target's ground, on another ground; the other has the ground, and
    other things or a face on it. The former is the heavier, or both weigh the same, and then
    which gives what is left to chance.
    """
    giver = _on_another_ground(target, rng, held_out=held_out)
    ground = _with_other_things(target, rng, held_out=held_out)
    share = 0.5 if rng.random() < 0.45 else rng.uniform(0.5, 0.8)
    if rng.random() < 0.5:
        return (giver, ground), (share, 1 - share)
    return (ground, giver), (1 - share, share)


def worded(target: Scene, rng: random.Random, *, held_out: bool = False) -> tuple[Scene, str]:
    """A scene and words that turn it into the target."""
    named = rng.choice(NAMED[target.kind])
    if rng.random() < 0.15:  # the words say it all
        named = _OF_THINGS | _OF_FACES | {"background"}
    language = rng.choice(LANGUAGES)
    return changed(target, named, rng, held_out=held_out), phrase(target, named, language, rng)


def phrase(
    scene: Scene,
    named: frozenset[str],
    language: Language,
    rng: random.Random,
    *,
    with_filler: bool = True,
) -> str:
    """Say of the scene what is named and leave the rest open."""
    unsaid = (_OF_THINGS | _OF_FACES | {"background"}) - named
    if named == {"background"}:
        unsaid |= {"things"}
    return caption(scene, language, rng, with_filler=with_filler, unsaid=unsaid).text


def changed(
    target: Scene, named: frozenset[str], rng: random.Random, *, held_out: bool | None = False
) -> Scene:
    """The target, but for what the words name; of either split where ``held_out`` is None."""
    while True:
        other = sample_scene(rng, kinds=(target.kind,))
        scene = target
        if "background" in named:
            scene = replace(scene, background=other.background, fades_to=other.fades_to)
        pairs = zip(scene.things, other.things, strict=True)
        fields = named & _OF_THINGS
        things = tuple(
            replace(thing, **{field: getattr(theirs, field) for field in fields})
            for thing, theirs in pairs
        )
        face = scene.face and other.face
        if scene.face and other.face:
            parts = {part: getattr(other.face, part) for part in named & _OF_FACES}
            face = replace(scene.face, **parts)
        scene = replace(scene, things=things, face=face)
        if is_clear(scene) and held_out in (None, scene.is_held_out):
            return scene


def _on_another_ground(target: Scene, rng: random.Random, *, held_out: bool) -> Scene:
    while True:
        other = sample_scene(rng)
        scene = replace(target, background=other.background, fades_to=other.fades_to)
        if is_clear(scene) and scene.is_held_out == held_out:
            return scene


def _with_other_things(target: Scene, rng: random.Random, *, held_out: bool) -> Scene:
    while True:
        other = sample_scene(rng, kinds=_MAY_STAND_ON["fading" if target.fades_to else "plain"])
        scene = replace(other, background=target.background, fades_to=target.fades_to)
        if is_clear(scene) and scene.is_held_out == held_out:
            return scene


_MAY_STAND_ON: Final[dict[str, tuple[Kind, ...]]] = {
    "plain": KINDS,
    "fading": ("one", "faded", "two"),
}

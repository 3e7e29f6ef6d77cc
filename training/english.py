"""English for the little world: how people put a scene into words."""

import random
from typing import Final

from training.faces import EYES, HAIRS, Face
from training.shapes import SHAPES
from training.world import COLOURS, Scene, Thing

_COLOURS: Final = {"purple": ("purple", "violet"), "grey": ("grey", "gray")}
_SHAPES: Final = {
    "circle": ("circle", "circle", "disc"),
    "moon": ("moon", "crescent"),
    "ring": ("ring", "ring", "donut"),
}
_ANYTHING: Final[tuple[str, ...]] = ("", "", "thing", "shape")
_EITHER: Final[tuple[str, ...]] = ("thing", "shape")  # of two, each needs a noun to be one
_SIZES: Final = {"small": ("small", "little", "tiny"), "medium": ("",), "large": ("large", "big")}
_PLACES: Final = {
    "centre": ("", "", "", "in the centre", "in the center", "in the middle"),
    "left": ("on the left", "at the left"),
    "right": ("on the right", "at the right"),
    "top": ("at the top", "on top"),
    "bottom": ("at the bottom",),
}
_ARTICLES: Final[tuple[str, ...]] = ("a", "a", "a", "", "the")

_FRAMES: Final[tuple[str, ...]] = (
    "{subject} {place} {on}",
    "{subject} {place} {on}",
    "{subject} {on} {place}",
    "{subject} {on} , {place}",
    "{subject} {place} , {ground}",
    "{ground} , {subject} {place}",
    "a {ground} with {subject} {place}",
)
_FRAMES_OF_TWO: Final[tuple[str, ...]] = (
    "{subject} {on}",
    "{subject} {on}",
    "{subject} , {ground}",
    "{ground} , {subject}",
    "a {ground} with {subject}",
)
_ON: Final[tuple[str, ...]] = (
    "on a {0} background",
    "on a {0} background",
    "on {0}",
    "with a {0} background",
)
_ON_FADING: Final[tuple[str, ...]] = (
    "on a background fading from {0} to {1}",
    "on a gradient from {0} to {1}",
    "on a {0} to {1} gradient",
    "with a {0} to {1} gradient background",
)
_GROUND: Final = "{0} background"
_GROUND_FADING: Final = "{0} to {1} gradient background"

_TOGETHER: Final[tuple[str, ...]] = (
    "{0} and {1}",
    "{0} and {1}",
    "{0} with {1}",
    "two shapes : {0} and {1}",
)
_BESIDE: Final[tuple[str, ...]] = (
    "{0} on the left and {1} on the right",
    "{0} on the left , {1} on the right",
    "{1} on the right and {0} on the left",
    "{0} to the left of {1}",
    "{0} left of {1}",
    "{1} to the right of {0}",
    "{0} next to {1}",
)
_ABOVE: Final[tuple[str, ...]] = (
    "{0} at the top and {1} at the bottom",
    "{0} above {1}",
    "{0} above {1}",
    "{0} over {1}",
    "{1} below {0}",
    "{1} under {0}",
)

_MOUTHS: Final = {
    "smiling": ("smiling", "happy"),
    "sad": ("sad",),
    "surprised": ("surprised",),
}
_HAIRS: Final = {"blonde": ("blonde", "blond"), "red": ("red", "ginger"), "grey": ("grey", "gray")}
_SKINS: Final = {"light": ("light", "fair", "pale"), "tan": ("tan",), "dark": ("dark",)}
_PERSONS: Final[tuple[str, ...]] = (
    "a {0} face",
    "{0} face",
    "a portrait of a {0} person",
    "a {0} person",
    "a cartoon of a {0} face",
)
_PARTS: Final = {"skin": "{0} skin", "hair": "{0} hair", "eyes": "{0} eyes"}
_JOINTS: Final[tuple[str, ...]] = (" with ", " , ")


def say(scene: Scene, unsaid: frozenset[str], rng: random.Random) -> str:
    """Put the scene into words, but for what is to be left open; marks stand apart."""
    if "things" in unsaid:
        return _ground(scene, rng)
    if scene.face:
        subject, frames = _portrait(scene.face, unsaid, rng), _FRAMES_OF_TWO
    elif len(scene.things) == 2:
        subject, frames = _two(scene, unsaid, rng), _FRAMES_OF_TWO
    else:
        subject, frames = _thing(scene.things[0], unsaid, rng), _FRAMES
    is_placed = scene.kind in {"one", "faded"} and "place" not in unsaid
    place = rng.choice(_PLACES[scene.things[0].place]) if is_placed else ""
    if "background" in unsaid:
        return f"{subject} {place}"
    colours = [_colour(name, rng) for name in (scene.background, scene.fades_to) if name]
    return rng.choice(frames).format(
        subject=subject,
        place=place,
        on=rng.choice(_ON_FADING if scene.fades_to else _ON).format(*colours),
        ground=(_GROUND_FADING if scene.fades_to else _GROUND).format(*colours),
    )


def _ground(scene: Scene, rng: random.Random) -> str:
    """The ground alone: "a red background", "on a red background"."""
    colours = [_colour(name, rng) for name in (scene.background, scene.fades_to) if name]
    ground = (_GROUND_FADING if scene.fades_to else _GROUND).format(*colours)
    on = rng.choice(_ON_FADING if scene.fades_to else _ON).format(*colours)
    return rng.choice((on, on, ground, f"a {ground}"))


def phrases() -> list[str]:
    """Every phrase that captions are made of, places to fill in braces."""
    tables = (_COLOURS, _SHAPES, _SIZES, _PLACES, _MOUTHS, _HAIRS, _SKINS)
    words = [word for table in tables for variants in table.values() for word in variants]
    frames: tuple[tuple[str, ...], ...]
    frames = (_FRAMES, _FRAMES_OF_TWO, _ON, _ON_FADING, _TOGETHER, _BESIDE, _ABOVE, _PERSONS)
    parts = [part for group in frames for part in group]
    others = [_GROUND, _GROUND_FADING, *_PARTS.values(), *_JOINTS, *_ARTICLES, *_ANYTHING, "an"]
    return [*words, *parts, *others, *COLOURS, *SHAPES, *HAIRS, *EYES]


def _colour(name: str, rng: random.Random) -> str:
    return rng.choice(_COLOURS.get(name, (name,)))


def _thing(
    thing: Thing,
    unsaid: frozenset[str],
    rng: random.Random,
    anything: tuple[str, ...] = _ANYTHING,
) -> str:
    nouns = anything if "shape" in unsaid else _SHAPES.get(thing.shape, (thing.shape,))
    words = (
        rng.choice(_ARTICLES),
        rng.choice(_SIZES[thing.size]),
        "" if "colour" in unsaid else _colour(thing.colour, rng),
        rng.choice(nouns),
    )
    return " ".join(word for word in words if word)


def _two(scene: Scene, unsaid: frozenset[str], rng: random.Random) -> str:
    first, second = (_thing(thing, unsaid, rng, _EITHER) for thing in scene.things)
    frames = _BESIDE if scene.things[0].place == "left" else _ABOVE
    if "arrangement" in unsaid:
        frames = _TOGETHER
    return rng.choice(frames).format(first, second)


def _portrait(face: Face, unsaid: frozenset[str], rng: random.Random) -> str:
    said = {
        "skin": rng.choice(_SKINS[face.skin]),
        "hair": rng.choice(_HAIRS.get(face.hair, (face.hair,))),
        "eyes": face.eyes,
    }
    parts = [_PARTS[name].format(word) for name, word in said.items() if name not in unsaid]
    rng.shuffle(parts)
    person = rng.choice(_PERSONS).format(rng.choice(_MOUTHS[face.mouth]))
    if not parts:
        return person
    listed = " , ".join(parts[:-1]) + (" and " if len(parts) > 1 else "") + parts[-1]
    return person + rng.choice(_JOINTS) + listed

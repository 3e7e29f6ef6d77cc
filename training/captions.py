"""Says in English and Russian what a scene shows, the way people phrase it.

Captions vary in order, in what they leave out and in the words around the point; Russian
adjectives agree with their noun. :func:`vocabulary` lists every word that carries meaning or
grammar; any other word reaches the model as unknown, and training puts such words around most
captions so that they do no harm.
"""

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from training.world import COLOURS, SHAPES, Scene

Language: TypeAlias = Literal["en", "ru"]
LANGUAGES: tuple[Language, ...] = ("en", "ru")


@dataclass(frozen=True, slots=True)
class Caption:
    """A text and what it says: fields of ``scene`` that the text leaves open are in ``unsaid``."""

    text: str
    scene: Scene
    unsaid: frozenset[str]


_ENGLISH_COLOURS = {"purple": ("purple", "violet"), "grey": ("grey", "gray")}
_ENGLISH_SHAPES = {
    "circle": ("circle", "circle", "disc"),
    "moon": ("moon", "crescent"),
    "ring": ("ring", "ring", "donut"),
}
_ENGLISH_SIZES = {"small": ("small", "little", "tiny"), "medium": ("",), "large": ("large", "big")}
_ENGLISH_PLACES = {
    "centre": ("", "", "", "in the centre", "in the center", "in the middle"),
    "left": ("on the left", "at the left"),
    "right": ("on the right", "at the right"),
    "top": ("at the top", "on top"),
    "bottom": ("at the bottom",),
}
_ENGLISH_FRAMES = (
    "a {thing} {place} on a {ground} background",
    "{thing} {place} on a {ground} background",
    "{thing} {place} , {ground} background",
    "a {thing} on a {ground} background {place}",
    "a {thing} {place} on {ground}",
    "a {thing} on {ground} background , {place}",
    "a {ground} background with a {thing} {place}",
    "{ground} background , {thing} {place}",
    "the {thing} is {place} , the background is {ground}",
    "{thing} on {ground} {place}",
)
_ENGLISH_GROUNDLESS = ("a {thing} {place}", "{thing} {place}", "the {thing} {place}")

Gender: TypeAlias = Literal["m", "f", "n"]
# nominative by gender, feminine accusative, masculine prepositional and instrumental
_RUSSIAN_ENDINGS = {
    "hard": {"m": "ый", "f": "ая", "n": "ое", "accusative": "ую", "on": "ом", "with": "ым"},
    "stressed": {"m": "ой", "f": "ая", "n": "ое", "accusative": "ую", "on": "ом", "with": "ым"},
    "soft": {"m": "ий", "f": "яя", "n": "ее", "accusative": "юю", "on": "ем", "with": "им"},
    "velar": {"m": "ий", "f": "ая", "n": "ое", "accusative": "ую", "on": "ом", "with": "им"},
}
_RUSSIAN_COLOURS = {
    "red": (("красн", "hard"),),
    "green": (("зелён", "hard"), ("зелен", "hard")),
    "blue": (("син", "soft"),),
    "yellow": (("жёлт", "hard"), ("желт", "hard")),
    "purple": (("фиолетов", "hard"),),
    "orange": (("оранжев", "hard"),),
    "pink": (("розов", "hard"),),
    "cyan": (("голуб", "stressed"),),
    "white": (("бел", "hard"),),
    "black": (("чёрн", "hard"), ("черн", "hard")),
    "grey": (("сер", "hard"),),
    "brown": (("коричнев", "hard"),),
}
_RUSSIAN_SIZES = {
    "small": (("маленьк", "velar"),),
    "medium": (),
    "large": (("больш", "stressed"),),
}
# nominative, accusative, gender
_RUSSIAN_SHAPES: dict[str, tuple[tuple[str, str, Gender], ...]] = {
    "circle": (("круг", "круг", "m"),),
    "square": (("квадрат", "квадрат", "m"),),
    "triangle": (("треугольник", "треугольник", "m"),),
    "star": (("звезда", "звезду", "f"),),
    "ring": (("кольцо", "кольцо", "n"),),
    "cross": (("крест", "крест", "m"), ("крестик", "крестик", "m")),
    "heart": (("сердце", "сердце", "n"), ("сердечко", "сердечко", "n")),
    "moon": (("луна", "луну", "f"), ("полумесяц", "полумесяц", "m")),
}
_RUSSIAN_PLACES = {
    "centre": ("", "", "", "в центре", "посередине"),
    "left": ("слева",),
    "right": ("справа",),
    "top": ("сверху", "вверху"),
    "bottom": ("снизу", "внизу"),
}
_RUSSIAN_FRAMES = (
    "{thing} {place} на {on} фоне",
    "{thing} на {on} фоне {place}",
    "{thing} на {on} фоне , {place}",
    "{thing} {place} , {m} фон",
    "{m} фон , {thing} {place}",
    "на {on} фоне {thing} {place}",
    "{thing} {place} с {with} фоном",
    "{thing} на {on} {place}",
)
_RUSSIAN_GROUNDLESS = ("{thing} {place}", "{place} {thing}")

_OPENINGS = {
    "en": "please draw|draw me|a picture of|an illustration of|generate an image with|imagine|"
    "create|show me|I want|a photo of|make|minimalist art ,|simple|beautiful|flat vector|"
    "a painting with|let there be|there is|can you paint|one",
    "ru": "нарисуй|пожалуйста , нарисуй|картинка :|изображение :|сделай картинку , где|"
    "покажи|хочу|простой рисунок ,|красивая иллюстрация ,|минимализм ,|создай|"
    "нарисуй мне|рисунок :|просто|пусть будет|изобрази|один",
}
_ENDINGS = {
    "en": ", high quality|, 4k|, detailed , sharp|please|!|.|, minimalism|, digital art|, best|"
    ", very beautiful|, vector , flat|, thank you|, trending|, no text|, studio light|, bright",
    "ru": ", высокое качество|, 4к|, детально|пожалуйста|!|.|, минимализм|, цифровое искусство|"
    ", очень красиво|, вектор|, спасибо|, без текста|, яркие цвета|, хорошее освещение",
}
_LETTERS = {"en": "abcdefghijklmnopqrstuvwxyz", "ru": "абвгдежзиклмнопрстуфхцчшыьэюя"}


_TABLES: tuple[Mapping[str, tuple[str, ...]], ...] = (
    _ENGLISH_COLOURS,
    _ENGLISH_SHAPES,
    _ENGLISH_SIZES,
    _ENGLISH_PLACES,
    _RUSSIAN_PLACES,
)


def caption(
    scene: Scene, language: Language, rng: random.Random, *, with_filler: bool = True
) -> Caption:
    """Put a scene into words.

    Args:
        scene: what to say.
        language: in which language.
        rng: chooses the phrasing.
        with_filler: also leave things unsaid at times, and put words around that mean nothing.
    """
    drop = rng.random() if with_filler else 1.0
    unsaid = frozenset({"background"} if drop < 0.08 else {"colour"} if drop < 0.11 else ())
    say = _english if language == "en" else _russian
    text = say(scene, unsaid, rng)
    if with_filler:
        text = _surrounded(text, language, rng)
    return Caption(_tidy(text), scene, unsaid)


def vocabulary() -> tuple[str, ...]:
    """Every lower-case word and mark that captions without filler can hold, sorted."""
    adjectives = {
        stem + ending
        for table in (_RUSSIAN_COLOURS, _RUSSIAN_SIZES)
        for stems in table.values()
        for stem, kind in stems
        for ending in _RUSSIAN_ENDINGS[kind].values()
    }
    nouns = {noun for forms in _RUSSIAN_SHAPES.values() for form in forms for noun in form[:2]}
    phrases = [
        *(word for table in _TABLES for words in table.values() for word in words),
        *_ENGLISH_FRAMES,
        *_ENGLISH_GROUNDLESS,
        *_RUSSIAN_FRAMES,
        *_RUSSIAN_GROUNDLESS,
    ]
    plain = {word for phrase in phrases for word in re.sub(r"{\w+}", " ", phrase).split()}
    keys = {"an", *COLOURS, *SHAPES}
    return tuple(sorted(adjectives | nouns | plain | keys))


def _english(scene: Scene, unsaid: frozenset[str], rng: random.Random) -> str:
    colours = {
        name: rng.choice(_ENGLISH_COLOURS.get(name, (name,)))
        for name in (scene.colour, scene.background)
    }
    thing = (
        rng.choice(_ENGLISH_SIZES[scene.size]),
        "" if "colour" in unsaid else colours[scene.colour],
        rng.choice(_ENGLISH_SHAPES.get(scene.shape, (scene.shape,))),
    )
    frame = rng.choice(_ENGLISH_GROUNDLESS if "background" in unsaid else _ENGLISH_FRAMES)
    place = rng.choice(_ENGLISH_PLACES[scene.place])
    return frame.format(thing=" ".join(thing), place=place, ground=colours[scene.background])


def _russian(scene: Scene, unsaid: frozenset[str], rng: random.Random) -> str:
    nominative, accusative, gender = rng.choice(_RUSSIAN_SHAPES[scene.shape])
    is_object = rng.random() < 0.3  # "draw a red star": the noun and its adjectives in accusative
    case = "accusative" if is_object and gender == "f" else gender
    adjectives = [
        stem + _RUSSIAN_ENDINGS[kind][case]
        for stems in (
            _RUSSIAN_SIZES[scene.size],
            () if "colour" in unsaid else _RUSSIAN_COLOURS[scene.colour],
        )
        if stems
        for stem, kind in [rng.choice(stems)]
    ]
    thing = " ".join([*adjectives, accusative if is_object else nominative])
    stem, kind = rng.choice(_RUSSIAN_COLOURS[scene.background])
    ground = {case: stem + ending for case, ending in _RUSSIAN_ENDINGS[kind].items()}
    frame = rng.choice(_RUSSIAN_GROUNDLESS if "background" in unsaid else _RUSSIAN_FRAMES)
    return frame.format(thing=thing, place=rng.choice(_RUSSIAN_PLACES[scene.place]), **ground)


def _surrounded(text: str, language: Language, rng: random.Random) -> str:
    """Put an opening and an ending around the caption at times, of real or invented words."""
    if rng.random() < 0.35:
        text = f"{rng.choice(_OPENINGS[language].split('|'))} {text}"
    if rng.random() < 0.35:
        text = f"{text} {rng.choice(_ENDINGS[language].split('|'))}"
    if rng.random() < 0.2:
        words = text.split()
        at = rng.choice([0, len(words)])
        words[at:at] = [_invented(language, rng) for _ in range(rng.randint(1, 4))]
        text = " ".join(words)
    if rng.random() < 0.15:
        text = text.capitalize() + rng.choice(["", ".", "!"])
    return text


def _invented(language: Language, rng: random.Random) -> str:
    return "".join(rng.choice(_LETTERS[language]) for _ in range(rng.randint(2, 9)))


def _tidy(text: str) -> str:
    """Close up marks and spaces; drop a mark that ended up first or last."""
    text = re.sub(r"\s+", " ", text).strip(" ,")
    text = re.sub(r"\b([aA]) (?=[aeiou])", r"\1n ", text)
    return re.sub(r" ([,.!:])", r"\1", text)

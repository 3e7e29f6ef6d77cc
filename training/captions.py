"""Says in English and Russian what a scene shows, the way people phrase it.

Captions vary in order, in what they leave out and in the words around the point; the phrases lie
in ``english`` and ``russian``. :func:`vocabulary` lists every word that carries meaning or
grammar; any other word reaches the model as unknown, and training puts such words around most
captions so that they do no harm.
"""

import random
import re
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from training import english, russian
from training.world import Kind, Scene

Language: TypeAlias = Literal["en", "ru"]
LANGUAGES: Final[tuple[Language, ...]] = ("en", "ru")


@dataclass(frozen=True, slots=True)
class Caption:
    """A text and what it says: what the text leaves open of ``scene`` is in ``unsaid``.

    That may be the ``background``, the things' ``colour`` or ``shape``, the ``place`` of one thing
    or the ``arrangement`` of two (the first mentioned is then the left or the upper one), and a
    face's ``skin``, ``hair`` and ``eyes``; or ``things``: all but the ground.
    """

    text: str
    scene: Scene
    unsaid: frozenset[str]


# How often a caption of a kind of scene leaves something open.
_OPEN: Final[dict[Kind, dict[str, float]]] = {
    "one": {"background": 0.1, "colour": 0.06, "shape": 0.06},
    "faded": {"background": 0.04},
    "two": {"background": 0.05, "arrangement": 0.35},
    "face": {"background": 0.05, "skin": 0.4, "hair": 0.08, "eyes": 0.2},
}
_OPENINGS: Final = {
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


def caption(
    scene: Scene,
    language: Language,
    rng: random.Random,
    *,
    with_filler: bool = True,
    unsaid: frozenset[str] | None = None,
) -> Caption:
    """Put a scene into words.

    Args:
        scene: what to say.
        language: in which language.
        rng: chooses the phrasing.
        with_filler: also leave things unsaid at times, and put words around that mean nothing.
        unsaid: leaves just this open, as listed at :class:`Caption`.
    """
    if unsaid is None:
        chances = _OPEN[scene.kind] if with_filler else {}
        unsaid = frozenset(name for name, chance in chances.items() if rng.random() < chance)
    say = english.say if language == "en" else russian.say
    text = say(scene, unsaid, rng)
    if language == "ru" and rng.random() < 0.5:  # half of what is typed has no dots
        text = text.replace("ё", "е")
    if with_filler:
        text = _surrounded(text, language, rng)
    return Caption(_tidy(text), scene, unsaid)


def vocabulary() -> tuple[str, ...]:
    """Every lower-case word and mark that captions without filler can hold, sorted."""
    phrases = [*english.phrases(), *russian.phrases()]
    words = {word for phrase in phrases for word in re.sub(r"{\w+}", " ", phrase).split()}
    return tuple(sorted(words | {word.replace("ё", "е") for word in words}))


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

"""Russian for the little world: adjectives agree with their nouns, in the cases people need."""

import random
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from training.faces import Face
from training.world import Scene, Thing

Gender: TypeAlias = Literal["m", "f", "n"]
Case: TypeAlias = Literal["nominative", "accusative", "genitive", "instrumental"]
Stem: TypeAlias = tuple[str, str]  # and its declension

# Masculine and neuter share all cases but the first; the prepositional and the dative are needed
# of the masculine alone ("on a red background", "to red"), the accusative of the feminine.
_ENDINGS: Final[dict[str, dict[str, str]]] = {
    kind: dict(
        zip(
            ("m", "f", "n", "f acc", "gen", "f gen", "ins", "f ins", "prep", "dat"),
            row.split(),
            strict=True,
        )
    )
    for kind, row in {
        "hard": "ый ая ое ую ого ой ым ой ом ому",
        "stressed": "ой ая ое ую ого ой ым ой ом ому",
        "soft": "ий яя ее юю его ей им ей ем ему",
        "velar": "ий ая ое ую ого ой им ой ом ому",
        "hushing": "ой ая ое ую ого ой им ой ом ому",
    }.items()
}
_COLOURS: Final[dict[str, Stem]] = {
    "red": ("красн", "hard"),
    "green": ("зелён", "hard"),
    "blue": ("син", "soft"),
    "yellow": ("жёлт", "hard"),
    "purple": ("фиолетов", "hard"),
    "orange": ("оранжев", "hard"),
    "pink": ("розов", "hard"),
    "cyan": ("голуб", "stressed"),
    "white": ("бел", "hard"),
    "black": ("чёрн", "hard"),
    "grey": ("сер", "hard"),
    "brown": ("коричнев", "hard"),
}
_SIZES: Final[dict[str, Stem | None]] = {
    "small": ("маленьк", "velar"),
    "medium": None,
    "large": ("больш", "hushing"),
}


@dataclass(frozen=True, slots=True)
class _Noun:
    gender: Gender
    nominative: str
    accusative: str
    genitive: str
    instrumental: str


_SHAPES: Final = {
    "circle": (_Noun("m", "круг", "круг", "круга", "кругом"),),
    "square": (_Noun("m", "квадрат", "квадрат", "квадрата", "квадратом"),),
    "triangle": (_Noun("m", "треугольник", "треугольник", "треугольника", "треугольником"),),
    "star": (_Noun("f", "звезда", "звезду", "звезды", "звездой"),),
    "ring": (_Noun("n", "кольцо", "кольцо", "кольца", "кольцом"),),
    "cross": (
        _Noun("m", "крест", "крест", "креста", "крестом"),
        _Noun("m", "крестик", "крестик", "крестика", "крестиком"),
    ),
    "heart": (
        _Noun("n", "сердце", "сердце", "сердца", "сердцем"),
        _Noun("n", "сердечко", "сердечко", "сердечка", "сердечком"),
    ),
    "moon": (
        _Noun("f", "луна", "луну", "луны", "луной"),
        _Noun("m", "полумесяц", "полумесяц", "полумесяца", "полумесяцем"),
    ),
}
_ANYTHING: Final = _Noun("f", "фигура", "фигуру", "фигуры", "фигурой")
_PLACES: Final = {
    "centre": ("", "", "", "в центре", "посередине"),
    "left": ("слева",),
    "right": ("справа",),
    "top": ("сверху", "вверху"),
    "bottom": ("снизу", "внизу"),
}
_FRAMES: Final[tuple[str, ...]] = (
    "{subject} {place} {on}",
    "{subject} {place} {on}",
    "{subject} {on} {place}",
    "{subject} {on} , {place}",
    "{subject} {place} , {ground}",
    "{ground} , {subject} {place}",
    "{on} {subject} {place}",
)
_FRAMES_OF_TWO: Final[tuple[str, ...]] = (
    "{subject} {on}",
    "{subject} {on}",
    "{subject} , {ground}",
    "{ground} , {subject}",
    "{on} {subject}",
)
# A ground's cases: prepositional, instrumental, nominative; of a fading one genitive and dative.
_ON: Final[tuple[str, ...]] = ("на {prep} фоне", "на {prep} фоне", "на {prep}", "с {ins} фоном")
_ON_FADING: Final[tuple[str, ...]] = (
    "на фоне с переходом от {gen} к {dat}",
    "на градиенте от {gen} к {dat}",
    "с градиентом от {gen} к {dat}",
)
_GROUND: Final = "{m} фон"
_GROUND_FADING: Final = "градиент от {gen} к {dat}"

# The nominative of the first and the second thing, and the cases a preposition asks for.
_TOGETHER: Final[tuple[str, ...]] = (
    "{a} и {b}",
    "{a} и {b}",
    "{a} с {b_ins}",
    "две фигуры : {a} и {b}",
)
_BESIDE: Final[tuple[str, ...]] = (
    "{a} слева и {b} справа",
    "слева {a} , справа {b}",
    "слева {a} , а справа {b}",
    "справа {b} , слева {a}",
    "{a} слева от {b_gen}",
    "{b} справа от {a_gen}",
    "{a} рядом с {b_ins}",
)
_ABOVE: Final[tuple[str, ...]] = (
    "{a} сверху и {b} снизу",
    "вверху {a} , внизу {b}",
    "{a} над {b_ins}",
    "{a} над {b_ins}",
    "{b} под {a_ins}",
)

_MOUTHS: Final = {
    "smiling": ("улыбающееся", "весёлое"),
    "sad": ("грустное",),
    "surprised": ("удивлённое",),
}
# Nominative and instrumental.
_PARTS: Final[dict[str, dict[str, tuple[tuple[str, str], ...]]]] = {
    "skin": {
        "light": (("светлая кожа", "светлой кожей"),),
        "tan": (("смуглая кожа", "смуглой кожей"),),
        "dark": (("тёмная кожа", "тёмной кожей"),),
    },
    "hair": {
        "black": (("чёрные волосы", "чёрными волосами"),),
        "brown": (
            ("каштановые волосы", "каштановыми волосами"),
            ("коричневые волосы", "коричневыми волосами"),
        ),
        "blonde": (("светлые волосы", "светлыми волосами"),),
        "red": (("рыжие волосы", "рыжими волосами"),),
        "grey": (("седые волосы", "седыми волосами"),),
    },
    "eyes": {
        "blue": (("голубые глаза", "голубыми глазами"), ("синие глаза", "синими глазами")),
        "green": (("зелёные глаза", "зелёными глазами"),),
        "brown": (("карие глаза", "карими глазами"),),
    },
}
_PERSONS: Final[tuple[str, ...]] = (
    "{0} лицо",
    "{0} лицо",
    "портрет : {0} лицо",
    "портрет , {0} лицо",
)


def say(scene: Scene, unsaid: frozenset[str], rng: random.Random) -> str:
    """Put the scene into words, but for what is to be left open; marks stand apart."""
    if "things" in unsaid:
        return _ground(scene, rng)
    if scene.face:
        subject, frames = _portrait(scene.face, unsaid, rng), _FRAMES_OF_TWO
    elif len(scene.things) == 2:
        subject, frames = _two(scene, unsaid, rng), _FRAMES_OF_TWO
    else:
        # "Draw a red star": the noun and its adjectives in the accusative.
        case: Case = "accusative" if rng.random() < 0.3 else "nominative"
        noun = _ANYTHING if "shape" in unsaid else _noun(scene.things[0], rng)
        subject = _thing(scene.things[0], noun, case, unsaid)
        frames = _FRAMES
    is_placed = scene.kind in {"one", "faded"} and "place" not in unsaid
    place = rng.choice(_PLACES[scene.things[0].place]) if is_placed else ""
    if "background" in unsaid:
        return f"{subject} {place}"
    forms = _ground_forms(scene)
    return rng.choice(frames).format(
        subject=subject,
        place=place,
        on=rng.choice(_ON_FADING if scene.fades_to else _ON).format(**forms),
        ground=(_GROUND_FADING if scene.fades_to else _GROUND).format(**forms),
    )


def _ground_forms(scene: Scene) -> dict[str, str]:
    """A ground's colours in the cases that the frames ask for."""
    stem, kind = _COLOURS[scene.background]
    forms = {case: stem + _ENDINGS[kind][case] for case in ("m", "prep", "ins", "gen")}
    if scene.fades_to:
        stem, kind = _COLOURS[scene.fades_to]
        forms["dat"] = stem + _ENDINGS[kind]["dat"]
    return forms


def _ground(scene: Scene, rng: random.Random) -> str:
    """The ground alone: "красный фон", "на красном фоне"."""
    forms = _ground_forms(scene)
    on = rng.choice(_ON_FADING if scene.fades_to else _ON)
    ground = _GROUND_FADING if scene.fades_to else _GROUND
    return rng.choice((on, on, ground)).format(**forms)


def phrases() -> list[str]:
    """Every phrase that captions are made of, places to fill in braces."""
    stems = [*_COLOURS.values(), *(stem for stem in _SIZES.values() if stem)]
    adjectives = [stem + ending for stem, kind in stems for ending in _ENDINGS[kind].values()]
    nouns = [
        form
        for variants in _SHAPES.values()
        for noun in (*variants, _ANYTHING)
        for form in (noun.nominative, noun.accusative, noun.genitive, noun.instrumental)
    ]
    parts = [
        phrase
        for table in _PARTS.values()
        for variants in table.values()
        for pair in variants
        for phrase in pair
    ]
    groups: tuple[tuple[str, ...], ...] = (
        _FRAMES,
        _FRAMES_OF_TWO,
        _ON,
        _ON_FADING,
        _TOGETHER,
        _BESIDE,
        _ABOVE,
        _PERSONS,
    )
    groups += (*_PLACES.values(), *_MOUTHS.values(), (_GROUND, _GROUND_FADING))
    frames = [phrase for group in groups for phrase in group]
    return [*adjectives, *nouns, *parts, *frames]


def _noun(thing: Thing, rng: random.Random) -> _Noun:
    return rng.choice(_SHAPES[thing.shape])


def _thing(thing: Thing, noun: _Noun, case: Case, unsaid: frozenset[str]) -> str:
    stems = [_SIZES[thing.size], None if "colour" in unsaid else _COLOURS[thing.colour]]
    key = _ENDING_OF[case][noun.gender]
    adjectives = [stem[0] + _ENDINGS[stem[1]][key] for stem in stems if stem]
    return " ".join([*adjectives, getattr(noun, case)])


_ENDING_OF: Final[dict[Case, dict[Gender, str]]] = {
    "nominative": {"m": "m", "f": "f", "n": "n"},
    "accusative": {"m": "m", "f": "f acc", "n": "n"},
    "genitive": {"m": "gen", "f": "f gen", "n": "gen"},
    "instrumental": {"m": "ins", "f": "f ins", "n": "ins"},
}


def _two(scene: Scene, unsaid: frozenset[str], rng: random.Random) -> str:
    a, b = scene.things
    is_open = "shape" in unsaid
    nouns = [_ANYTHING if is_open else _noun(thing, rng) for thing in scene.things]
    frames = _BESIDE if a.place == "left" else _ABOVE
    if "arrangement" in unsaid:
        frames = _TOGETHER
    return rng.choice(frames).format(
        a=_thing(a, nouns[0], "nominative", unsaid),
        a_gen=_thing(a, nouns[0], "genitive", unsaid),
        a_ins=_thing(a, nouns[0], "instrumental", unsaid),
        b=_thing(b, nouns[1], "nominative", unsaid),
        b_gen=_thing(b, nouns[1], "genitive", unsaid),
        b_ins=_thing(b, nouns[1], "instrumental", unsaid),
    )


def _portrait(face: Face, unsaid: frozenset[str], rng: random.Random) -> str:
    asked = {"skin": face.skin, "hair": face.hair, "eyes": face.eyes}
    parts = [rng.choice(_PARTS[k][v]) for k, v in asked.items() if k not in unsaid]
    rng.shuffle(parts)
    person = rng.choice(_PERSONS).format(rng.choice(_MOUTHS[face.mouth]))
    if not parts:
        return person
    if rng.random() < 0.5:
        return f"{person} , " + " , ".join(nominative for nominative, _ in parts)
    return f"{person} с " + " и ".join(instrumental for _, instrumental in parts)

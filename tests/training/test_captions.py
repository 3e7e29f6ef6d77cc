import itertools
import random
import re

import pytest

from training.captions import LANGUAGES, Language, caption, vocabulary
from training.faces import EYES, HAIRS, Face
from training.shapes import SHAPES
from training.world import COLOURS, KINDS, Kind, Scene, Thing, sample_scene

# Nouns by the endings that adjectives before them may have.
MASCULINE = "круг квадрат треугольник крест крестик полумесяц фон"
AGREES = {
    "ый ий ой": MASCULINE,
    "ое ее ееся": "кольцо сердце сердечко лицо",
    "ая яя": "звезда луна фигура кожа",
    "ую юю": "звезду луну фигуру",
    "ого его": "круга квадрата треугольника креста крестика полумесяца кольца сердца сердечка",
    "ой ей": "звезды луны звездой луной кожей",
    "ым им": "кругом квадратом треугольником крестом крестиком полумесяцем кольцом сердцем "
    "сердечком фоном",
    "ом ем": "фоне",
    "ыми ими": "волосами глазами",
    "ые ие": "волосы глаза",
}
ENDINGS_BEFORE = {
    noun: {*ENDINGS.split(), *({"ой"} if noun in MASCULINE.split() else ())}
    for ENDINGS, nouns in AGREES.items()
    for noun in nouns.split()
}
NO_ADJECTIVES = {
    ",",
    "а",
    "с",
    "и",
    "на",
    "портрет",
    "слева",
    "справа",
    "вверху",
    "внизу",
    "фигуры",
}
PAIR = (Thing("star", "red", place="left"), Thing("moon", "white", place="right"))
STACK = (Thing("ring", "red", place="top"), Thing("cross", "blue", place="bottom"))
PERSON = Face("dark", "brown", "green", "smiling")


def words(text: str) -> list[str]:
    return re.findall(r"\w+|,", text.lower())


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_caption_without_filler_has_only_known_words(language: Language, kind: Kind) -> None:
    rng, known = random.Random(0), set(vocabulary())
    for _ in range(1500):
        scene = sample_scene(rng, kinds=(kind,))
        text = caption(scene, language, rng, with_filler=False).text
        assert set(words(text)) <= known, text


def test_a_russian_adjective_agrees_with_the_noun_after_it() -> None:
    rng, seen = random.Random(1), set()
    for _ in range(6000):
        text = words(caption(sample_scene(rng), "ru", rng, with_filler=False).text)
        for adjective, noun in itertools.pairwise(text):
            if noun in ENDINGS_BEFORE and adjective not in NO_ADJECTIVES:
                endings = {ending for ending in ENDINGS_BEFORE[noun] if adjective.endswith(ending)}
                assert endings, " ".join(text)
                seen.add(noun)
    assert seen >= set(ENDINGS_BEFORE) - {"фигура", "фигуру"}  # these come with filler alone


@pytest.mark.parametrize(
    ("scene", "text"),
    [
        (Scene.of("star", "blue", "red"), "синяя звезда на красном фоне"),
        (Scene.of("ring", "cyan", "blue"), "голубое кольцо на синем фоне"),
        (
            Scene.of("circle", "red", "blue", "large", "left"),
            "большой красный круг слева на синем",
        ),
        (Scene.of("moon", "white", "black", "small"), "маленькую белую луну с чёрным фоном"),
        (Scene.of("moon", "white", "black", "small"), "маленькую белую луну с черным фоном"),
        (Scene.of("circle", "red", "blue"), "a red circle on a blue background"),
        (Scene.of("star", "orange", "grey", place="top"), "an orange star at the top on grey"),
        (Scene(PAIR, "blue"), "a red star on the left and a white moon on the right on blue"),
        (Scene(PAIR, "blue"), "a white moon to the right of a red star on a blue background"),
        (Scene(PAIR, "blue"), "красная звезда слева от белой луны на синем фоне"),
        (Scene(PAIR, "blue"), "слева красная звезда, справа белый полумесяц на синем фоне"),
        (Scene(PAIR, "blue"), "красная звезда рядом с белой луной, синий фон"),
        (Scene(STACK, "white"), "a blue cross below a red ring on a white background"),
        (Scene(STACK, "white"), "синий крестик под красным кольцом на белом фоне"),
        (
            Scene(PAIR[:1], "blue", "pink"),
            "a red star on the left on a gradient from blue to pink",
        ),
        (Scene(PAIR[:1], "blue", "pink"), "красная звезда слева, градиент от синего к розовому"),
        (
            Scene((), "white", face=PERSON),
            "a smiling face with brown hair, dark skin and green eyes",
        ),
        (Scene((), "white", face=PERSON), "улыбающееся лицо, карие глаза"),
    ],
)
def test_people_say_it_like_this(scene: Scene, text: str) -> None:
    language: Language = "ru" if re.search("[а-я]", text) else "en"
    if "карие" in text:
        scene = Scene((), "white", face=Face("dark", "brown", "brown", "smiling"))
    rng = random.Random(2)
    said = {caption(scene, language, rng, with_filler=False).text for _ in range(8000)}
    assert any(line.startswith(text) for line in said)


def test_what_a_caption_leaves_open_it_does_not_mention() -> None:
    rng, scene = random.Random(3), Scene.of("heart", "pink", "brown")
    captions = [caption(scene, "en", rng) for _ in range(2000)]
    for name, word in (("background", "brown"), ("colour", "pink"), ("shape", "heart")):
        left_open = [c for c in captions if name in c.unsaid]
        assert left_open
        assert not any(word in words(c.text) for c in left_open)
        assert all(word in words(c.text) for c in captions if name not in c.unsaid)


def test_two_things_may_be_named_without_saying_where() -> None:
    rng = random.Random(4)
    captions = [caption(Scene(PAIR, "blue"), "en", rng) for _ in range(500)]
    left_open = [c for c in captions if "arrangement" in c.unsaid]
    assert 0.2 < len(left_open) / len(captions) < 0.5
    for said in left_open:
        mentioned = words(said.text)
        assert not {"left", "right", "next"} & set(mentioned)
        moon = "moon" if "moon" in mentioned else "crescent"
        assert mentioned.index("star") < mentioned.index(moon)  # the left one comes first


def test_filler_holds_words_the_model_does_not_know() -> None:
    rng, known = random.Random(5), set(vocabulary())
    texts = [caption(sample_scene(rng), "en", rng).text for _ in range(300)]
    unknown = [text for text in texts if set(words(text)) - known]
    assert 0.3 < len(unknown) / len(texts) < 0.95


def test_every_name_of_the_world_has_its_word() -> None:
    assert {*COLOURS, *SHAPES, *HAIRS, *EYES} <= set(vocabulary())

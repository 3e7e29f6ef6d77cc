import random
import re

import pytest

from training.captions import LANGUAGES, Language, caption, vocabulary
from training.world import COLOURS, SHAPES, Scene, sample_scene

MASCULINE = {"круг", "квадрат", "треугольник", "крест", "крестик", "полумесяц"}
NEUTER = {"кольцо", "сердце", "сердечко"}
FEMININE = {"звезда", "луна"}
ACCUSATIVE = {"звезду", "луну"}
AGREES = {"ый": MASCULINE, "ий": MASCULINE, "ой": MASCULINE, "ое": NEUTER, "ее": NEUTER}
AGREES |= {"ая": FEMININE, "яя": FEMININE, "ую": ACCUSATIVE, "юю": ACCUSATIVE}


def words(text: str) -> list[str]:
    return re.findall(r"\w+|,", text.lower())


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_caption_without_filler_has_only_known_words(language: Language) -> None:
    rng, known = random.Random(0), set(vocabulary())
    for _ in range(3000):
        text = caption(sample_scene(rng), language, rng, with_filler=False).text
        assert set(words(text)) <= known, text


def test_a_russian_adjective_agrees_with_the_noun_after_it() -> None:
    rng, nouns = random.Random(1), MASCULINE | NEUTER | FEMININE | ACCUSATIVE
    seen = set()
    for _ in range(3000):
        text = words(caption(sample_scene(rng), "ru", rng, with_filler=False).text)
        for index, noun in enumerate(text):
            if noun in nouns:
                adjective = text[index - 1]
                assert noun in AGREES[adjective[-2:]], " ".join(text)
                seen.add(adjective[-2:])
    assert seen == set(AGREES)


@pytest.mark.parametrize(
    ("scene", "text"),
    [
        (Scene("star", "blue", "red"), "синяя звезда на красном фоне"),
        (Scene("ring", "cyan", "blue"), "голубое кольцо на синем фоне"),
        (Scene("circle", "red", "blue", "large", "left"), "большой красный круг слева на синем"),
        (Scene("moon", "white", "black", "small"), "маленькую белую луну с чёрным фоном"),
        (Scene("circle", "red", "blue"), "a red circle on a blue background"),
        (Scene("star", "orange", "grey", place="top"), "an orange star at the top on grey"),
    ],
)
def test_people_say_it_like_this(scene: Scene, text: str) -> None:
    language: Language = "ru" if re.search("[а-я]", text) else "en"
    rng = random.Random(2)
    said = {caption(scene, language, rng, with_filler=False).text for _ in range(5000)}
    assert text in said or any(line.startswith(text) for line in said)


def test_what_a_caption_leaves_open_it_does_not_mention() -> None:
    rng, scene = random.Random(3), Scene("heart", "pink", "brown")
    captions = [caption(scene, "en", rng) for _ in range(2000)]
    open_ground = [c for c in captions if "background" in c.unsaid]
    assert open_ground
    assert not any("brown" in words(c.text) for c in open_ground)
    open_colour = [c for c in captions if "colour" in c.unsaid]
    assert open_colour
    assert not any("pink" in words(c.text) for c in open_colour)
    assert all("brown" in words(c.text) for c in captions if c not in open_ground)


def test_filler_holds_words_the_model_does_not_know() -> None:
    rng, known = random.Random(4), set(vocabulary())
    texts = [caption(sample_scene(rng), "en", rng).text for _ in range(300)]
    unknown = [text for text in texts if set(words(text)) - known]
    assert 0.3 < len(unknown) / len(texts) < 0.95


def test_every_colour_and_shape_has_its_word() -> None:
    assert {*COLOURS, *SHAPES} <= set(vocabulary())

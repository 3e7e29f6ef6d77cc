import subprocess
import sys

import pytest

from pipelines.prompting.languages import CONCEIVABLE, Languages


@pytest.fixture(scope="module")
def english() -> Languages:
    return Languages(["en"])


@pytest.mark.parametrize(
    "sentence",
    [
        "a red circle on a blue background",
        "a cat in a hat",
        "sunset",
        "astronaut riding a horse",
        "portrait of a woman, oil painting, baroque",
        "lighthouse at dusk, 4k, octane render",
        "cyberpunk samurai",
        "golden retriever puppy",
        "Van Gogh style starry night",
        "dragon",
        "two cats",
        "A GLASS CITY",
    ],
)
def test_english_is_read_as_it_is(english: Languages, sentence: str) -> None:
    assert english.can_read(sentence)


@pytest.mark.parametrize(
    "sentence",
    [
        "красный круг на синем фоне",
        "закат",
        "червона квітка на полі",
        "ein roter Kreis auf blauem Grund",
        "Sonnenuntergang am Meer",
        "un chat avec un chapeau",
        "un gato con sombrero",
        "un cane che legge il giornale",
        "zachód słońca nad morzem",
        "um gato de chapéu",
        "kırmızı ejderha",
        "een kat met een hoed",
        "con mèo đội mũ",
        "seekor kucing memakai topi",
        "猫",
        "帽子をかぶった猫",
        "모자를 쓴 고양이",
        "قطة ترتدي قبعة",
        "γάτα με καπέλο",
        "красный dragon на башне",
        "🦊",
    ],
)
def test_what_an_english_encoder_cannot_read_is_told(english: Languages, sentence: str) -> None:
    assert not english.can_read(sentence)


def test_an_answer_in_english_may_look_a_little_foreign(english: Languages) -> None:
    assert english.can_read("A café in Paris", CONCEIVABLE)
    assert not english.can_read("Ein roter Kreis auf blauem Grund, warme Farben", CONCEIVABLE)
    assert not english.can_read("Красный круг на синем фоне", CONCEIVABLE)


def test_an_encoder_may_read_several_languages() -> None:
    both = Languages(["en", "ru"])
    assert both.can_read("красный круг на синем фоне")
    assert both.can_read("a red circle on a blue background")
    assert not both.can_read("ein roter Kreis auf blauem Grund")
    assert not both.can_read("帽子をかぶった猫")


def test_the_same_sentence_is_always_judged_the_same(english: Languages) -> None:
    judged = {Languages(["en"]).can_read("tiger dragon rouge") for _ in range(2)}
    assert judged == {english.can_read("tiger dragon rouge")}


def test_a_language_nobody_can_detect_is_no_obstacle() -> None:
    assert Languages(["en", "xx"]).can_read("a red circle")


def test_the_model_is_loaded_by_the_first_who_needs_it() -> None:
    code = (
        "import sys; from pipelines.prompting.languages import Languages;"
        "languages = Languages(['en']); languages.can_read('猫');"
        "print('py3langid' in sys.modules);"
        "languages.can_read('a cat'); print('py3langid' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split() == ["False", "True"]

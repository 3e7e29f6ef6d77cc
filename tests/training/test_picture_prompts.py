import random
import re

import pytest

from training.captions import LANGUAGES, Language, vocabulary
from training.picture_prompts import NAMED, Lesson, changed, fused, lesson_for, phrase, worded
from training.world import KINDS, Kind, Scene, sample_scene


def standing(scene: Scene) -> tuple[object, ...]:
    return (scene.things, scene.face)


def ground(scene: Scene) -> tuple[str, str | None]:
    return (scene.background, scene.fades_to)


def lessons(count: int) -> list[Lesson]:
    rng = random.Random(0)
    return [lesson_for(sample_scene(rng), rng) for _ in range(count)]


def test_of_two_pictures_the_heavier_gives_what_stands_there_and_the_other_the_ground() -> None:
    rng = random.Random(1)
    for _ in range(300):
        target = sample_scene(rng)
        sources, weights = fused(target, rng)
        assert sum(weights) == pytest.approx(1)
        givers = [s for s, w in zip(sources, weights, strict=True) if w == max(weights)]
        assert any(standing(giver) == standing(target) for giver in givers)
        lighter = [s for s, w in zip(sources, weights, strict=True) if w == min(weights)]
        assert any(ground(other) == ground(target) for other in lighter)


def test_two_pictures_weigh_the_same_often_and_either_comes_first() -> None:
    rng = random.Random(2)
    pairs = [fused(sample_scene(rng), rng)[1] for _ in range(300)]
    assert 0.3 < sum(first == second for first, second in pairs) / 300 < 0.6
    assert any(first > second for first, second in pairs)
    assert any(first < second for first, second in pairs)


@pytest.mark.parametrize("kind", KINDS)
def test_words_change_nothing_but_what_they_name(kind: Kind) -> None:
    rng = random.Random(3)
    for named in NAMED[kind]:
        target = sample_scene(rng, kinds=(kind,))
        shown = changed(target, named, rng)
        parts = {"background", "fades_to"} if "background" in named else set()
        for name in {"background", "fades_to"} - parts:
            assert getattr(shown, name) == getattr(target, name)
        for mine, theirs in zip(shown.things, target.things, strict=True):
            for name in {"colour", "shape", "place", "size"} - named:
                assert getattr(mine, name) == getattr(theirs, name)
        if shown.face and target.face:
            for name in {"skin", "hair", "eyes", "mouth"} - named:
                assert getattr(shown.face, name) == getattr(target.face, name)


def test_lessons_are_of_the_training_split_alone() -> None:
    assert not any(source.is_held_out for it in lessons(500) for source in it.sources)


def test_lessons_come_with_and_without_pictures_and_words() -> None:
    seen = {(len(it.sources), bool(it.text)) for it in lessons(500)}
    assert seen == {(0, False), (0, True), (1, False), (1, True), (2, False), (2, True)}


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_left_open_is_not_said_and_every_word_is_known(language: Language) -> None:
    rng, known = random.Random(4), set(vocabulary())
    for _ in range(200):
        scene = sample_scene(rng)
        named = rng.choice(NAMED[scene.kind])
        text = phrase(scene, named, language, rng, with_filler=False)
        assert set(re.findall(r"[,:]|\w+", text.lower())) <= known, text


@pytest.mark.parametrize(
    ("named", "language", "said"),
    [
        ("background", "en", r"(on|with)? ?(a )?blue( background)?"),
        ("background", "ru", r"(на синем( фоне)?|с синим фоном|синий фон)"),
        ("shape", "en", r"(an? |the )?heart"),
        ("shape", "ru", r"(сердце|сердечко)"),
        ("colour", "en", r"(an? |the )?red( thing| shape)?"),
        ("colour", "ru", r"красн(ая|ую) фигур[ау]"),
    ],
)
def test_one_trait_is_said_alone(named: str, language: Language, said: str) -> None:
    rng = random.Random(5)
    for _ in range(20):
        scene = Scene.of("heart", "red", "blue")
        text = phrase(scene, frozenset({named}), language, rng, with_filler=False)
        assert re.fullmatch(said, text), text


def test_words_may_say_it_all() -> None:
    rng = random.Random(6)
    target = sample_scene(rng, kinds=("one",))
    shown = [worded(target, rng)[0] for _ in range(100)]
    assert any(ground(s) != ground(target) and standing(s) != standing(target) for s in shown)

import re

import pytest

from pipelines.styles import NO_STYLE, STYLES, with_style


def test_no_style_leaves_the_prompt_alone() -> None:
    assert with_style("a cat, sitting", NO_STYLE) == "a cat, sitting"


@pytest.mark.parametrize("style", sorted(STYLES.keys() - {NO_STYLE}))
def test_a_style_adds_its_words_after_the_prompt(style: str) -> None:
    assert with_style("a cat", style) == f"a cat, {STYLES[style]}"
    assert len(STYLES[style]) > 5


def test_the_web_editors_styles_are_all_there() -> None:
    assert len(STYLES) == 1 + 23
    assert STYLES["kandinsky"] == "painted by Vasily Kandinsky, abstractionism"


def test_codes_can_be_typed_and_name_a_sentence() -> None:
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", code) for code in STYLES)


def test_no_living_artist_is_imitated() -> None:
    assert not any("rutkowski" in words.lower() for words in STYLES.values())


def test_an_unknown_style_is_an_error() -> None:
    with pytest.raises(KeyError):
        with_style("a cat", "nope")

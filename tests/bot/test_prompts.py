import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.prompts import (
    PromptEmpty,
    PromptTooLong,
    checked_prompt,
    clean,
    shortened,
    utf16_length,
)
from pipelines.text_to_image import TextToImageRequest


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("  a\tfox\r\n", "a fox"),
        ("a\x00\x1b[31mfox", "a[31mfox"),
        ("\u202eabc\u2066d", "abcd"),
        ("عربي\u200f", "عربي\u200f"),
        ("👩\u200d🚀", "👩\u200d🚀"),
        ("a\ud800b", "ab"),
    ],
)
def test_only_what_cannot_be_seen_is_dropped(typed: str, kept: str) -> None:
    assert clean(typed) == kept


@pytest.mark.parametrize("typed", ["", " ", "\u200b\u200d", "\x07", "\n"])
def test_nothing_visible_is_nothing(typed: str) -> None:
    with pytest.raises(PromptEmpty):
        checked_prompt(typed)


@pytest.mark.parametrize("char", ["x", "🦊", "я"])
def test_a_thousand_characters_are_taken_and_one_more_is_not(char: str) -> None:
    assert checked_prompt(char * 1000) == char * 1000
    with pytest.raises(PromptTooLong):
        checked_prompt(char * 1001)


@given(st.text(st.characters(exclude_categories=()), max_size=1200))
def test_the_recipe_takes_every_prompt_that_is_let_through(typed: str) -> None:
    try:
        prompt = checked_prompt(typed)
    except (PromptEmpty, PromptTooLong):
        return
    request = TextToImageRequest(prompt=prompt, width_px=64, height_px=64, quality="base", seed=0)
    assert request.prompt == prompt


@given(st.text(), st.integers(1, 50))
def test_a_cut_text_fits_and_is_a_beginning(text: str, limit: int) -> None:
    cut = shortened(text, limit)
    assert utf16_length(cut) <= limit
    assert cut == text or (cut.endswith("…") and text.startswith(cut[:-1]))


@pytest.mark.parametrize("limit", [3, 4, 5, 6])
def test_an_emoji_is_kept_whole_or_left_out(limit: int) -> None:
    assert shortened("ab👩\u200d🚀 and more", limit) == "ab…"


def test_a_skin_tone_and_an_accent_stay_with_what_they_colour() -> None:
    assert shortened("ab👍🏽cdef", 5) == "ab…"
    assert shortened("abcde\u0301fgh", 6) == "abcd…"

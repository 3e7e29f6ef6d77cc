import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.prompting.chat import REFUSED, UNUSABLE, Answer, NoAnswer
from pipelines.prompting.cleaning import drawable, fitted

WORDS = "A blue square on a white background, soft light"


@pytest.mark.parametrize(
    "said",
    [
        WORDS,
        f"  {WORDS}\n",
        f'"{WORDS}"',
        f"“{WORDS}”",
        f"«{WORDS}»",
        f"'{WORDS}'",
        f"**{WORDS}**",
        f"```\n{WORDS}\n```",
        f"Prompt: {WORDS}",
        f'**Prompt:** "{WORDS}"',
        f"Text-to-image prompt: {WORDS}",
        f"Sure! Here is an expanded prompt for you:\n\n{WORDS}",
        f"Certainly, here's the translation: “{WORDS}”",
        f'"{WORDS}" This one has more detail.',
        f"{WORDS}\n### User:\nthank you",
        f"{WORDS}</s>",
        f"{WORDS}<|im_end|>\n<|im_start|>user",
        f"<think>The user wants a square.\nBlue.</think>\n{WORDS}",
        "A blue square\non a white background,\n\nsoft\u200b \x07light",
    ],
)
def test_what_stands_around_the_words_is_stripped(said: str) -> None:
    assert drawable(Answer(said)) == WORDS


@pytest.mark.parametrize(
    "said",
    [
        "I'm sorry, I cannot help with that.",
        "I’m sorry, but I can’t assist with that request.",
        "Sorry, this is not allowed.",
        "I cannot create such a prompt.",
        "I can't do that",
        "I am unable to describe this.",
        "I apologize, but no.",
        "As an AI language model, I do not draw.",
        "Unfortunately, I cannot continue.",
        '"I\'m sorry, I cannot."',
        "Answer: I won't write that.",
    ],
)
def test_a_refusal_is_told_from_a_prompt(said: str) -> None:
    assert drawable(Answer(said)) == NoAnswer(REFUSED)


@pytest.mark.parametrize(
    "said",
    [
        *(
            "",
            "   ",
            "###",
            '""',
            "🦊🦊🦊",
            "!!! ??? ...",
            "{]}[{]}[ a b",
            "a",
            "<think>hmm, let me",
        ),
        *("very " * 40, "the cat " * 30),
    ],
)
def test_what_nobody_could_draw_is_not_drawn(said: str) -> None:
    assert drawable(Answer(said)) == NoAnswer(UNUSABLE)


@pytest.mark.parametrize(
    "said", ["A can't-miss poster", "'Twas the night before Christmas", "A cat that isn't sorry"]
)
def test_prompts_that_look_like_something_else_stay_as_they_are(said: str) -> None:
    assert drawable(Answer(said)) == said


def test_an_answer_that_was_cut_off_ends_with_its_last_whole_sentence() -> None:
    cut = Answer("A fox reads. It is morning in a small café, and the lig", is_whole=False)
    assert drawable(cut) == "A fox reads. It is morning in a small café"
    cut = Answer("A fox reads a newspaper in a café. It is mor", is_whole=False)
    assert drawable(cut) == "A fox reads a newspaper in a café."


def at_most(count: int, text: str) -> bool:
    return len(text.split(" ")) <= count


def test_what_fits_is_left_alone() -> None:
    assert fitted("a fox, a hat", lambda text: at_most(4, text)) == "a fox, a hat"


def test_what_does_not_fit_is_cut_where_a_sentence_ends() -> None:
    words = "A fox reads the newspaper. It wears a large red hat, and drinks coffee."
    assert fitted(words, lambda text: at_most(8, text)) == "A fox reads the newspaper."
    assert fitted(words, lambda text: at_most(11, text)) == (
        "A fox reads the newspaper. It wears a large red hat"
    )


def test_without_an_end_near_it_is_cut_between_two_words() -> None:
    assert fitted("one two three four five", lambda text: at_most(3, text)) == "one two three"


@settings(deadline=None)
@given(st.text(alphabet="ab ,.!", min_size=1).map(lambda t: " ".join(t.split()) or "a"))
def test_a_cut_text_is_a_beginning_of_it_that_fits(words: str) -> None:
    cut = fitted(words, lambda text: at_most(3, text))
    assert words.startswith(cut)
    assert at_most(3, cut)


@settings(deadline=None)
@given(st.text())
def test_whatever_is_said_one_printable_line_comes_of_it_or_none(said: str) -> None:
    words = drawable(Answer(said))
    if isinstance(words, str):
        assert words.isprintable() or " " in words
        assert words == " ".join(words.split())
        assert "###" not in words

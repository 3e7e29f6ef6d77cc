import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.jobs.job import Rejected
from bot.options import (
    BadNegative,
    BadNumber,
    BadQuality,
    BadRatio,
    BadStep,
    BadStyle,
    Line,
    NoStyles,
    NoValue,
    UnknownOption,
    parse_line,
)
from pipelines.contracts import SEED_MAX
from pipelines.profiles import Profile
from pipelines.styles import STYLES
from tests.building import PROFILE

TINY = Profile.model_validate({**PROFILE, "knows": "anything"})
SHAPES = Profile.model_validate(PROFILE)


def parsed(text: str) -> Line:
    return parse_line(text, TINY)


HOLDS = {"hold": ("lightly", "strictly")}


def test_a_mode_may_take_fewer_options_and_steps_of_its_own() -> None:
    line = parse_line("a fox --hold Lightly —n 2 —hold strictly", TINY, ("n",), HOLDS)
    assert line == Line("a fox", n=2, steps={"hold": "strictly"})
    assert parse_line("a fox —seed 7", TINY, ("n",), HOLDS).words == "a fox —seed 7"


@pytest.mark.parametrize(
    ("text", "refusal", "params"),
    [
        ("--seed 7", UnknownOption, {"option": "--seed", "known": "--n, --hold"}),
        ("--hold", NoValue, {"option": "--hold"}),
        (
            "--hold firmly",
            BadStep,
            {"option": "--hold", "value": "firmly", "known": "lightly, strictly"},
        ),
    ],
)
def test_what_a_mode_does_not_take_is_refused(
    text: str, refusal: type[Rejected], params: dict[str, str]
) -> None:
    with pytest.raises(refusal) as refused:
        parse_line(text, TINY, ("n",), HOLDS)
    assert refused.value.params == params


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a fox", Line("a fox")),
        ("a fox --ar 16:9", Line("a fox", ratio="16:9")),
        ("--ar 16:9 a fox", Line("a fox", ratio="16:9")),
        ("a --seed 7 fox", Line("a fox", seed=7)),
        ("a fox --ar=16:9", Line("a fox", ratio="16:9")),
        ("a fox —ar 16:9 –seed 7", Line("a fox", ratio="16:9", seed=7)),
        ("a fox --no text, watermark --n 4", Line("a fox", negative="text, watermark", n=4)),
        ('--no "text, watermark" a fox', Line("a fox", negative="text, watermark")),
        ("--no “text --n 9” a fox", Line("a fox", negative="text --n 9")),
        ("a fox --quality FLASH --style Anime", Line("a fox", quality="flash", style="anime")),
        ("a fox --style «anime»", Line("a fox", style="anime")),
        ("a fox --seed 1 --seed 2", Line("a fox", seed=2)),
        ("a fox — red — runs", Line("a fox — red — runs")),
        ("well—known, x--y, a -- b, ---", Line("well—known, x--y, a -- b, ---")),
        ("—Привет, сказал лис", Line("—Привет, сказал лис")),
        ("a cat —black and white", Line("a cat —black and white")),
        ("x —foo", Line("x —foo")),
        ("", Line("")),
    ],
)
def test_a_line_is_taken_apart(text: str, line: Line) -> None:
    assert parsed(text) == line


@pytest.mark.parametrize(
    ("text", "refusal", "params"),
    [
        ("x --foo", UnknownOption, {"option": "--foo"}),
        ("x --7", UnknownOption, {"option": "--7"}),
        ("x --ar 99:1", BadRatio, {"option": "--ar", "value": "99:1", "known": "1:1, 16:9"}),
        ("x --ar", NoValue, {"option": "--ar"}),
        ("x --ar --seed 1", NoValue, {"option": "--ar"}),
        ("x —style", NoValue, {"option": "--style"}),
        ("x --n 0", BadNumber, {"option": "--n", "lowest": "1", "highest": "4"}),
        ("x --n 5", BadNumber, {"option": "--n"}),
        ("x --n 1_0", BadNumber, {"option": "--n"}),
        ("x --n ٣", BadNumber, {"option": "--n"}),
        ("x --seed abc", BadNumber, {"option": "--seed", "value": "abc"}),
        ("x --seed -1", BadNumber, {"option": "--seed", "value": "-1"}),
        (f"x --seed {SEED_MAX + 1}", BadNumber, {"highest": str(SEED_MAX)}),
        ("x --quality refined", BadQuality, {"value": "refined", "known": "flash, base"}),
        ("x --style " + "y" * 99, BadStyle, {"value": "y" * 23 + "…"}),
        ("x --no", BadNegative, {"option": "--no", "limit": "1000"}),
        ("x --no " + "y" * 1001, BadNegative, {"limit": "1000"}),
    ],
)
def test_a_refusal_names_the_option_and_what_it_takes(
    text: str, refusal: type[Rejected], params: dict[str, str]
) -> None:
    with pytest.raises(refusal) as caught:
        parsed(text)
    assert params.items() <= caught.value.params.items()


def test_a_model_that_knows_shapes_knows_no_style() -> None:
    with pytest.raises(NoStyles):
        parse_line("x --style anime", SHAPES)
    assert parse_line("x --style none", SHAPES).style == "none"


WORD = st.text(string.ascii_letters + "ёЖ🦊", min_size=1)


@given(
    words=st.lists(WORD, min_size=1),
    ratio=st.sampled_from(sorted(TINY.sizes)),
    seed=st.integers(0, SEED_MAX),
    n=st.integers(1, 4),
    style=st.sampled_from(sorted(STYLES)),
    order=st.permutations(range(4)),
    dash=st.sampled_from(["--", "—", "–"]),
)
def test_options_may_stand_in_any_order(
    words: list[str],
    ratio: str,
    seed: int,
    n: int,
    style: str,
    order: list[int],
    dash: str,
) -> None:
    options = [f"ar {ratio}", f"seed {seed}", f"n {n}", f"style {style}"]
    typed = " ".join([*words, *(dash + options[index] for index in order)])
    line = parsed(typed)
    assert (line.words, line.ratio, line.seed) == (" ".join(words), ratio, seed)
    assert (line.n, line.style) == (n, style)


@given(st.text())
def test_no_line_is_too_strange(text: str) -> None:
    try:
        line = parsed(text)
    except Rejected:
        return
    assert line.n is None or 1 <= line.n <= 4
    assert line.seed is None or 0 <= line.seed <= SEED_MAX

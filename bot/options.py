"""The options people type into the line: ``a red fox --ar 16:9 --no text, watermark``.

They may stand anywhere and in any order; what is left is the prompt. A phone turns ``--`` into a
dash and straight quotes into curly ones, so those are understood as well.
"""

import re
from dataclasses import dataclass, replace
from typing import Final

from bot.jobs.job import Rejected
from bot.prompts import clean
from pipelines.contracts import SEED_MAX
from pipelines.profiles import AspectRatio, Profile, Quality
from pipelines.requests import PICTURES_MAX, TEXT_MAX_CHARS
from pipelines.styles import NO_STYLE, STYLES

OPTIONS: Final = ("ar", "no", "seed", "n", "quality", "style")

_OPTION: Final = re.compile(
    rf"""(?:^|(?<=\s))
        (?: --(?P<plain>[^\W_][^\s=]*)                # as typed
          | [—–―](?P<dashed>(?i:{"|".join(OPTIONS)}))  # as a phone corrects it
        )
        (?P<end>=|\s+|$)""",
    re.VERBOSE,
)
"""Any word after two hyphens is meant as an option; after a dash only those that exist are."""
_QUOTED: Final = re.compile(r"""\s*(?:"([^"]*)"|'([^']*)'|“([^”]*)”|‘([^’]*)’|«([^»]*)»)""")
_WORD: Final = re.compile(r"\s*(\S+)")


class UnknownOption(Rejected):
    """There is no ``option``; ``known`` lists those there are."""

    code = "error-option-unknown"


class NoValue(Rejected):
    """Nothing stands behind ``option``."""

    code = "error-option-empty"


class BadRatio(Rejected):
    """``value`` is not one of the ratios ``known``."""

    code = "error-option-ratio"


class BadQuality(Rejected):
    """The profile has no quality ``value``; ``known`` are those it has."""

    code = "error-option-quality"


class BadStyle(Rejected):
    """There is no style ``value``; ``known`` are some there are."""

    code = "error-option-style"


class NoStyles(Rejected):
    """The model of this profile knows no styles."""

    code = "error-option-no-styles"


class BadNumber(Rejected):
    """``value`` is no whole number from ``lowest`` to ``highest``."""

    code = "error-option-number"


class BadNegative(Rejected):
    """What to leave out is empty, or longer than ``limit``."""

    code = "error-option-no"


@dataclass(frozen=True, slots=True)
class Line:
    """A line taken apart: the words to draw, and the options given; ``None`` is not given."""

    words: str = ""
    ratio: AspectRatio | None = None
    negative: str | None = None
    seed: int | None = None
    n: int | None = None
    quality: Quality | None = None
    style: str | None = None


def styles_of(profile: Profile) -> tuple[str, ...]:
    """List the styles that make a difference; a model that knows only shapes knows no style."""
    return tuple(STYLES) if profile.knows == "anything" else (NO_STYLE,)


def parse_line(text: str, profile: Profile) -> Line:
    """Take a line apart. An option given twice counts as it was given last.

    Raises:
        Rejected: an option that does not exist, or a value it does not take; the subclass says
            which, and its params name the option and what it takes.
    """
    line = Line()
    words: list[str] = []
    at = 0
    while found := _OPTION.search(text, at):
        words.append(text[at : found.start()])
        line, at = _take(line, found, text, profile)
    words.append(text[at:])
    return replace(line, words=" ".join(part for word in words if (part := word.strip())))


def _take(line: Line, found: re.Match[str], text: str, profile: Profile) -> tuple[Line, int]:
    """Read one option and its value; also return where the value ends."""
    name = (found["plain"] or found["dashed"]).lower()
    at = found.end()
    following = _OPTION.search(text, at)
    until = following.start() if following else len(text)
    if name == "no":
        value, end = _rest(text, at, until)
        return replace(line, negative=_negative(value)), end
    value, end = _word(text, at, until)
    if name in OPTIONS and not value:
        raise NoValue(option=f"--{name}")
    match name:
        case "ar":
            return replace(line, ratio=_ratio(value, profile)), end
        case "seed":
            return replace(line, seed=_number("--seed", value, 0, SEED_MAX)), end
        case "n":
            return replace(line, n=_number("--n", value, 1, PICTURES_MAX)), end
        case "quality":
            return replace(line, quality=_quality(value, profile)), end
        case "style":
            return replace(line, style=_style(value, profile)), end
        case _:
            known = ", ".join(f"--{option}" for option in OPTIONS)
            raise UnknownOption(option=f"--{_shown(name)}", known=known)


def _word(text: str, at: int, until: int) -> tuple[str, int]:
    """Read one word, or what stands in quotes."""
    if quoted := _QUOTED.match(text, at):
        return next(group for group in quoted.groups() if group is not None), quoted.end()
    if word := _WORD.match(text, at, until):
        return word[1], word.end()
    return "", until


def _rest(text: str, at: int, until: int) -> tuple[str, int]:
    """Read everything up to the next option, or what stands in quotes."""
    if quoted := _QUOTED.match(text, at):
        return next(group for group in quoted.groups() if group is not None), quoted.end()
    return text[at:until], until


def _ratio(value: str, profile: Profile) -> AspectRatio:
    for ratio in profile.sizes:
        if ratio == value:
            return ratio
    raise BadRatio(option="--ar", value=_shown(value), known=", ".join(profile.sizes))


def _quality(value: str, profile: Profile) -> Quality:
    for quality in profile.qualities:
        if quality == value.lower():
            return quality
    known = ", ".join(profile.qualities)
    raise BadQuality(option="--quality", value=_shown(value), known=known)


def _style(value: str, profile: Profile) -> str:
    style, known = value.lower(), styles_of(profile)
    if style not in known:
        some = [name for name in known if name != NO_STYLE][:5]
        if not some:
            raise NoStyles(option="--style")
        raise BadStyle(option="--style", value=_shown(value), known=", ".join(some))
    return style


def _number(option: str, value: str, lowest: int, highest: int) -> int:
    # Only plain digits: int() would also take "1_000", "+7" and the digits of other scripts.
    if re.fullmatch(r"[0-9]{1,10}", value) and lowest <= int(value) <= highest:
        return int(value)
    raise BadNumber(option=option, value=_shown(value), lowest=str(lowest), highest=str(highest))


def _negative(value: str) -> str:
    negative = clean(value)
    if not 1 <= len(negative) <= TEXT_MAX_CHARS:
        raise BadNegative(option="--no", limit=str(TEXT_MAX_CHARS))
    return negative


def _shown(value: str) -> str:
    """Show what was typed, short enough to fit into any answer."""
    value = clean(value)
    return value if len(value) <= 24 else f"{value[:23]}…"

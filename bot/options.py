"""The options people type into the line: ``a red fox --ar 16:9 --no text, watermark``.

They may stand anywhere and in any order; what is left is the prompt. A phone turns ``--`` into a
dash and straight quotes into curly ones, so those are understood as well.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from types import MappingProxyType
from typing import Any, Final

from bot.jobs.job import Rejected
from bot.prompts import clean
from pipelines.contracts import SEED_MAX
from pipelines.profiles import AspectRatio, Profile, Quality
from pipelines.requests import PICTURES_MAX, TEXT_MAX_CHARS
from pipelines.styles import NO_STYLE, STYLES

OPTIONS: Final = ("ar", "no", "seed", "n", "quality", "style")
"""Those of text to image; a mode may take fewer, and steps of its own."""

NO_STEPS: Final[Mapping[str, Sequence[str]]] = MappingProxyType({})

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


class BadStep(Rejected):
    """``value`` is none of the steps ``known``."""

    code = "error-option-step"


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
    """A line taken apart: the words to draw, and the options given; ``None`` is not given.

    Attributes:
        steps: of the options that only some modes have, by their names.
    """

    words: str = ""
    ratio: AspectRatio | None = None
    negative: str | None = None
    seed: int | None = None
    n: int | None = None
    quality: Quality | None = None
    style: str | None = None
    steps: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Taken:
    """What may stand in the line."""

    profile: Profile
    options: tuple[str, ...]
    steps: Mapping[str, Sequence[str]]

    @property
    def names(self) -> tuple[str, ...]:
        return (*self.options, *self.steps)

    def search(self, text: str, at: int) -> re.Match[str] | None:
        return _option(self.names).search(text, at)


@cache
def _option(names: tuple[str, ...]) -> re.Pattern[str]:
    """Any word after two hyphens is meant as an option; after a dash only those that exist are."""
    return re.compile(
        rf"""(?:^|(?<=\s))
            (?: --(?P<plain>[^\W_][^\s=]*)              # as typed
              | [—–―](?P<dashed>(?i:{"|".join(names)}))  # as a phone corrects it
            )
            (?P<end>=|\s+|$)""",
        re.VERBOSE,
    )


def styles_of(profile: Profile) -> tuple[str, ...]:
    """List the styles that make a difference; a model that knows only shapes knows no style."""
    return tuple(STYLES) if profile.knows == "anything" else (NO_STYLE,)


def parse_line(
    text: str,
    profile: Profile,
    options: tuple[str, ...] = OPTIONS,
    steps: Mapping[str, Sequence[str]] = NO_STEPS,
) -> Line:
    """Take a line apart. An option given twice counts as it was given last.

    Args:
        text: as typed.
        profile: says which values there are.
        options: those of :data:`OPTIONS` that may be given.
        steps: options that only some modes have, and their values.

    Raises:
        Rejected: an option that does not exist, or a value it does not take; the subclass says
            which, and its params name the option and what it takes.
    """
    taken = _Taken(profile, options, steps)
    line = Line()
    words: list[str] = []
    at = 0
    while found := taken.search(text, at):
        words.append(text[at : found.start()])
        line, at = _take(line, found, text, taken)
    words.append(text[at:])
    return replace(line, words=" ".join(part for word in words if (part := word.strip())))


def _take(line: Line, found: re.Match[str], text: str, taken: _Taken) -> tuple[Line, int]:
    """Read one option and its value; also return where the value ends."""
    name, profile = (found["plain"] or found["dashed"]).lower(), taken.profile
    at = found.end()
    if name not in taken.names:
        known = ", ".join(f"--{option}" for option in taken.names)
        raise UnknownOption(option=f"--{_shown(name)}", known=known)
    following = taken.search(text, at)
    until = following.start() if following else len(text)
    if name == "no":
        value, end = _rest(text, at, until)
        return replace(line, negative=_negative(value)), end
    value, end = _word(text, at, until)
    if not value:
        raise NoValue(option=f"--{name}")
    given: dict[str, Any]
    match name:
        case "ar":
            given = {"ratio": _ratio(value, profile)}
        case "seed":
            given = {"seed": _number("--seed", value, 0, SEED_MAX)}
        case "n":
            given = {"n": _number("--n", value, 1, PICTURES_MAX)}
        case "quality":
            given = {"quality": _quality(value, profile)}
        case "style":
            given = {"style": _style(value, profile)}
        case _:
            step = _step(f"--{name}", value, taken.steps[name])
            given = {"steps": {**line.steps, name: step}}
    return replace(line, **given), end


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


def _step(option: str, value: str, known: Sequence[str]) -> str:
    if (step := value.lower()) in known:
        return step
    raise BadStep(option=option, value=_shown(value), known=", ".join(known))


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

"""What the requests of several modes have in common. pydantic and the standard library only."""

import unicodedata
from abc import ABC
from typing import Annotated, Final

from pydantic import AfterValidator, Field

from pipelines.contracts import SEED_MAX, Request
from pipelines.styles import STYLES

TEXT_MAX_CHARS: Final = 1000
PICTURES_MAX: Final = 4
_UNSEEN: Final = frozenset({"Cc", "Cf", "Me", "Mn", "Zl", "Zp", "Zs"})
"""Categories of characters that show nothing by themselves: blanks, zero widths, loose marks."""


def _has_no_control_characters(text: str) -> str:
    """Refuse what no keyboard types; whoever takes the text from people cleans it first."""
    if any(unicodedata.category(char) == "Cc" and char not in "\n\t" for char in text):
        msg = "control characters are not text"
        raise ValueError(msg)
    return text


def _says_something(text: str) -> str:
    if all(unicodedata.category(char) in _UNSEEN for char in text):
        msg = "the prompt is empty"
        raise ValueError(msg)
    return text


def _is_known(style: str) -> str:
    if style not in STYLES:
        msg = f"no such style; there are: {', '.join(STYLES)}"
        raise ValueError(msg)
    return style


Words = Annotated[
    str, Field(max_length=TEXT_MAX_CHARS), AfterValidator(_has_no_control_characters)
]
"""What may be left empty."""
Prompt = Annotated[Words, Field(min_length=1), AfterValidator(_says_something)]
Style = Annotated[str, AfterValidator(_is_known)]
"""A key of ``pipelines/styles.yaml``."""


class DrawingRequest(Request, ABC):
    """Pictures of one size, drawn by Kandinsky 3."""

    width_px: int = Field(ge=64, le=4096, multiple_of=64)
    height_px: int = Field(ge=64, le=4096, multiple_of=64)
    n: int = Field(default=1, ge=1, le=PICTURES_MAX, description="how many pictures")

    @property
    def pictures(self) -> int:
        """As many as asked."""
        return self.n

    @property
    def seeds(self) -> list[int]:
        """Each picture's own seed; a request of that seed alone makes the same picture."""
        return [(self.seed + index) % (SEED_MAX + 1) for index in range(self.n)]

"""What the requests of several modes have in common. pydantic and the standard library only."""

import unicodedata
from abc import ABC
from typing import Annotated, Final, Self

from pydantic import AfterValidator, Field, model_validator

from pipelines.contracts import SEED_MAX, ImageBlob, ImageRequest, Request
from pipelines.styles import STYLES

TEXT_MAX_CHARS: Final = 1000
PICTURES_MAX: Final = 4
FUSED_MAX: Final = 4
"""Most pictures that are drawn from at once."""
_UNSEEN: Final = frozenset({"Cc", "Cf", "Me", "Mn", "Zl", "Zp", "Zs"})
"""Categories of characters that show nothing by themselves: blanks, zero widths, loose marks."""


def _has_no_control_characters(text: str) -> str:
    """Refuse what no keyboard types; whoever takes the text from people cleans it first."""
    if any(unicodedata.category(char) == "Cc" and char not in "\n\t" for char in text):
        msg = "control characters are not text"
        raise ValueError(msg)
    return text


def says_something(text: str) -> bool:
    """Whether any of its characters can be seen."""
    return any(unicodedata.category(char) not in _UNSEEN for char in text)


def _is_said(text: str) -> str:
    if not says_something(text):
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
Prompt = Annotated[
    str,
    Field(min_length=1, max_length=TEXT_MAX_CHARS),
    AfterValidator(_has_no_control_characters),
    AfterValidator(_is_said),
]
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


Weight = Annotated[float, Field(gt=0, le=10)]


class FusionRequest(DrawingRequest, ImageRequest, ABC):
    """Pictures drawn from several others, each of which weighs something."""

    images: tuple[ImageBlob, ...] = Field(min_length=1, max_length=FUSED_MAX)
    weights: tuple[Weight, ...] = Field(description="of each picture, beside the others")

    @property
    def shares(self) -> tuple[float, ...]:
        """Each picture's weight as its part of all."""
        whole = sum(self.weights)
        return tuple(weight / whole for weight in self.weights)

    @model_validator(mode="after")
    def _weighs_each(self) -> Self:
        if len(self.weights) != len(self.images):
            msg = f"{len(self.images)} pictures have {len(self.weights)} weights"
            raise ValueError(msg)
        return self

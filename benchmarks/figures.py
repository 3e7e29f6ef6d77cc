"""How a measurement is said: two things side by side in one run, and what was promised."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value.

    Attributes:
        what: what was measured, with its unit.
        value: the result.
        promise: the bound it has to keep, if one was promised.
        sense: whether the value must stay at or below the promise, or at or above it.
        how: the two sides of a ratio, or whatever else explains the value.
    """

    what: str
    value: float
    how: str = ""
    promise: float | None = None
    sense: Literal["<=", ">="] = "<="

    @property
    def is_kept(self) -> bool:
        """Whether the promise holds."""
        if self.promise is None:
            return True
        return self.value <= self.promise if self.sense == "<=" else self.value >= self.promise

    def row(self) -> str:
        """One row of a Markdown table."""
        bound = "" if self.promise is None else f"{self.sense} {self.promise:g}"
        verdict = "" if self.promise is None else ("yes" if self.is_kept else "**no**")
        return f"| {self.what} | {self.value:.3g} | {bound} | {verdict} | {self.how} |"


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which ``share`` (0 to 1) of ``values`` lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def median(values: Sequence[float]) -> float:
    """The middle value."""
    return percentile(values, 0.5)

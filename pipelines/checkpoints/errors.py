"""What can go wrong on the way from a hub to a weights folder."""

from pathlib import Path


class FetchError(Exception):
    """Weights that could not be fetched. One line for people."""


class BadCheckpoint(FetchError):
    """A file that is not what it should be. The message names it and what was expected."""

    def __init__(self, path: Path, expected: str) -> None:
        super().__init__(f"{path}: expected {expected}")
        self.path = path


def one_line(error: BaseException) -> str:
    """What the error says, or its kind if it says nothing, short enough for a sentence."""
    return " ".join(str(error).split())[:300] or type(error).__name__

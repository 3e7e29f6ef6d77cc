"""Text to image: a sentence in, pictures out."""

import time
import unicodedata
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pydantic import Field, field_validator

from pipelines.contracts import (
    SEED_MAX,
    Cancelled,
    GenerationError,
    Mode,
    OnStep,
    Output,
    PartlyFailed,
    Picture,
    Pipeline,
    UnsupportedRequest,
    WordedRequest,
)
from pipelines.kandinsky3.timesteps import FLASH_TIMESTEPS, REFINER_TIMESTEPS
from pipelines.profiles import Profile, Quality, QualitySettings
from pipelines.styles import NO_STYLE, STYLES, with_style

if TYPE_CHECKING:
    from pipelines.kandinsky3.model import Kandinsky3
    from pipelines.kandinsky3.progress import Progress
    from pipelines.kandinsky3.sampler import Rows
    from pipelines.weights import ComponentStore

TEXT_MAX_CHARS: Final = 1000
PICTURES_MAX: Final = 4
_UNSEEN: Final = frozenset({"Cc", "Cf", "Me", "Mn", "Zl", "Zp", "Zs"})
"""Categories of characters that show nothing by themselves: blanks, zero widths, loose marks."""


class TextToImageRequest(WordedRequest):
    """Pictures of one sentence, all of one size and quality."""

    prompt: str = Field(min_length=1, max_length=TEXT_MAX_CHARS, description="what to draw")
    negative_prompt: str = Field(
        default="", max_length=TEXT_MAX_CHARS, description="what to keep out of the picture"
    )
    style: str = Field(default=NO_STYLE, description="words added to the prompt")
    width_px: int = Field(ge=64, le=4096, multiple_of=64)
    height_px: int = Field(ge=64, le=4096, multiple_of=64)
    quality: Quality = Field(description="from the quickest, flash, to the slowest, refined")
    n: int = Field(default=1, ge=1, le=PICTURES_MAX, description="how many pictures")

    @property
    def pictures(self) -> int:
        """As many as asked."""
        return self.n

    @property
    def seeds(self) -> list[int]:
        """Each picture's own seed; a request of that seed alone makes the same picture."""
        return [(self.seed + index) % (SEED_MAX + 1) for index in range(self.n)]

    @property
    def batch_key(self) -> str:
        """Size and quality: what all rows of one denoising loop share."""
        return f"text_to_image {self.width_px}x{self.height_px} {self.quality}"

    def sentence(self, words: str) -> str:
        """Add the style's words."""
        return with_style(words, self.style)

    @field_validator("prompt", "negative_prompt")
    @classmethod
    def _has_no_control_characters(cls, text: str) -> str:
        """Refuse what no keyboard types; whoever takes the text from people cleans it first."""
        if any(unicodedata.category(char) == "Cc" and char not in "\n\t" for char in text):
            msg = "control characters are not text"
            raise ValueError(msg)
        return text

    @field_validator("prompt")
    @classmethod
    def _says_something(cls, text: str) -> str:
        if all(unicodedata.category(char) in _UNSEEN for char in text):
            msg = "the prompt is empty"
            raise ValueError(msg)
        return text

    @field_validator("style")
    @classmethod
    def _is_known(cls, style: str) -> str:
        if style not in STYLES:
            msg = f"no such style; there are: {', '.join(STYLES)}"
            raise ValueError(msg)
        return style


class TextToImage:
    """Draws a batch of sentences; a request's pictures do not depend on its batch.

    No more than the profile's ``batch_pictures`` are drawn at once: of a larger batch, such as one
    request for four pictures on a small device, one part follows the other.
    """

    def __init__(self, kandinsky: "Kandinsky3", profile: Profile) -> None:
        self._kandinsky = kandinsky
        self._profile = profile

    def __call__(
        self, requests: Sequence[TextToImageRequest], on_step: OnStep
    ) -> dict[int, Output]:
        """Draw every request's pictures; see :class:`pipelines.contracts.Pipeline`."""
        started_s = time.monotonic()
        kandinsky, alike, asked = self._kandinsky, requests[0], _Asked.of(requests)
        if alike.quality not in self._profile.qualities:
            raise UnsupportedRequest
        steps = _steps(alike.quality, self._profile.qualities[alike.quality])

        rows = kandinsky.start(asked.seeds, alike.width_px, alike.height_px)
        parts = rows.split(kandinsky.pictures_at_once)
        watch = kandinsky.watch(asked.owners, steps, len(parts), on_step)
        drawn: dict[int, list[Picture]] = {}
        errors: dict[int, GenerationError] = {}
        for number, part in enumerate(parts):
            with suppress(Cancelled):  # this part; someone may wait for the next
                rows = self._denoised(watch.begin(number, part), asked, alike.quality, watch)
                pictures = kandinsky.pictures(rows, asked.seeds)
                for index, picture in zip(rows.indices, pictures, strict=True):
                    if isinstance(picture, Picture):
                        drawn.setdefault(asked.owners[index], []).append(picture)
                    else:
                        errors[asked.owners[index]] = picture

        seconds = time.monotonic() - started_s
        errors = {owner: error for owner, error in errors.items() if watch.is_wanted(owner)}
        outputs = {
            owner: Output(tuple(pictures), seconds)
            for owner, pictures in drawn.items()
            if watch.is_wanted(owner) and owner not in errors
        }
        if errors:
            raise PartlyFailed(outputs, errors)
        if not outputs:
            raise Cancelled
        return outputs

    def _denoised(
        self, rows: "Rows", asked: "_Asked", quality: Quality, watch: "Progress"
    ) -> "Rows":
        settings = self._profile.qualities[quality]
        if settings is None:
            return self._kandinsky.flash(rows, asked.texts, watch)
        rows = self._kandinsky.draw(rows, asked.texts, asked.negatives, settings, watch)
        if quality == "refined":
            rows = self._kandinsky.refine(rows, asked.texts, watch)
        return rows


@dataclass(frozen=True, slots=True)
class _Asked:
    """What each row of a batch is made of, by its index; an owner is a request's index."""

    owners: list[int]
    seeds: list[int]
    texts: list[str]
    negatives: list[str]

    @classmethod
    def of(cls, requests: Sequence[TextToImageRequest]) -> "_Asked":
        owners = [owner for owner, request in enumerate(requests) for _ in request.seeds]
        return cls(
            owners=owners,
            seeds=[seed for request in requests for seed in request.seeds],
            texts=[requests[owner].sentence(requests[owner].words) for owner in owners],
            negatives=[requests[owner].negative_words for owner in owners],
        )


def _steps(quality: Quality, settings: QualitySettings | None) -> int:
    """Count the steps of all samplers of a quality."""
    if settings is None:
        return len(FLASH_TIMESTEPS)
    return settings.steps + (len(REFINER_TIMESTEPS) if quality == "refined" else 0)


def _load(store: "ComponentStore") -> Pipeline[TextToImageRequest]:
    # torch is imported here and not above: the bot imports this module for its request.
    from pipelines.kandinsky3.model import Kandinsky3  # noqa: PLC0415

    kandinsky = Kandinsky3(store)
    kandinsky.warm_up("flash" if store.profile.default_quality == "flash" else "base")
    return TextToImage(kandinsky, store.profile)


MODE: Final = Mode(name="text_to_image", request_type=TextToImageRequest, cost=1, load=_load)

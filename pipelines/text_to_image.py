"""Text to image: a sentence in, pictures out."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from pydantic import Field

from pipelines.contracts import (
    Mode,
    OnStep,
    Output,
    Pipeline,
    UnsupportedRequest,
    WordedRequest,
)
from pipelines.kandinsky3.batch import Batch
from pipelines.kandinsky3.timesteps import FLASH_TIMESTEPS, REFINER_TIMESTEPS
from pipelines.profiles import Profile, Quality, QualitySettings
from pipelines.requests import DrawingRequest, Prompt, Style, Words
from pipelines.styles import NO_STYLE, with_style

if TYPE_CHECKING:
    from pipelines.kandinsky3.model import Kandinsky3
    from pipelines.kandinsky3.progress import Progress
    from pipelines.kandinsky3.sampler import Rows
    from pipelines.weights import ComponentStore


class TextToImageRequest(DrawingRequest, WordedRequest):
    """Pictures of one sentence, all of one size and quality."""

    prompt: Prompt = Field(description="what to draw")
    negative_prompt: Words = Field(default="", description="what to keep out of the picture")
    style: Style = Field(default=NO_STYLE, description="words added to the prompt")
    quality: Quality = Field(description="from the quickest, flash, to the slowest, refined")

    @property
    def batch_key(self) -> str:
        """Size and quality: what all rows of one denoising loop share."""
        return f"text_to_image {self.width_px}x{self.height_px} {self.quality}"

    def sentence(self, words: str) -> str:
        """Add the style's words."""
        return with_style(words, self.style)


class TextToImage:
    """Draws a batch of sentences; a request's pictures do not depend on its batch."""

    def __init__(self, kandinsky: "Kandinsky3", profile: Profile) -> None:
        self._kandinsky = kandinsky
        self._profile = profile

    def __call__(
        self, requests: Sequence[TextToImageRequest], on_step: OnStep
    ) -> dict[int, Output]:
        """Draw every request's pictures; see :class:`pipelines.contracts.Pipeline`."""
        quality = requests[0].quality
        if quality not in self._profile.qualities:
            raise UnsupportedRequest
        batch = Batch(self._kandinsky, requests)
        texts = batch.per_row(request.sentence(request.words) for request in requests)
        negatives = batch.per_row(request.negative_words for request in requests)

        def denoise(rows: "Rows", watch: "Progress") -> "Rows":
            return self._denoised(rows, texts, negatives, quality, watch)

        return batch.draw(_steps(quality, self._profile.qualities[quality]), on_step, denoise)

    def _denoised(
        self,
        rows: "Rows",
        texts: Sequence[str],
        negatives: Sequence[str],
        quality: Quality,
        watch: "Progress",
    ) -> "Rows":
        settings = self._profile.qualities[quality]
        if settings is None:
            return self._kandinsky.flash(rows, texts, watch)
        rows = self._kandinsky.draw(rows, texts, negatives, settings, watch)
        if quality == "refined":
            rows = self._kandinsky.refine(rows, texts, watch)
        return rows


def _steps(quality: Quality, settings: QualitySettings | None) -> int:
    """Count the steps of all samplers of a quality."""
    if settings is None:
        return len(FLASH_TIMESTEPS)
    return settings.steps + (len(REFINER_TIMESTEPS) if quality == "refined" else 0)


def _load(store: "ComponentStore") -> Pipeline[TextToImageRequest]:
    # torch is imported here and not above: the bot imports this module for its request.
    from pipelines.kandinsky3.model import Kandinsky3  # noqa: PLC0415

    kandinsky = Kandinsky3.of(store)
    kandinsky.warm_up("flash" if store.profile.default_quality == "flash" else "base")
    return TextToImage(kandinsky, store.profile)


MODE: Final = Mode(name="text_to_image", request_type=TextToImageRequest, cost=1, load=_load)

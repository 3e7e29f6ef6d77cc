"""Image variations: a picture in, others like it out."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Literal

from pydantic import Field

from pipelines.contracts import ImageBlob, ImageRequest, Mode, OnStep, Output, Pipeline
from pipelines.requests import DrawingRequest

if TYPE_CHECKING:
    from pipelines.kandinsky3.image_prompts import ImagePrompts
    from pipelines.weights import ComponentStore

Likeness = Literal["loose", "normal", "close"]

HEED: Final[dict[Likeness, float]] = {"loose": 0.6, "normal": 1.0, "close": 1.4}
"""How much the picture is heeded; the image adapter was trained, and published, with 1."""


class ImageVariationsRequest(DrawingRequest, ImageRequest):
    """Pictures of what one picture shows, all of one size."""

    images: tuple[ImageBlob, ...] = Field(min_length=1, max_length=1)
    likeness: Likeness = Field(default="normal", description="how like the picture")

    @property
    def batch_key(self) -> str:
        """The size: each row has its own picture, and heeds it as much as it likes."""
        return f"image_variations {self.width_px}x{self.height_px}"


class ImageVariations:
    """Draws a batch of variations; a request's pictures do not depend on its batch."""

    def __init__(self, image_prompts: "ImagePrompts") -> None:
        self._image_prompts = image_prompts

    def __call__(
        self, requests: Sequence[ImageVariationsRequest], on_step: OnStep
    ) -> dict[int, Output]:
        """Draw every request's pictures; see :class:`pipelines.contracts.Pipeline`."""
        looks = [
            self._image_prompts.look(request.images, [1.0], HEED[request.likeness])
            for request in requests
        ]
        wordless = [""] * len(requests)
        return self._image_prompts.draw(requests, looks, wordless, wordless, on_step)


def _load(store: "ComponentStore") -> Pipeline[ImageVariationsRequest]:
    # torch is imported here and not above: the bot imports this module for its request.
    from pipelines.kandinsky3.image_prompts import ImagePrompts  # noqa: PLC0415

    image_prompts = ImagePrompts.of(store)
    image_prompts.warm_up()
    return ImageVariations(image_prompts)


MODE: Final = Mode(
    name="image_variations",
    request_type=ImageVariationsRequest,
    cost=1,
    load=_load,
    is_served=lambda profile: profile.image_prompts is not None,
)

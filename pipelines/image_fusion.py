"""Image fusion: several pictures in, pictures of what they show together out."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from pydantic import Field

from pipelines.contracts import ImageBlob, Mode, OnStep, Output, Pipeline
from pipelines.requests import FUSED_MAX, FusionRequest

if TYPE_CHECKING:
    from pipelines.kandinsky3.image_prompts import ImagePrompts
    from pipelines.weights import ComponentStore


class ImageFusionRequest(FusionRequest):
    """Pictures of two to four others at once, all of one size."""

    images: tuple[ImageBlob, ...] = Field(min_length=2, max_length=FUSED_MAX)

    @property
    def batch_key(self) -> str:
        """The size: each row has its own pictures and weights."""
        return f"image_fusion {self.width_px}x{self.height_px}"


class ImageFusion:
    """Draws a batch of fusions; a request's pictures do not depend on its batch."""

    def __init__(self, image_prompts: "ImagePrompts") -> None:
        self._image_prompts = image_prompts

    def __call__(
        self, requests: Sequence[ImageFusionRequest], on_step: OnStep
    ) -> dict[int, Output]:
        """Draw every request's pictures; see :class:`pipelines.contracts.Pipeline`."""
        looks = [self._image_prompts.look(request.images, request.shares) for request in requests]
        wordless = [""] * len(requests)
        return self._image_prompts.draw(requests, looks, wordless, wordless, on_step)


def _load(store: "ComponentStore") -> Pipeline[ImageFusionRequest]:
    # torch is imported here and not above: the bot imports this module for its request.
    from pipelines.kandinsky3.image_prompts import ImagePrompts  # noqa: PLC0415

    image_prompts = ImagePrompts.of(store)
    image_prompts.warm_up()
    return ImageFusion(image_prompts)


MODE: Final = Mode(
    name="image_fusion",
    request_type=ImageFusionRequest,
    cost=1,
    load=_load,
    is_served=lambda profile: profile.image_prompts is not None,
)

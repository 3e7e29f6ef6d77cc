"""Text and image fusion: pictures and a sentence in, pictures of both out."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field, model_validator

from pipelines.contracts import Mode, OnStep, Output, Pipeline, WordedRequest
from pipelines.requests import FusionRequest, Prompt, Style, Weight, Words
from pipelines.styles import NO_STYLE, with_style

if TYPE_CHECKING:
    from pipelines.kandinsky3.image_prompts import ImagePrompts
    from pipelines.weights import ComponentStore

Balance = Literal["words", "even", "picture"]

HEED: Final[dict[Balance, float]] = {"words": 0.6, "even": 1.0, "picture": 1.4}
"""How much the pictures are heeded; the image adapter was trained, and published, with 1."""


class TextImageFusionRequest(FusionRequest, WordedRequest):
    """Pictures of a sentence and of one to four others, all of one size."""

    weights: tuple[Weight, ...] = Field(
        default=(), description="of each picture, beside the others; none are all alike"
    )
    prompt: Prompt = Field(description="what to draw")
    negative_prompt: Words = Field(default="", description="what to keep out of the picture")
    style: Style = Field(default=NO_STYLE, description="words added to the prompt")
    balance: Balance = Field(default="even", description="what weighs more")

    @model_validator(mode="before")
    @classmethod
    def _weighs_all_alike(cls, values: object) -> object:
        if not isinstance(values, dict) or values.get("weights"):
            return values
        alike: Any = values | {"weights": (1.0,) * len(values.get("images", ()))}
        return alike

    @property
    def batch_key(self) -> str:
        """The size: each row has its own words, pictures, weights and balance."""
        return f"text_image_fusion {self.width_px}x{self.height_px}"

    def sentence(self, words: str) -> str:
        """Add the style's words."""
        return with_style(words, self.style)


class TextImageFusion:
    """Draws a batch of fusions; a request's pictures do not depend on its batch."""

    def __init__(self, image_prompts: "ImagePrompts") -> None:
        self._image_prompts = image_prompts

    def __call__(
        self, requests: Sequence[TextImageFusionRequest], on_step: OnStep
    ) -> dict[int, Output]:
        """Draw every request's pictures; see :class:`pipelines.contracts.Pipeline`."""
        looks = [
            self._image_prompts.look(request.images, request.shares, HEED[request.balance])
            for request in requests
        ]
        texts = [request.sentence(request.words) for request in requests]
        negatives = [request.negative_words for request in requests]
        return self._image_prompts.draw(requests, looks, texts, negatives, on_step)


def _load(store: "ComponentStore") -> Pipeline[TextImageFusionRequest]:
    # torch is imported here and not above: the bot imports this module for its request.
    from pipelines.kandinsky3.image_prompts import ImagePrompts  # noqa: PLC0415

    image_prompts = ImagePrompts.of(store)
    image_prompts.warm_up()
    return TextImageFusion(image_prompts)


MODE: Final = Mode(
    name="text_image_fusion",
    request_type=TextImageFusionRequest,
    cost=1,
    load=_load,
    is_served=lambda profile: profile.image_prompts is not None,
)

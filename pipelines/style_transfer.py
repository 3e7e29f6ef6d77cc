"""Style transfer: a picture keeps its shapes, and is drawn anew in another style."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Literal, Self

from pydantic import Field, model_validator

from pipelines.contracts import (
    ImageBlob,
    ImageRequest,
    Mode,
    OnStep,
    Output,
    Pipeline,
    WordedRequest,
)
from pipelines.requests import DrawingRequest, Style, Words, says_something
from pipelines.styles import NO_STYLE, STYLES, with_style

if TYPE_CHECKING:
    from pipelines.kandinsky3.image_prompts import ImagePrompts
    from pipelines.kandinsky3.shapes import Shapes
    from pipelines.weights import ComponentStore

Hold = Literal["lightly", "normal", "strictly"]

STRENGTHS: Final[dict[Hold, float]] = {"lightly": 0.5, "normal": 1.0, "strictly": 1.3}
"""How much the ControlNet has its say; it was trained, and published, with 1."""


class StyleTransferRequest(DrawingRequest, WordedRequest, ImageRequest):
    """Pictures of one picture's shapes, all of one size, in a style said or shown."""

    images: tuple[ImageBlob, ...] = Field(
        min_length=1, max_length=2, description="whose shapes are kept; whose style is taken"
    )
    prompt: Words = Field(default="", description="what to draw in these shapes, and how")
    negative_prompt: Words = Field(default="", description="what to keep out of the picture")
    style: Style = Field(default=NO_STYLE, description="words added to the prompt")
    hold: Hold = Field(default="normal", description="how strictly the shapes are kept")

    @model_validator(mode="after")
    def _names_a_style(self) -> Self:
        if not (says_something(self.prompt) or self.style != NO_STYLE or self.is_shown):
            msg = "there is no style: neither words, nor one of the styles, nor its picture"
            raise ValueError(msg)
        return self

    @property
    def is_shown(self) -> bool:
        """Whether a picture shows the style."""
        return len(self.images) > 1

    @property
    def batch_key(self) -> str:
        """The size, and whether pictures show the style.

        Each row has its own shapes, words and style. But to see pictures may take a UNet that was
        trained to, and words laid out as it knows them.
        """
        shown = " shown" if self.is_shown else ""
        return f"style_transfer {self.width_px}x{self.height_px}{shown}"

    def sentence(self, words: str) -> str:
        """Add the style's words, or say them alone."""
        return with_style(words, self.style) if says_something(words) else STYLES[self.style]


class StyleTransfer:
    """Draws a batch of pictures anew; a request's pictures do not depend on its batch."""

    def __init__(self, shapes: "Shapes", image_prompts: "ImagePrompts") -> None:
        self._shapes = shapes
        self._image_prompts = image_prompts

    def __call__(
        self, requests: Sequence[StyleTransferRequest], on_step: OnStep
    ) -> dict[int, Output]:
        """Draw every request's pictures; see :class:`pipelines.contracts.Pipeline`."""
        looks = (
            [self._image_prompts.look(request.images[1:], [1.0]) for request in requests]
            if requests[0].is_shown
            else None
        )
        hints = [self._shapes.hint(r.images[0], r.width_px, r.height_px) for r in requests]
        strengths = [STRENGTHS[request.hold] for request in requests]
        texts = [request.sentence(request.words) for request in requests]
        negatives = [request.negative_words for request in requests]
        return self._shapes.draw(requests, hints, strengths, texts, negatives, on_step, looks)


def _load(store: "ComponentStore") -> Pipeline[StyleTransferRequest]:
    # torch is imported here and not above: the bot imports this module for its request.
    from pipelines.kandinsky3.image_prompts import ImagePrompts  # noqa: PLC0415
    from pipelines.kandinsky3.shapes import Shapes  # noqa: PLC0415

    shapes = Shapes.of(store)
    shapes.warm_up()
    return StyleTransfer(shapes, ImagePrompts.of(store))


MODE: Final = Mode(
    name="style_transfer",
    request_type=StyleTransferRequest,
    cost=1,
    load=_load,
    is_served=lambda profile: profile.shapes is not None,
)

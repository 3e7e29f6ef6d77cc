"""Shapes that are kept: a picture's edges become the hint of a ControlNet."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import torch
from PIL import Image, ImageOps
from torch import Tensor, nn

from pipelines.contracts import ImageBlob, OnStep, Output, UnsupportedRequest
from pipelines.kandinsky3 import edges, load, movq
from pipelines.kandinsky3.batch import Batch
from pipelines.kandinsky3.conditioning import Conditioning
from pipelines.kandinsky3.controlnet import Controlled, Span
from pipelines.kandinsky3.image_prompts import ImagePrompts, Look
from pipelines.kandinsky3.load import Variant
from pipelines.kandinsky3.model import Kandinsky3
from pipelines.pictures import decode
from pipelines.profiles import ShapeSettings
from pipelines.weights import Component, ComponentStore

if TYPE_CHECKING:
    from pipelines.kandinsky3.progress import Progress
    from pipelines.kandinsky3.sampler import Rows, UNet
    from pipelines.requests import DrawingRequest


class Shapes:
    """The ControlNet of one profile, and what finds the edges for it.

    As in :class:`Kandinsky3`, components are asked from the store each time. No picture and no
    hint is remembered.

    Args:
        store: of the profile.
    """

    def __init__(self, store: ComponentStore) -> None:
        self._store = store
        self._kandinsky = Kandinsky3.of(store)

    @classmethod
    def of(cls, store: ComponentStore) -> "Shapes":
        """Return the one that all modes of a store share."""
        return store.shared(cls)

    @property
    def settings(self) -> ShapeSettings:
        """How the profile keeps shapes.

        Raises:
            UnsupportedRequest: it does not say, or its weights lack what it says.
        """
        settings = self._store.profile.shapes
        if settings is None or not all(map(self._store.has, self._needed(settings))):
            raise UnsupportedRequest
        return settings

    def warm_up(self) -> None:
        """Load what a first picture needs and the memory plan keeps, as far as it is there.

        Raises:
            WeightsError: a component's files are broken.
        """
        settings = self._store.profile.shapes
        if settings is None:
            return
        self._kandinsky.warm_up(self._variant)
        needed = filter(self._store.has, self._needed(settings))
        for component in filter(self._store.is_kept, needed):
            self._store.get(component)

    @torch.inference_mode()
    def hint(self, image: ImageBlob, width_px: int, height_px: int) -> Tensor:
        """Find a picture's edges, of the middle that fills a size, and write them as a hint.

        Args:
            image: with its bytes.
            width_px: of the pictures that are drawn from it.
            height_px: likewise.

        Returns:
            (1, 3, H, W) float32 on the device.

        Raises:
            UnsupportedRequest: the profile cannot keep shapes.
            GenerationError: the bytes are no picture.
        """
        settings = self.settings
        pixels = _pixels(decode(image.data), width_px, height_px).to(self._store.device)
        found = (
            self._store.get(load.EDGES)(pixels).float()
            if settings.edges == "hed"
            else edges.gradient_edges(pixels)
        )
        return edges.hint(found, settings.hint_range, settings.polarity)

    @torch.inference_mode()
    def draw(
        self,
        requests: "Sequence[DrawingRequest]",
        hints: Sequence[Tensor],
        strengths: Sequence[float],
        texts: Sequence[str],
        negatives: Sequence[str],
        on_step: OnStep,
        looks: Sequence[Look] | None = None,
    ) -> dict[int, Output]:
        """Draw every request's pictures; see :class:`pipelines.contracts.Pipeline`.

        Args:
            requests: of one size.
            hints: of each, see :meth:`hint`.
            strengths: how much each heeds its hint; 0 is not at all.
            texts: what each says; an empty one is nothing.
            negatives: what each steers away from; an empty one is nothing in particular.
            on_step: hears of each step.
            looks: pictures whose style each takes; without them the words say the style.
        """
        settings, batch = self.settings, Batch(self._kandinsky, requests)
        sketched = batch.per_row(zip(hints, strengths, strict=True))
        said, unwanted = batch.per_row(texts), batch.per_row(negatives)
        seen = batch.per_row(looks) if looks else []

        def denoise(rows: "Rows", watch: "Progress") -> "Rows":
            here = rows.indices
            words, steer_away = self._contexts(
                [said[index] for index in here], [unwanted[index] for index in here], bool(looks)
            )
            with self._held(
                [sketched[index] for index in here], [seen[index] for index in here if looks]
            ) as unet:
                return self._kandinsky.sample(rows, words, steer_away, settings, watch, unet=unet)

        return batch.draw(settings.steps, on_step, denoise)

    @contextmanager
    def _held(
        self, sketched: Sequence[tuple[Tensor, float]], looks: Sequence[Look]
    ) -> "Iterator[UNet]":
        """Let the UNet keep each row's shapes, and see what it looks at, for one loop."""
        module: Any = self._unet(is_seeing=bool(looks))
        unet: UNet = self._controlled(module, sketched)
        with ExitStack() as lent:
            if looks:
                shown = ImagePrompts.of(self._store).shown(looks, self.settings, unet, module)
                unet = lent.enter_context(shown)
            yield unet

    def _controlled(
        self, module: nn.Module, sketched: Sequence[tuple[Tensor, float]]
    ) -> Controlled:
        """Put the ControlNet beside a UNet, with guidance for the negatives' rows as well."""
        settings = self.settings
        hints = torch.cat([hint for hint, _ in sketched])
        strengths = torch.tensor([strength for _, strength in sketched])
        if settings.guidance:
            hints = torch.cat([hints, hints])
            strengths = torch.cat([strengths, settings.negatives_keep_shapes * strengths])
        control = self._store.get(load.CONTROLNET)  # after the UNet, beside which it works
        span = Span(settings.steps, settings.start, settings.end)
        return Controlled(module, control, hints, strengths, span)

    def _contexts(
        self, texts: Sequence[str], negatives: Sequence[str], is_seeing: bool
    ) -> tuple[Conditioning, Conditioning]:
        """Join the contexts of texts and of what they steer away from, as the UNet knows them."""
        variant = self._variant
        if is_seeing and variant == "base":
            image_prompts = ImagePrompts.of(self._store)
            prompts = image_prompts.contexts(texts)
            return prompts, image_prompts.negatives(prompts, negatives)
        prompts = self._kandinsky.contexts(texts, variant)
        return prompts, self._kandinsky.negatives(prompts, negatives, variant)

    def _unet(self, *, is_seeing: bool) -> Any:  # noqa: ANN401 - a module, asked as a UNet
        """The UNet published with the ControlNet, else the adapter's own, else the base one."""
        if is_seeing and self._variant == "base":
            return ImagePrompts.of(self._store).unet
        return self._kandinsky.unet(self._variant)

    @property
    def _variant(self) -> Variant:
        return "controlnet" if self._store.has(load.UNETS["controlnet"]) else "base"

    def _needed(self, settings: ShapeSettings) -> list[Component[Any]]:
        return [load.CONTROLNET, *([load.EDGES] if settings.edges == "hed" else [])]


def _pixels(image: Image.Image, width_px: int, height_px: int) -> Tensor:
    """Fill a size with the middle of a picture: (1, 3, H, W) float32, [0, 1]."""
    fitted = ImageOps.fit(image, (width_px, height_px), Image.Resampling.LANCZOS)
    return (movq.from_images([fitted]) + 1) / 2

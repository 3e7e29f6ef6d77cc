"""Pictures as prompts: what every mode that draws from pictures does with the image adapter."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import TYPE_CHECKING, Any, Final, cast

import torch
from torch import Tensor, nn

from pipelines.contracts import ImageBlob, OnStep, Output, UnsupportedRequest
from pipelines.kandinsky3 import clip_vision, load
from pipelines.kandinsky3.batch import Batch
from pipelines.kandinsky3.conditioning import Conditioning, Projection, stack
from pipelines.kandinsky3.deepcache import cached
from pipelines.kandinsky3.load import Variant
from pipelines.kandinsky3.model import Kandinsky3
from pipelines.kandinsky3.remembered import Remembered
from pipelines.pictures import decode
from pipelines.profiles import ImagePromptSettings, QualitySettings
from pipelines.weights import ComponentStore

if TYPE_CHECKING:
    from transformers import CLIPVisionModelWithProjection

    from pipelines.kandinsky3.progress import Progress
    from pipelines.kandinsky3.sampler import Rows, UNet
    from pipelines.requests import DrawingRequest

CACHED_PICTURES: Final = 128
"""Enough for asking again; what somebody's photo shows is not to be known for longer."""


@dataclass(frozen=True, slots=True)
class Look:
    """What the pictures of one row come to.

    Attributes:
        embed: (D,) float32, the weighted sum of their embeddings.
        nothing: (D,) float32, of no picture, which guidance steers away from.
        heed: how much the row heeds them; 0 is not at all.
    """

    embed: Tensor
    nothing: Tensor
    heed: float


class ImagePrompts:
    """The image adapter of one profile, lent to its UNet while a batch is drawn.

    As in :class:`Kandinsky3`, components are asked from the store each time. A picture's embedding
    is remembered by the key of its bytes, and for such a one the encoder is not touched.

    Args:
        store: of the profile.
    """

    def __init__(self, store: ComponentStore) -> None:
        self._store = store
        self._kandinsky = Kandinsky3.of(store)
        self._embeds: Remembered[str, Tensor] = Remembered(CACHED_PICTURES)

    @classmethod
    def of(cls, store: ComponentStore) -> "ImagePrompts":
        """Return the one that all modes of a store share."""
        return store.shared(cls)

    @property
    def settings(self) -> ImagePromptSettings:
        """How the profile samples pictures that are prompts.

        Raises:
            UnsupportedRequest: it does not say, or its weights lack the adapter.
        """
        settings = self._store.profile.image_prompts
        if settings is None or not all(map(self._store.has, load.IMAGE_PROMPTS)):
            raise UnsupportedRequest
        return settings

    def warm_up(self) -> None:
        """Load what a first picture needs and the memory plan keeps, as far as it is there.

        Raises:
            WeightsError: a component's files are broken.
        """
        self._kandinsky.warm_up(self._variant)
        needed = filter(self._store.has, load.IMAGE_PROMPTS)
        for component in filter(self._store.is_kept, needed):
            self._store.get(component)

    def look(
        self, images: Sequence[ImageBlob], shares: Sequence[float], heed: float = 1.0
    ) -> Look:
        """Look at pictures, all of them at once.

        Args:
            images: with their bytes.
            shares: of each in the whole, with a sum of 1.
            heed: see :class:`Look`.

        Raises:
            UnsupportedRequest: the profile knows no pictures as prompts.
            GenerationError: a picture's bytes are no picture.

        Source: ai-forever/kandinsky3-diffusers, `kandinsky3_pipeline_ip_adapter.py:463-470`.
        """
        _ = self.settings
        parts = [share * self._embed(image) for image, share in zip(images, shares, strict=True)]
        nothing = self._embeds.get("", lambda: clip_vision.nothing(self._encoder()))
        return Look(torch.stack(parts).sum(dim=0), nothing, heed)

    @torch.inference_mode()
    def draw(
        self,
        requests: "Sequence[DrawingRequest]",
        looks: Sequence[Look],
        texts: Sequence[str],
        negatives: Sequence[str],
        on_step: OnStep,
    ) -> dict[int, Output]:
        """Draw every request's pictures; see :class:`pipelines.contracts.Pipeline`.

        Args:
            requests: of one size.
            looks: what each is drawn from.
            texts: what each says beside that; an empty one is nothing.
            negatives: what each steers away from; an empty one is nothing in particular.
            on_step: hears of each step.
        """
        settings, kandinsky = self.settings, self._kandinsky
        batch = Batch(kandinsky, requests)
        seen, said = batch.per_row(looks), batch.per_row(texts)
        unwanted = batch.per_row(negatives)

        def denoise(rows: "Rows", watch: "Progress") -> "Rows":
            prompts = self.contexts([said[index] for index in rows.indices])
            steer_away = self.negatives(prompts, [unwanted[index] for index in rows.indices])
            with self.shown([seen[index] for index in rows.indices], settings) as unet:
                return kandinsky.sample(rows, prompts, steer_away, settings, watch, unet=unet)

        return batch.draw(settings.steps, on_step, denoise)

    @contextmanager
    def shown(
        self,
        looks: Sequence[Look],
        settings: QualitySettings,
        unet: "UNet | None" = None,
        module: "Any" = None,  # noqa: ANN401 - as in :attr:`unet`
    ) -> "Iterator[UNet]":
        """Let the UNet see what each row looks at, for one denoising loop.

        Args:
            looks: of each row; with guidance its negative sees nothing, as much.
            settings: of the sampler.
            unet: whatever calls ``module``; it alone, or with its cache, if none is given.
            module: the UNet to see with, :attr:`unet` if none is given.
        """
        module = module or self.unet
        asked = unet or cached(cast("UNet", module), settings.cache_interval)
        adapter = self._store.get(load.IMAGE_ADAPTER)  # after the UNet, beside which it works
        embeds = [look.embed for look in looks]
        heeds = [look.heed for look in looks]
        if settings.guidance:
            embeds += [look.nothing for look in looks]
            heeds += heeds
        tokens = adapter.tokens(torch.stack(embeds))
        weights = torch.tensor(heeds, device=tokens.device)
        with adapter.attached(module):
            yield adapter.seeing(asked, tokens, weights)

    @property
    def unet(self) -> nn.Module:
        """The UNet that the adapter is of: the base one, unless it was published with its own."""
        return self._store.get(load.UNETS[self._variant])

    def contexts(self, texts: Sequence[str]) -> Conditioning:
        """Join the contexts of texts, laid out as the adapter knows them."""
        if self._is_cut:
            return self._kandinsky.contexts(texts, self._variant)
        return self._uncut(texts, is_negative=False)

    def negatives(self, prompts: Conditioning, texts: Sequence[str]) -> Conditioning:
        """Join what each row of ``prompts`` steers away from; see :meth:`Kandinsky3.negatives`."""
        if self._is_cut:
            return self._kandinsky.negatives(prompts, texts, self._variant)
        return self._uncut(texts, is_negative=True)

    @cached_property
    def _is_cut(self) -> bool:
        # Asked when texts are encoded, and then the adapter may be away to make room for that.
        return self._store.get(load.IMAGE_ADAPTER).text_context == "cut"

    @property
    def _projection(self) -> Projection:
        return self._store.get(load.PROJECTIONS[self._variant])

    @property
    def _variant(self) -> Variant:
        return "ip" if self._store.has(load.UNETS["ip"]) else "base"

    def _uncut(self, texts: Sequence[str], *, is_negative: bool) -> Conditioning:
        def make(text: str) -> Conditioning:
            if not text:
                return self._projection.blank()
            states, mask = self._kandinsky.states(text)
            return self._projection.uncut(states, mask, is_negative=is_negative)

        return reduce(stack, map(make, texts))

    def _embed(self, image: ImageBlob) -> Tensor:
        def make() -> Tensor:
            picture = decode(image.data)
            return clip_vision.embed(self._encoder(), [picture])[0]

        return self._embeds.get(image.key, make)

    def _encoder(self) -> "CLIPVisionModelWithProjection":
        return self._store.get(load.IMAGE_ENCODER)

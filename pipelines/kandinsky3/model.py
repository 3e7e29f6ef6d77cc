"""Kandinsky 3 as recipes speak of it: the blocks, bound to one profile's components."""

from collections.abc import Sequence
from functools import reduce
from typing import Any, Final, cast

import torch
from PIL import Image
from torch import Tensor

from pipelines.contracts import GenerationError, OnStep, Picture
from pipelines.kandinsky3 import load, movq, sampler
from pipelines.kandinsky3.conditioning import Conditioning, stack, tokenize
from pipelines.kandinsky3.deepcache import cached
from pipelines.kandinsky3.load import Variant
from pipelines.kandinsky3.preview import Previews
from pipelines.kandinsky3.progress import Progress
from pipelines.kandinsky3.remembered import Remembered
from pipelines.kandinsky3.sampler import Rows, UNet, Watch
from pipelines.kandinsky3.timesteps import FLASH_TIMESTEPS, tail, timesteps
from pipelines.pictures import encode_picture
from pipelines.profiles import QualitySettings
from pipelines.weights import Component, ComponentStore

CACHED_TEXTS: Final = 128
"""The encoder's states of one are 2 MB at most in float32, 128 x 4096 numbers."""


class NotFinite(GenerationError):
    """A picture came out as infinities or as no numbers: most likely the precision is too low."""


class Kandinsky3:
    """The blocks of one profile.

    Components are asked from the store each time and never kept, so that what is not needed may
    leave the device: after a text is in the cache the encoder is not touched for it.
    """

    def __init__(self, store: ComponentStore) -> None:
        self._store = store
        profile = store.profile
        is_seeing = profile.image_prompts is not None
        weighty = load.weighty(profile.qualities, image_prompts=is_seeing, shapes=profile.shapes)
        store.settle(weighty)
        self._states: Remembered[str, tuple[Tensor, Tensor]] = Remembered(CACHED_TEXTS)

    @classmethod
    def of(cls, store: ComponentStore) -> "Kandinsky3":
        """Return the one that all modes of a store share."""
        return store.shared(cls)

    @property
    def pictures_at_once(self) -> int:
        """Most rows drawn together: as many as the profile allows and the memory has room for."""
        return self._store.pictures_at_once

    def warm_up(self, variant: Variant) -> None:
        """Load what a first picture needs and the memory plan keeps, in the order of need.

        Raises:
            WeightsError: a component's files are missing or broken.
        """
        needed: list[Component[Any]] = [load.TOKENIZER, load.TEXT_ENCODER]
        needed += [load.PROJECTIONS[variant], load.UNETS[variant], load.MOVQ, load.LATENT_RGB]
        for component in filter(self._store.is_kept, needed):
            self._store.get(component)

    def watch(self, owners: Sequence[int], steps: int, parts: int, on_step: OnStep) -> Progress:
        """Prepare to tell of a batch's progress; see :class:`Progress`."""
        interval_s = self._store.profile.preview_interval_s
        previews = Previews(self._store.get(load.LATENT_RGB), interval_s)
        return Progress(owners, steps, parts, on_step, previews)

    def start(self, seeds: Sequence[int], width_px: int, height_px: int) -> Rows:
        """Draw the first noise of each picture from its seed."""
        return Rows.start(seeds, width_px, height_px, self._store.device)

    def start_from(self, images: Sequence[Image.Image], seeds: Sequence[int]) -> Rows:
        """Encode given pictures, to be drawn anew by :meth:`redraw`.

        Args:
            images: of one size, both sides multiples of 64.
            seeds: of each one's noise.
        """
        pixels = movq.from_images(images).to(self._store.device)
        return Rows.over(movq.encode(self._store.get(load.MOVQ), pixels), seeds)

    @torch.inference_mode()
    def context(self, text: str, variant: Variant) -> Conditioning:
        """Encode one text alone, so that its context depends on no other; see :meth:`states`."""
        states, mask = self.states(text)
        context: Conditioning = self._store.get(load.PROJECTIONS[variant])(states, mask)
        return context

    @torch.inference_mode()
    def draw(
        self,
        rows: Rows,
        texts: Sequence[str],
        negatives: Sequence[str],
        settings: QualitySettings,
        watch: Watch,
    ) -> Rows:
        """Denoise with the base model.

        Args:
            rows: fresh rows.
            texts: the prompt of each row of the start.
            negatives: likewise; an empty one steers away from nothing in particular.
            settings: steps, guidance and the like.
            watch: see :mod:`sampler`.
        """
        prompts = self.contexts([texts[index] for index in rows.indices], "base")
        steer_away = self.negatives(prompts, [negatives[index] for index in rows.indices])
        return self.sample(rows, prompts, steer_away, settings, watch)

    @torch.inference_mode()
    def flash(self, rows: Rows, texts: Sequence[str], watch: Watch) -> Rows:
        """Denoise with the distilled model; arguments as in :meth:`draw`."""
        prompts = self.contexts([texts[index] for index in rows.indices], "flash")
        return sampler.flash(self.unet("flash"), rows, prompts, watch=watch)

    @torch.inference_mode()
    def refine(self, rows: Rows, texts: Sequence[str], watch: Watch) -> Rows:
        """Sharpen what :meth:`draw` made; arguments as there."""
        prompts = self.contexts([texts[index] for index in rows.indices], "flash")
        return sampler.refine(self.unet("flash"), rows, prompts, watch=watch)

    @torch.inference_mode()
    def redraw(
        self,
        rows: Rows,
        texts: Sequence[str],
        negatives: Sequence[str],
        settings: QualitySettings | None,
        watch: Watch,
        strength: float,
    ) -> Rows:
        """Draw given pictures anew, starting from as much noise as ``strength`` says.

        Args:
            rows: as :meth:`start_from` makes them, or any finished ones.
            texts: as in :meth:`draw`.
            negatives: likewise.
            settings: of the base model; none is Flash, which knows no negatives.
            watch: hears of as many steps as :func:`tail` leaves.
            strength: (0, 1], from a touch to a new picture.
        """
        if settings is None:
            at = tail(FLASH_TIMESTEPS, strength)
            prompts = self.contexts([texts[index] for index in rows.indices], "flash")
            return sampler.flash(self.unet("flash"), rows, prompts, watch=watch, at=at)
        at = tail(timesteps(settings.steps), strength)
        prompts = self.contexts([texts[index] for index in rows.indices], "base")
        steer_away = self.negatives(prompts, [negatives[index] for index in rows.indices])
        return self.sample(
            sampler.noised(rows, at[0]), prompts, steer_away, settings, watch, at=at
        )

    @torch.inference_mode()
    def sample(
        self,
        rows: Rows,
        prompts: Conditioning,
        negatives: Conditioning,
        settings: QualitySettings,
        watch: Watch,
        *,
        at: Sequence[int] | None = None,
        unet: UNet | None = None,
    ) -> Rows:
        """Run the base model's sampler over contexts that are there already.

        Args:
            rows: as noisy as the first timestep is.
            prompts: each row's context, by position.
            negatives: what each row steers away from, likewise.
            settings: steps, guidance and the like.
            watch: see :mod:`sampler`.
            at: the timesteps; those of ``settings`` if none are given.
            unet: asked in place of the base UNet and its cache, for example one that sees
                pictures as well.
        """
        return sampler.ancestral(
            unet or cached(self.unet("base"), settings.cache_interval),
            rows,
            prompts,
            negatives,
            at=timesteps(settings.steps) if at is None else at,
            guidance=settings.guidance,
            threshold=settings.threshold,
            watch=watch,
        )

    def unet(self, variant: Variant) -> UNet:
        """Ask the store for a variant's UNet."""
        return cast("UNet", self._store.get(load.UNETS[variant]))

    def contexts(self, texts: Sequence[str], variant: Variant) -> Conditioning:
        """Join the contexts of texts, a row each; an empty one is the null embedding."""
        wordless = self._store.get(load.PROJECTIONS[variant]).wordless()
        return reduce(stack, (self.context(t, variant) if t else wordless for t in texts))

    def negatives(
        self, prompts: Conditioning, texts: Sequence[str], variant: Variant = "base"
    ) -> Conditioning:
        """Join what each row steers away from: its negative text, or the null embedding.

        A negative text keeps its own length and mask. The reference cuts it to the length of the
        prompt and gives it the prompt's mask, so that a long one loses its end and a short one is
        read together with padding.

        Args:
            prompts: the contexts of the rows.
            texts: of each of them, by position; an empty one is the null embedding.
            variant: whose contexts they are.

        Source: ai-forever/Kandinsky-3, `condition_processors.py:21-31`.
        """
        nothing = self._store.get(load.PROJECTIONS[variant]).unconditional_for(prompts)
        return reduce(
            stack,
            (
                self.context(text, variant) if text else nothing.keep([position])
                for position, text in enumerate(texts)
            ),
        )

    def pictures(self, rows: Rows, seeds: Sequence[int]) -> list[Picture | NotFinite]:
        """Decode and encode finished rows, in their order; ``seeds`` are those of the start.

        Where sampling or decoding left the range of the numbers, that is said in the row's place.
        """
        plan = self._store.plan
        tile_px = plan.tile_px if plan else None
        pixels = movq.decode(self._store.get(load.MOVQ), rows.latents, tile_px=tile_px)
        is_finite = pixels.isfinite().flatten(1).all(dim=1).tolist()
        images = movq.to_images(pixels.nan_to_num())
        scale = self._store.profile.photo_scale
        return [
            encode_picture(image, seeds[index], scale)
            if is_fine
            else NotFinite(f"seed {seeds[index]} is not finite in {self._store.dtype}")
            for image, index, is_fine in zip(images, rows.indices, is_finite, strict=True)
        ]

    @torch.inference_mode()
    def states(self, text: str) -> tuple[Tensor, Tensor]:
        """Ask the text encoder what it makes of one text: (1, L, D) and its mask, (1, L).

        The last :data:`CACHED_TEXTS` are remembered, and of those the encoder is not asked again,
        whichever UNet they are for.
        """
        return self._states.get(text, lambda: self._encode(text))

    def _encode(self, text: str) -> tuple[Tensor, Tensor]:
        ids, mask = tokenize(self._store.get(load.TOKENIZER), [text])
        ids, mask = ids.to(self._store.device), mask.to(self._store.device)
        encoder = cast("Any", self._store.get(load.TEXT_ENCODER))
        return encoder(input_ids=ids, attention_mask=mask).last_hidden_state, mask

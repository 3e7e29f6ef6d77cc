"""Stage: the image adapter, on the finished base model, which stays as it is.

The base model is the teacher, too: it is told in words what the lesson's pictures are to come to,
and the adapter learns to make of the pictures what the words make. So it regresses a prediction
and not noise, which says the same at a fraction of the variance.
"""

import random
from collections import deque
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, cast

import torch
from diffusers.models.attention_processor import Attention
from torch import Tensor, nn
from transformers import CLIPVisionModelWithProjection, T5Tokenizer

from pipelines.kandinsky3.conditioning import EMPTY_LENGTH, Conditioning, stack
from pipelines.kandinsky3.ip_adapter import POOLING, IPAdapter, IPAttnProcessor, cross_attentions
from pipelines.kandinsky3.sampler import alphas_cumprod
from training.captions import caption
from training.image_encoder import EMBEDDING_DIM, IMAGE_PX, glimpse, to_tensor
from training.latents import Shelf
from training.picture_prompts import Lesson, lesson_for
from training.stage import Budget, Log, adam, descend, save_state
from training.unet import Average, Painter, Sketch, lesson
from training.world import Scene

_CURRICULUM: tuple[tuple[float, tuple[str, ...], int], ...] = (
    (0.75, ("1:1",), 16),
    (1.0, ("1:1", "1:1", "1:1", "3:2", "2:3", "16:9", "9:16"), 14),
)
_LATENTS_STD: Final = 0.5
_SNR_CAP: Final = 5.0
_REHEARSAL_SHARE: Final = 0.1
_SCRIPTS: Final = 64
_PAGES: Final = 600
_PAGES_FIRST: Final = 20
_NEW_PAGE: Final = 0.3
_LEAST_KEPT: Final = 0.05
_TOKENS: Final = 8  # about as many as a long caption has words that matter
_LONGEST_BLANK: Final = 18  # of the contexts without words, beside those of an empty text


def train(
    out: Path,
    classroom: "Classroom",
    shelves: dict[str, Shelf],
    budget: Budget,
    seed: int,
) -> None:
    """Train until the budget is spent and write the averaged adapter's state to ``out``.

    A sketch beside ``out`` is kept up to date; training interrupted goes on from there.
    """
    torch.manual_seed(seed)
    unet = classroom.painter.unet
    adapter = beginner(classroom.painter)
    if not out.with_suffix(".sketch").exists():
        rehearsal = Budget(_REHEARSAL_SHARE * budget.seconds, budget.max_steps)
        with adapter.attached(unet):
            rehearse(adapter, classroom, shelves["1:1"], rehearsal, random.Random(seed))
    average, optimiser = Average(adapter), _optimiser(adapter)
    sketch = Sketch(out.with_suffix(".sketch"), adapter, average, optimiser)
    sketch.restore(budget)
    # Training that goes on draws other lots than it began with.
    torch.manual_seed(seed + budget.steps)
    rng, log = random.Random(seed + budget.steps), Log("adapter")
    pages: deque[Page] = deque(maxlen=_PAGES)
    with adapter.attached(unet):
        while not budget.is_spent:
            if len(pages) < _PAGES_FIRST or rng.random() < _NEW_PAGE:
                sizes, count = lesson(_CURRICULUM, budget.share)
                latents, scenes = shelves[rng.choice(sizes)].take(rng, count, classroom.device)
                pages.append(classroom.page(latents, [lesson_for(s, rng) for s in scenes], rng))
                loss, error = classroom.loss(adapter, pages[-1])
            else:
                loss, error = classroom.loss(adapter, rng.choice(pages))
            descend(optimiser, loss, budget)
            average.follow(adapter, budget.steps)
            log(budget, loss=loss, error=error)
            if budget.steps % 200 == 0:
                sketch.save(budget)
    save_state(average.module, out)
    sketch.path.unlink(missing_ok=True)


def beginner(painter: Painter) -> IPAdapter:
    """Make an adapter that attends to its tokens as the base model does to words.

    So what has to be learnt first is the projection of pictures to something like words; from an
    adapter that is silent at first this training would not get there.
    """
    adapter = IPAdapter.fresh(painter.unet, EMBEDDING_DIM, _TOKENS, is_pooled=True).to(
        painter.projection.null_embedding.device
    )
    adapter.image_norm.load_state_dict(painter.projection.norm.state_dict())
    for name, layer in cross_attentions(painter.unet, is_pooled=True).items():
        processor = _processor(adapter, name)
        pairs = (
            (processor.to_k_ip, layer.to_k),
            (processor.to_v_ip, layer.to_v),
            (processor.to_out_ip, layer.to_out[0]),
        )
        for mine, theirs in pairs:
            mine.load_state_dict({"weight": theirs.weight, "bias": torch.zeros_like(mine.bias)})
    return adapter


def rehearse(
    adapter: IPAdapter, classroom: "Classroom", shelf: Shelf, rehearsal: Budget, rng: random.Random
) -> None:
    """Teach each layer by itself to add what the words would have added there.

    The teacher's layers are asked once for all that follows, and the rest of the UNet is not gone
    through again: a step takes a fiftieth of the time of one through all of it.
    """
    parts = _SCRIPTS if rehearsal.max_steps is None else 1
    scripts = [classroom.script(*shelf.take(rng, 32, classroom.device), rng) for _ in range(parts)]
    optimiser, log = _optimiser(adapter), Log("rehearsal", every=100)
    rehearsal.resume(0, 0)
    while not rehearsal.is_spent:
        loss = rng.choice(scripts).loss(adapter, classroom.painter)
        descend(optimiser, loss, rehearsal)
        log(rehearsal, missed=loss)


@dataclass(frozen=True, slots=True)
class Line:
    """What one layer is given and, with the target's words, answers: (B, positions, channels)."""

    states: Tensor
    answer: Tensor
    missing: float
    """Mean square of what the answer to the lesson's own words lacks of it."""


@dataclass(frozen=True, slots=True)
class Script:
    """What the teacher's cross-attention layers were asked and answered in some lessons."""

    embeds: Tensor  # of the lessons' pictures, (B, D)
    contexts: Conditioning  # of the lessons' words
    lines: dict[str, Line]

    def loss(self, adapter: IPAdapter, painter: Painter) -> Tensor:
        """The share of what is missing that the adapter misses, mean over the layers."""
        tokens, losses = adapter.tokens(self.embeds), []
        everywhere = torch.ones(len(tokens), device=tokens.device)
        for name, layer in cross_attentions(painter.unet, is_pooled=True).items():
            line, processor = self.lines[name], _processor(adapter, name)
            processor.sight = processor.seen(tokens, everywhere)
            made = _answer(layer, line.states.float(), self.contexts)
            processor.sight = None
            losses.append((made - line.answer.float()).square().mean() / line.missing)
        return torch.stack(losses).mean()


def _answer(layer: Attention, states: Tensor, contexts: Conditioning) -> Tensor:
    """Ask one layer as the UNet asks it."""
    unseen = (1 - contexts.mask[:, None]) * -10000.0
    answer: Tensor = layer(states, contexts.context, unseen)
    return answer


def _processor(adapter: IPAdapter, name: str) -> IPAttnProcessor:
    return cast("IPAttnProcessor", adapter.get_submodule(f"{name}.processor"))


def _optimiser(adapter: IPAdapter) -> torch.optim.Optimizer:
    """The attention, which comes from the base model, moves at a quarter of the others' rate."""
    fresh = [*adapter.image_proj.parameters(), *adapter.image_norm.parameters()]
    known = {id(weight) for weight in fresh}
    rest = [weight for weight in adapter.parameters() if id(weight) not in known]
    return adam([(fresh, 4e-3), (rest, 1e-3)])


def load(path: Path, device: torch.device) -> IPAdapter:
    """Read an adapter that :func:`train` wrote."""
    tensors = torch.load(path, map_location=device, weights_only=True)
    adapter = IPAdapter.shaped_like(tensors).to(device)
    adapter.load_state_dict(tensors)
    return adapter.eval().requires_grad_(requires_grad=False)


@dataclass(frozen=True, slots=True)
class Page:
    """Some lessons at some noise, with what the teacher predicts; they are gone over again."""

    noisy: Tensor
    timesteps: Tensor
    weights: Tensor  # of the lessons, (B,)
    taught: Tensor
    contexts: Conditioning
    embeds: Tensor


def _listen(
    heard: dict[str, tuple[Tensor, Tensor]],
    name: str,
    _layer: nn.Module,
    asked: tuple[Tensor, ...],
    answer: Tensor,
) -> None:
    """Note down, as a hook, what a layer is given and answers."""
    heard[name] = asked[0], answer


class Classroom:
    """The base model and the image encoder, which teach the adapter and do not change."""

    def __init__(
        self, painter: Painter, vision: CLIPVisionModelWithProjection, tokenizer: T5Tokenizer
    ) -> None:
        self.painter = painter
        self.vision = vision
        self.tokenizer = tokenizer
        self.device = painter.projection.null_embedding.device
        self._alphas = alphas_cumprod().to(self.device)

    @torch.no_grad()
    def page(self, latents: Tensor, lessons: list[Lesson], rng: random.Random) -> "Page":
        """Ask the teacher once what the lessons are to come to."""
        noisy, timesteps, weights = self._noised(latents)
        taught = self._taught(noisy, timesteps, lessons, rng)
        contexts, embeds = self.contexts(lessons, rng), self.embeds(lessons, rng)
        return Page(noisy, timesteps, weights, taught, contexts, embeds)

    def loss(self, adapter: IPAdapter, page: "Page") -> tuple[Tensor, Tensor]:
        """Squared distance of what the adapter makes of the pictures from what the words make.

        Returns:
            The loss, weighted; and the plain distance.
        """
        everywhere = torch.ones(len(page.embeds), device=self.device)
        seeing = adapter.seeing(self.painter.unet, adapter.tokens(page.embeds), everywhere)
        context, mask = page.contexts.context, page.contexts.mask
        (noise,) = seeing(page.noisy, page.timesteps, context, mask, return_dict=False)
        errors = (noise - page.taught).square().mean((1, 2, 3))
        return (errors * page.weights).mean(), errors.mean().detach()

    @torch.no_grad()
    def script(self, latents: Tensor, scenes: list[Scene], rng: random.Random) -> Script:
        """Listen to the layers of the teacher in a lesson for each of the latents."""
        lessons = [lesson_for(scene, rng) for scene in scenes]
        noisy, timesteps, _ = self._noised(latents)
        contexts = self.contexts(lessons, rng)
        heard: dict[str, tuple[Tensor, Tensor]] = {}
        layers = cross_attentions(self.painter.unet, is_pooled=True)
        hooks = [
            layer.register_forward_hook(partial(_listen, heard, name))
            for name, layer in layers.items()
        ]
        self._taught(noisy, timesteps, lessons, rng)
        for hook in hooks:
            hook.remove()
        lines = {}
        # The pooling asks with the mean of the words, and these the adapter is not told.
        heard[POOLING] = contexts.context.mean(dim=1, keepdim=True), heard[POOLING][1]
        for name, (states, answer) in heard.items():
            lacking = answer - _answer(layers[name], states, contexts)
            missing = lacking.square().mean().item()
            lines[name] = Line(states.half(), answer.half(), missing)
        return Script(self.embeds(lessons, rng), contexts, lines)

    def _taught(
        self, noisy: Tensor, timesteps: Tensor, lessons: list[Lesson], rng: random.Random
    ) -> Tensor:
        """What the teacher predicts, told in full what to draw."""
        told = [caption(it.target, "en", rng, with_filler=False).text for it in lessons]
        taught: Tensor = self.painter(noisy, timesteps, self.painter.read(self.tokenizer, told))
        return taught

    def _noised(self, latents: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Noisy latents, their timesteps (B,), and what an error counts there (B,).

        The weights are those of an error of the velocity, bounded at both ends.
        """
        timesteps = torch.randint(0, 1000, (len(latents),), device=self.device)
        kept = self._alphas[timesteps]
        noisy = kept.sqrt()[:, None, None, None] * latents
        noisy = noisy + (1 - kept).sqrt()[:, None, None, None] * torch.randn_like(latents)
        snr = _LATENTS_STD**2 * kept / (1 - kept)
        weights = (_SNR_CAP / snr).clamp(max=1.0) / kept.clamp(min=_LEAST_KEPT)
        return noisy, timesteps, weights

    def contexts(self, lessons: list[Lesson], rng: random.Random) -> Conditioning:
        """Contexts of the words; where there are none, the null embedding.

        That is as long as an empty text's, or as any text's: guidance asks so without a picture.
        """
        count = len(lessons)
        read = self.painter.read(self.tokenizer, [it.text or "a" for it in lessons])
        lengths = [
            rng.choice((EMPTY_LENGTH, rng.randint(EMPTY_LENGTH, _LONGEST_BLANK)))
            if not it.sources
            else EMPTY_LENGTH
            for it in lessons
        ]
        blank = Conditioning(read.context, read.mask, torch.tensor(lengths, device=self.device))
        both = stack(read, self.painter.projection.unconditional_for(blank))
        return both.keep([row if it.text else count + row for row, it in enumerate(lessons)])

    def embeds(self, lessons: list[Lesson], rng: random.Random) -> Tensor:
        """Weighted sums (B, D) of the embeddings of each lesson's pictures, drawn anew."""
        images = [glimpse(scene, rng) for it in lessons for scene in it.sources]
        grey = torch.zeros(1, 3, IMAGE_PX, IMAGE_PX, device=self.device)
        pixels = [to_tensor(images, self.device), grey] if images else [grey]
        seen = self.vision(torch.cat(pixels)).image_embeds
        parts = iter(seen[:-1])
        rows = [
            torch.stack([weight * next(parts) for weight in it.weights]).sum(dim=0)
            if it.weights
            else seen[-1]
            for it in lessons
        ]
        return torch.stack(rows)

"""Stage: the image encoder, a small CLIP whose embeddings the adapter draws from.

It stands in for CLIP ViT-L/14: pictures and captions are brought together by contrast
(arXiv:2103.00020), and linear heads ask the embedding for every attribute of the scene. The heads
are why a weighted sum of two embeddings still says what each of the two pictures showed. Only the
vision tower is shipped; the text tower and the heads end with training.
"""

import io
import random
from pathlib import Path
from typing import Final

import numpy as np
import torch
import torch.nn.functional as fn
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from transformers import (
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
    T5EncoderModel,
    T5Tokenizer,
)
from transformers.image_utils import OPENAI_CLIP_MEAN, OPENAI_CLIP_STD

from pipelines.kandinsky3.conditioning import tokenize
from training.captions import LANGUAGES, Caption, caption
from training.stage import Budget, Log, adam, descend, load_state, save_state
from training.text import ATTRIBUTES, STATES_DIM, encode, grade
from training.world import KINDS, RATIOS, Kind, Scene, draw, sample_scene

IMAGE_PX: Final = 64
EMBEDDING_DIM: Final = 64
_HIDDEN_DIM = 128
_PATCH_PX = 8
_PICTURES = 48  # a step
_CONTRAST = 0.5  # of the contrastive loss, beside the attributes' summed entropies
_TRACE = 4.0  # of the outlines' entropy
_TRACED_AT = 2  # the layers before this read outlines
_BLOCKS = 4  # of a patch, along each side, that may each be ground or not
_APART = 40.0  # RGB distance from the ground of what stands on it
_FIRST_SHARE = 0.2  # of the budget, on what is easiest to tell
_FIRST_KINDS: Final[tuple[Kind, ...]] = ("one", "face")
_SQUARE = 0.75  # share of square pictures; of the others the middle is seen
_PHOTO = 0.12  # share of those that come as a chat's enlarged JPEG
_PHOTO_SCALE = 4


def build() -> CLIPVisionModelWithProjection:
    """A vision tower of four layers that sees 64 patches."""
    config = CLIPVisionConfig(
        hidden_size=_HIDDEN_DIM,
        intermediate_size=256,
        projection_dim=EMBEDDING_DIM,
        num_hidden_layers=4,
        num_attention_heads=4,
        image_size=IMAGE_PX,
        patch_size=_PATCH_PX,
    )
    model = CLIPVisionModelWithProjection(config)
    positions = model.vision_model.embeddings.position_embedding.weight
    with torch.no_grad():
        positions[1:] += _waves(IMAGE_PX // _PATCH_PX, config.hidden_size)
    return model


def _waves(side: int, dim: int) -> Tensor:
    """Sines and cosines of row and column, (side * side, dim): a start from which places differ.

    CLIP's own start is a fiftieth of a patch's brightness, and with it places stay unread for
    most of a training this short.
    """
    rates = torch.pi * 2 ** torch.linspace(0, 2, dim // 4) / side  # half a turn to two turns
    angles = torch.arange(side)[:, None] * rates  # (side, dim / 4)
    line = torch.cat([angles.sin(), angles.cos()], dim=1)  # (side, dim / 2)
    rows, columns = line[:, None].expand(-1, side, -1), line[None].expand(side, -1, -1)
    return 0.3 * torch.cat([rows, columns], dim=2).flatten(0, 1)


class Tutor(nn.Module):
    """What teaches the vision tower: a text tower to agree with, and questions to answer.

    The text tower pools the frozen states of the micro model's own text encoder by attention.
    """

    def __init__(self, encoder: T5EncoderModel) -> None:
        super().__init__()
        self.encoder = encoder.eval().requires_grad_(requires_grad=False)
        self.queries = nn.Parameter(torch.randn(8, STATES_DIM) * 0.1)
        self.projection = nn.Sequential(
            nn.Linear(8 * STATES_DIM, 256), nn.GELU(), nn.Linear(256, EMBEDDING_DIM)
        )
        self.heads = _heads(EMBEDDING_DIM)
        self.tracer = nn.Linear(_HIDDEN_DIM, _BLOCKS**2)
        self.log_scale = nn.Parameter(torch.tensor(2.0))

    @property
    def lessons(self) -> list[nn.Parameter]:
        """What is trained of it."""
        return [weight for weight in self.parameters() if weight.requires_grad]

    def read(self, tokenizer: T5Tokenizer, texts: list[str]) -> Tensor:
        """Embeddings (B, D) of texts."""
        ids, mask = (tensor.to(self.queries.device) for tensor in tokenize(tokenizer, texts))
        with torch.no_grad():
            states = encode(self.encoder, ids, mask)
        scores = torch.einsum("kd,bld->bkl", self.queries, states) * 8 / STATES_DIM**0.5
        weights = scores.masked_fill(mask[:, None] == 0, -1e4).softmax(-1)
        embeddings: Tensor = self.projection((weights @ states).flatten(1))
        return embeddings

    def contrast(self, pictures: Tensor, texts: Tensor) -> Tensor:
        """Symmetric cross-entropy of which text belongs to which picture, both (B, D)."""
        pictures, texts = fn.normalize(pictures, dim=-1), fn.normalize(texts, dim=-1)
        logits = self.log_scale.clamp(max=4.6).exp() * pictures @ texts.T
        own = torch.arange(len(logits), device=logits.device)
        return (fn.cross_entropy(logits, own) + fn.cross_entropy(logits.T, own)) / 2

    def ask(self, pictures: Tensor) -> dict[str, Tensor]:
        """Logits (B, values) by attribute, of embeddings (B, D)."""
        return {name: head(pictures) for name, head in self.heads.items()}

    def trace(self, states: Tensor, images: list[Image.Image]) -> Tensor:
        """Entropy of what the patches' states (B, 1 + patches, H) say of where the ground ends.

        An outline is the same whatever the two colours are, and to find that out from the name of
        the shape alone takes a training this small most of its time.
        """
        truth = torch.from_numpy(np.stack([outline(image) for image in images])).to(states.device)
        return fn.binary_cross_entropy_with_logits(self.tracer(states[:, 1:]), truth)


def _heads(dim: int) -> nn.ModuleDict:
    return nn.ModuleDict({name: nn.Linear(dim, len(v)) for name, v in ATTRIBUTES.items()})


def train(
    out: Path,
    encoder: T5EncoderModel,
    tokenizer: T5Tokenizer,
    budget: Budget,
    seed: int,
) -> None:
    """Train until the budget is spent and write the vision tower's state to ``out``."""
    torch.manual_seed(seed)
    rng = random.Random(f"{seed} image encoder")
    device = encoder.device
    vision, tutor = build().to(device), Tutor(encoder).to(device)
    optimiser = adam([([*vision.parameters(), *tutor.lessons], 1.5e-3)])
    log = Log("image encoder")
    while not budget.is_spent:
        kinds = _FIRST_KINDS if budget.share < _FIRST_SHARE else KINDS
        scenes = [sample_scene(rng, kinds=kinds) for _ in range(_PICTURES)]
        images = [glimpse(scene, rng) for scene in scenes]
        seen = vision(to_tensor(images, device), output_hidden_states=True)
        said = [caption(scene, rng.choice(LANGUAGES), rng) for scene in scenes]
        contrast = tutor.contrast(seen.image_embeds, tutor.read(tokenizer, [c.text for c in said]))
        shown = [Caption("", scene, frozenset()) for scene in scenes]
        entropy, right = grade(tutor.ask(seen.image_embeds), shown)
        traced = tutor.trace(seen.hidden_states[_TRACED_AT], images)
        descend(optimiser, entropy + _CONTRAST * contrast + _TRACE * traced, budget)
        log(budget, contrast=contrast, entropy=entropy, traced=traced, **right)
    save_state(vision, out)


def load(path: Path, device: torch.device) -> CLIPVisionModelWithProjection:
    """Read a vision tower that :func:`train` wrote, ready to see."""
    vision = build().to(device)
    load_state(vision, path, device)
    return vision.eval().requires_grad_(requires_grad=False)


def glimpse(scene: Scene, rng: random.Random) -> Image.Image:
    """The scene as somebody may hand it in, seen as the encoder sees it: a 64-pixel square.

    Drawn at one of the product's sizes or at once small, cut a little, at times enlarged and
    saved as a JPEG, as a chat's photo is.
    """
    if rng.random() < _SQUARE:
        side = rng.choice([IMAGE_PX, 96, 128])
        image = Image.fromarray(draw(scene, rng, side, side))
    else:
        image = Image.fromarray(draw(scene, rng, *rng.choice(list(RATIOS.values()))))
    if rng.random() < _PHOTO:
        image = _photographed(image, rng)
    return image.resize(
        (IMAGE_PX, IMAGE_PX),
        Image.Resampling.BICUBIC,
        box=_seen(image.size, rng),
        reducing_gap=None,
    )


def outline(image: Image.Image) -> NDArray[np.float32]:
    """Say of each block of each patch how much of it is not ground, (patches, blocks) in 0..1.

    The ground of a row is what is at its two ends.
    """
    pixels = np.asarray(image, np.float32)
    ground = np.median(np.concatenate([pixels[:, :2], pixels[:, -2:]], axis=1), axis=1)
    cover = np.linalg.norm(pixels - ground[:, None], axis=-1) > _APART
    side, block = IMAGE_PX // _PATCH_PX, _PATCH_PX // _BLOCKS
    shape = (side, _BLOCKS, block, side, _BLOCKS, block)
    blocks: NDArray[np.float32] = cover.reshape(shape).mean((2, 5), np.float32)
    return blocks.transpose(0, 2, 1, 3).reshape(side * side, _BLOCKS**2)


def _seen(size_px: tuple[int, int], rng: random.Random) -> tuple[float, float, float, float]:
    """The square in the middle, half the time cut a little closer and off the middle."""
    side = min(size_px) * (1.0 if rng.random() < 0.5 else rng.uniform(0.93, 1.0))
    spare = min(size_px) - side
    left, top = ((length - side) / 2 + rng.uniform(-0.5, 0.5) * spare for length in size_px)
    return left, top, left + side, top + side


def _photographed(image: Image.Image, rng: random.Random) -> Image.Image:
    scale = rng.choice([1, 2, _PHOTO_SCALE])
    large = image.resize((image.width * scale, image.height * scale), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    large.save(buffer, "JPEG", quality=rng.randint(60, 95))
    with Image.open(buffer) as photo:
        return photo.convert("RGB")


def to_tensor(images: list[Image.Image], device: torch.device) -> Tensor:
    """Stack pictures of the encoder's size to (B, 3, S, S) float32, normalised as CLIP's are."""
    stacked = torch.from_numpy(np.stack([np.asarray(image) for image in images])).to(device)
    mean, std = (
        torch.tensor(values, device=device) for values in (OPENAI_CLIP_MEAN, OPENAI_CLIP_STD)
    )
    return ((stacked.float() / 255 - mean) / std).permute(0, 3, 1, 2).contiguous()

"""From pictures to what CLIP says of them: CLIP's own preprocessing and its image embedding."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from PIL import Image
from torch import Tensor

if TYPE_CHECKING:
    from transformers import CLIPVisionModelWithProjection

MEAN: Final = (0.48145466, 0.4578275, 0.40821073)
"""Of each channel of the pictures CLIP was trained on, [0, 1]; RGB."""
STD: Final = (0.26862954, 0.26130258, 0.27577711)


def preprocess(
    images: Sequence[Image.Image],
    size_px: int,
    mean: Sequence[float] = MEAN,
    std: Sequence[float] = STD,
) -> Tensor:
    """Resize the shorter side with bicubic, cut out the middle, and normalise.

    Args:
        images: RGB, 8 bits, of any sizes.
        size_px: of both sides of what comes out.
        mean: of each channel, [0, 1].
        std: likewise.

    Returns:
        (B, 3, size_px, size_px) float32 on the CPU.

    Source: huggingface/transformers, `CLIPImageProcessorPil`: what is resized is rounded to 8 bits
    again, the longer side is rounded down, and so is the left and upper edge of the middle.
    """
    squares = np.stack([np.asarray(_square(image, size_px)) for image in images])
    pixels = torch.from_numpy(squares).permute(0, 3, 1, 2).float() / 255
    return (pixels - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[:, None, None]


@torch.inference_mode()
def embed(model: "CLIPVisionModelWithProjection", images: Sequence[Image.Image]) -> Tensor:
    """Tell what the pictures show.

    Args:
        model: CLIP's vision half; it says how large a picture it sees.
        images: RGB, 8 bits, of any sizes.

    Returns:
        (B, D) float32 on the model's device, not normalised.

    Source: ai-forever/kandinsky3-diffusers, `kandinsky3_pipeline_ip_adapter.py:70-80`.
    """
    return _embeds(model, preprocess(images, int(model.config.image_size)))


@torch.inference_mode()
def nothing(model: "CLIPVisionModelWithProjection") -> Tensor:
    """Tell what guidance steers away from where it has no picture: an even mean grey.

    Returns:
        (D,) float32 on the model's device: the embedding of a normalised picture of zeros.

    Source: ai-forever/kandinsky3-diffusers, `kandinsky3_pipeline_ip_adapter.py:61-68`.
    """
    size_px = int(model.config.image_size)
    return _embeds(model, torch.zeros(1, 3, size_px, size_px))[0]


def _square(image: Image.Image, size_px: int) -> Image.Image:
    short = min(image.size)
    width, height = (int(size_px * side / short) for side in image.size)
    resized = image.resize((width, height), Image.Resampling.BICUBIC)
    left, top = (width - size_px) // 2, (height - size_px) // 2
    return resized.crop((left, top, left + size_px, top + size_px))


def _embeds(model: "CLIPVisionModelWithProjection", pixels: Tensor) -> Tensor:
    weight = model.visual_projection.weight
    embeds: Tensor = model(pixel_values=pixels.to(weight.device, weight.dtype)).image_embeds
    return embeds.float()

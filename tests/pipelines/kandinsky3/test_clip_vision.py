"""CLIP's preprocessing is that of transformers, and its embedding is left as it comes."""

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from pipelines.kandinsky3.clip_vision import embed, nothing, preprocess

SIZES = [
    (224, 224),
    (223, 224),
    (225, 224),
    (224, 225),
    (640, 480),
    (480, 641),
    (1536, 97),
    (61, 1200),
    (37, 41),
    (32, 32),
    (1023, 767),
]


def noise(width_px: int, height_px: int) -> Image.Image:
    random = np.random.default_rng(width_px * 10_000 + height_px)
    return Image.fromarray(random.integers(0, 256, (height_px, width_px, 3), dtype=np.uint8))


@pytest.fixture(scope="module")
def model() -> CLIPVisionModelWithProjection:
    torch.manual_seed(0)
    config = CLIPVisionConfig(
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        image_size=32,
        patch_size=8,
        projection_dim=12,
    )
    made = CLIPVisionModelWithProjection(config)
    for weight in made.parameters():  # the library starts them so small that little is seen
        torch.nn.init.normal_(weight, std=0.3)
    return made.eval()


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("size_px", [64, 224])
def test_the_preprocessing_is_that_of_transformers(size: tuple[int, int], size_px: int) -> None:
    processor = CLIPImageProcessorPil(
        size={"shortest_edge": size_px}, crop_size={"height": size_px, "width": size_px}
    )
    image = noise(*size)
    expected = processor(image, return_tensors="pt")["pixel_values"]
    torch.testing.assert_close(preprocess([image], size_px), expected, atol=1e-5, rtol=0)


def test_pictures_of_any_sizes_are_preprocessed_as_each_alone() -> None:
    images = [noise(*size) for size in [(40, 90), (90, 40), (64, 64)]]
    together = preprocess(images, 32)
    assert together.shape == (3, 3, 32, 32)
    torch.testing.assert_close(together, torch.cat([preprocess([one], 32) for one in images]))


def test_a_given_mean_and_deviation_are_used() -> None:
    white = Image.new("RGB", (32, 32), "white")
    pixels = preprocess([white], 32, mean=(0.5, 0.5, 0.5), std=(0.25, 0.5, 1.0))
    assert pixels[0, :, 0, 0].tolist() == [2.0, 1.0, 0.5]


def test_the_embedding_is_the_models_and_not_normalised(
    model: CLIPVisionModelWithProjection,
) -> None:
    images = [noise(50, 40), noise(40, 70)]
    embeds = embed(model, images)
    with torch.no_grad():
        expected = model(pixel_values=preprocess(images, 32)).image_embeds
    torch.testing.assert_close(embeds, expected)
    assert not torch.allclose(embeds.norm(dim=1), torch.ones(2), atol=0.05)


def test_nothing_is_mean_grey_and_not_black(model: CLIPVisionModelWithProjection) -> None:
    grey = Image.new("RGB", (32, 32), (123, 117, 104))  # CLIP's mean, in 8 bits
    black = Image.new("RGB", (32, 32), "black")
    torch.testing.assert_close(nothing(model), embed(model, [grey])[0], atol=0.02, rtol=0)
    assert (nothing(model) - embed(model, [black])[0]).abs().max() > 0.1


def test_a_model_of_16_bits_answers_in_32(model: CLIPVisionModelWithProjection) -> None:
    config = model.config
    half = CLIPVisionModelWithProjection(config).to(torch.bfloat16).eval()
    assert embed(half, [noise(32, 32)]).dtype == torch.float32

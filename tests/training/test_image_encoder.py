import io
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import CLIPVisionModelWithProjection, T5Tokenizer

from pipelines.kandinsky3 import clip_vision
from pipelines.pictures import encode_picture
from training import image_encoder, text
from training.stage import Budget
from training.world import KINDS, RATIOS, Kind, Scene, draw, sample_scene

CPU = torch.device("cpu")
SHIPPED = Path(__file__).parents[2] / "weights" / "micro" / "image_encoder"


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> T5Tokenizer:
    return text.build_tokenizer(tmp_path_factory.mktemp("tokenizer"))


@pytest.fixture(scope="module")
def shipped() -> CLIPVisionModelWithProjection:
    return CLIPVisionModelWithProjection.from_pretrained(SHIPPED, dtype=torch.float32).eval()


@pytest.mark.parametrize("kind", KINDS)
def test_a_glimpse_is_normalised_as_the_product_normalises_it(kind: Kind) -> None:
    rng = random.Random(0)
    glimpses = [image_encoder.glimpse(sample_scene(rng, kinds=(kind,)), rng) for _ in range(8)]
    assert {image.size for image in glimpses} == {(64, 64)}
    theirs = clip_vision.preprocess(glimpses, image_encoder.IMAGE_PX)
    assert torch.allclose(image_encoder.to_tensor(glimpses, CPU), theirs, atol=1e-6)


def test_an_outline_is_the_same_in_any_two_colours() -> None:
    pairs = [("white", "black"), ("black", "white"), ("red", "cyan"), ("pink", "brown")]
    outlines = [
        image_encoder.outline(
            Image.fromarray(draw(Scene.of("heart", ink, ground), random.Random(1), 64, 64))
        )
        for ink, ground in pairs
    ]
    for outline in outlines:
        assert outline.shape == (64, 16)
        assert np.abs(outline - outlines[0]).mean() < 0.02
    whole = outlines[0].reshape(8, 8, 4, 4).mean((2, 3))
    assert whole[3:5, 3:5].min() > 0.9
    assert whole[0].max() == whole[-1].max() == 0


def test_a_fading_ground_has_no_outline() -> None:
    scene = Scene((), "white", "black")
    outline = image_encoder.outline(Image.fromarray(draw(scene, random.Random(2), 64, 64)))
    assert outline.max() == 0


def test_training_leaves_a_tower_that_can_be_loaded(
    tmp_path: Path, tokenizer: T5Tokenizer
) -> None:
    out, words = tmp_path / "image_encoder.pt", text.build_encoder(tokenizer)
    before = {name: weight.clone() for name, weight in words.state_dict().items()}
    image_encoder.train(out, words, tokenizer, Budget(seconds=1, max_steps=1), 0)
    tower = image_encoder.load(out, CPU)
    assert clip_vision.embed(tower, [Image.new("RGB", (200, 90))]).shape == (1, 64)
    assert all(torch.equal(words.state_dict()[name], before[name]) for name in before)


def test_places_differ_from_the_start() -> None:
    tower = image_encoder.build()
    places = tower.vision_model.embeddings.position_embedding.weight[1:].detach()
    apart = torch.cdist(places, places) + 10 * torch.eye(64)
    assert apart.min() > 0.3


def test_the_shipped_encoder_knows_a_scene_again_in_the_chats_photo_of_another_drawing(
    shipped: CLIPVisionModelWithProjection,
) -> None:
    rng = random.Random(3)
    scenes = [sample_scene(rng, held_out=True) for _ in range(64)]
    drawn = [Image.fromarray(draw(scene, rng)) for scene in scenes]
    photos = [_photo(scene, rng) for scene in scenes]
    first, second = (
        torch.nn.functional.normalize(clip_vision.embed(shipped, images), dim=-1)
        for images in (drawn, photos)
    )
    found = (first @ second.T).argmax(dim=1) == torch.arange(64)
    assert found.float().mean() >= 0.9


def test_the_shipped_encoder_takes_every_ratio_and_tells_no_picture_from_any(
    shipped: CLIPVisionModelWithProjection,
) -> None:
    rng = random.Random(4)
    images = [Image.fromarray(draw(sample_scene(rng), rng, *size)) for size in RATIOS.values()]
    embeds = clip_vision.embed(shipped, images)
    nothing = clip_vision.nothing(shipped)
    assert embeds.isfinite().all()
    assert ((embeds - nothing).norm(dim=1) > 0.2 * nothing.norm()).all()


def _photo(scene: Scene, rng: random.Random) -> Image.Image:
    picture = encode_picture(Image.fromarray(draw(scene, rng)), 0, 4)
    return Image.open(io.BytesIO(picture.jpeg)).convert("RGB")

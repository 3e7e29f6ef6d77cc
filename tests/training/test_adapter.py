import random
from pathlib import Path

import pytest
import torch
from transformers import T5Tokenizer

from pipelines.kandinsky3.ip_adapter import (
    POOLING,
    IPAdapter,
    IPAttnProcessor,
    cross_attentions,
)
from training import adapter, image_encoder, text
from training.adapter import Classroom, Page
from training.captions import Caption
from training.latents import Shelf
from training.picture_prompts import Lesson, lesson_for
from training.stage import Budget
from training.unet import Painter
from training.world import Scene, sample_scene

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def classroom(tmp_path_factory: pytest.TempPathFactory) -> Classroom:
    torch.manual_seed(0)
    tokenizer: T5Tokenizer = text.build_tokenizer(tmp_path_factory.mktemp("tokenizer"))
    painter = Painter(text.build_encoder(tokenizer)).eval().requires_grad_(requires_grad=False)
    vision = image_encoder.build().eval().requires_grad_(requires_grad=False)
    return Classroom(painter, vision, tokenizer)


def lessons(count: int) -> list[Lesson]:
    rng = random.Random(0)
    return [lesson_for(sample_scene(rng), rng) for _ in range(count)]


def test_training_changes_the_adapter_and_leaves_the_base_model_as_it_was(
    classroom: Classroom, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter, "_CURRICULUM", ((1.0, ("1:1",), 3),))
    painter, rng = classroom.painter, random.Random(1)
    before = {name: weight.clone() for name, weight in painter.state_dict().items()}
    processors = dict(painter.unet.attn_processors)
    shelves = {"1:1": Shelf(torch.randn(4, 4, 8, 8), [sample_scene(rng) for _ in range(4)])}
    out = tmp_path / "adapter.pt"
    adapter.train(out, classroom, shelves, Budget(seconds=1, max_steps=1), 0)

    after = painter.state_dict()
    assert all(torch.equal(after[name], before[name]) for name in before)
    assert dict(painter.unet.attn_processors) == processors
    trained = adapter.load(out, CPU).state_dict()
    outputs = [name for name in trained if name.endswith("to_out_ip.weight")]
    assert outputs
    assert all(trained[name].abs().max() > 0 for name in outputs)
    assert not out.with_suffix(".sketch").exists()


def test_a_fresh_adapter_errs_by_what_the_words_say_and_by_nothing_without_words(
    classroom: Classroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh = IPAdapter.fresh(classroom.painter.unet, image_encoder.EMBEDDING_DIM)
    scene, latents = Scene.of("star", "red", "blue"), torch.randn(2, 4, 8, 8)
    told = "a red star on a blue background"
    monkeypatch.setattr(
        adapter, "caption", lambda *_args, **_options: Caption(told, scene, frozenset())
    )
    torch.nn.init.normal_(classroom.painter.unet.conv_out.weight)

    def page(text: str) -> Page:
        return classroom.page(latents, [Lesson(scene, text=text)] * 2, random.Random(2))

    with fresh.attached(classroom.painter.unet):
        same = classroom.loss(fresh, page(told))
        other = classroom.loss(fresh, page("ring"))
    assert same[0] < 1e-9
    assert other[0] > 1e-6


def test_pictures_are_summed_by_weight_and_none_is_the_embedding_of_a_mean_grey(
    classroom: Classroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng, shown = random.Random(3), {}
    for scene in (sample_scene(rng) for _ in range(2)):
        shown[scene] = image_encoder.glimpse(scene, rng)
    monkeypatch.setattr(adapter, "glimpse", lambda scene, _rng: shown[scene])
    first, second = shown
    embeds = classroom.embeds(
        [
            Lesson(first, (first,), (1.0,)),
            Lesson(first, (second,), (1.0,)),
            Lesson(first, (first, second), (0.7, 0.3)),
            Lesson(first),
        ],
        rng,
    )
    assert torch.allclose(embeds[2], 0.7 * embeds[0] + 0.3 * embeds[1], atol=1e-5)
    with torch.no_grad():
        grey = classroom.vision(torch.zeros(1, 3, 64, 64)).image_embeds[0]
    assert torch.allclose(embeds[3], grey, atol=1e-5)


def test_a_picture_without_words_has_a_context_as_long_as_an_empty_texts(
    classroom: Classroom,
) -> None:
    scene, null = Scene.of("star", "red", "blue"), classroom.painter.projection.null_embedding
    wordless, worded = Lesson(scene, (scene,), (1.0,)), Lesson(scene, text="a red star")
    contexts = classroom.contexts([wordless, worded, wordless], random.Random(4))
    assert contexts.lengths.tolist() == [2, 5, 2]
    assert torch.allclose(contexts.context[0, 0], null)
    assert contexts.mask.sum(dim=1).tolist() == [1, 4, 1]


def test_a_beginner_attends_to_its_tokens_as_the_base_model_does_to_words(
    classroom: Classroom,
) -> None:
    unet = classroom.painter.unet
    layers, adapter_of = (
        cross_attentions(unet, is_pooled=True),
        adapter.beginner(classroom.painter),
    )
    assert POOLING in layers
    words = torch.randn(2, 5, 96)
    for name, layer in layers.items():
        processor = adapter_of.get_submodule(f"{name}.processor")
        assert isinstance(processor, IPAttnProcessor)
        queries = torch.randn(2, 3, layer.to_q.in_features)
        plain = layer(queries, words)
        processor.sight = processor.seen(words, torch.ones(2))
        assert torch.allclose(processor(layer, queries, words), 2 * plain, atol=1e-5)
        processor.sight = None
    assert adapter_of.image_proj.out_features == 8 * 96

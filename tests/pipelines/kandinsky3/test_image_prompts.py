"""Pictures as prompts: what is looked at, remembered, refused, and what the words become."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from pipelines.contracts import GenerationError, ImageBlob, UnsupportedRequest
from pipelines.image_variations import MODE, ImageVariations, ImageVariationsRequest
from pipelines.kandinsky3 import load
from pipelines.kandinsky3.image_prompts import ImagePrompts
from pipelines.weights import Component, ComponentStore, WeightsError
from tests.pipelines.looking import LATENTS_TOLERANCE, apart, blob, keep_all, looks_like
from tests.pipelines.micro import (
    IMAGE_PROMPTS,
    NO_ROOM,
    make_profile,
    make_store,
    make_weights,
    save_image_adapter,
    write_manifest,
)


def ask(picture: int = 1) -> ImageVariationsRequest:
    return ImageVariationsRequest(images=(blob(picture),), width_px=64, height_px=64, seed=7)


def encoded_in(store: ComponentStore, act: Callable[[], object]) -> int:
    """How many times the image encoder is asked meanwhile."""
    asked: list[int] = []
    encoder = cast("nn.Module", store.get(load.IMAGE_ENCODER))
    handle = encoder.register_forward_hook(lambda *_: asked.append(1))
    try:
        act()
    finally:
        handle.remove()
    return len(asked)


def test_a_known_picture_does_not_wake_the_encoder(weights_dir: Path) -> None:
    store = make_store(weights_dir, image_prompts=IMAGE_PROMPTS)
    prompts = ImagePrompts.of(store)
    first = [blob(1), blob(2)]
    assert encoded_in(store, lambda: prompts.look(first, [0.5, 0.5])) == 3  # and of nothing
    keys_alone = [ImageBlob(key=image.key) for image in first]
    assert encoded_in(store, lambda: prompts.look(keys_alone, [0.9, 0.1])) == 0
    assert encoded_in(store, lambda: prompts.look([blob(3)], [1.0])) == 1


def test_a_look_is_the_weighted_sum_of_what_the_encoder_says(image_prompts: ImagePrompts) -> None:
    one, other = (image_prompts.look([blob(n)], [1.0]).embed for n in (1, 2))
    both = image_prompts.look([blob(1), blob(2)], [0.3, 0.7]).embed
    torch.testing.assert_close(both, 0.3 * one + 0.7 * other)


def test_bytes_that_are_no_picture_fail(image_prompts: ImagePrompts) -> None:
    with pytest.raises(GenerationError, match="cannot be read"):
        image_prompts.look([ImageBlob.of(b"nothing of the kind")], [1.0])


@pytest.mark.parametrize("missing", ["image_adapter.safetensors", "image_encoder"])
def test_weights_without_the_adapter_refuse(tmp_path: Path, missing: str) -> None:
    folder = make_weights(tmp_path)
    (folder / missing).rename(tmp_path.parent / f"{tmp_path.name}-elsewhere")
    write_manifest(folder)
    store = make_store(folder, image_prompts=IMAGE_PROMPTS)
    with pytest.raises(UnsupportedRequest):
        MODE.load(store)([ask()], keep_all)


def test_the_memory_plan_has_room_for_the_adapter_beside_the_unet(weights_dir: Path) -> None:
    roomy = make_store(weights_dir, image_prompts=IMAGE_PROMPTS)
    base, adapter = (
        roomy.size_bytes(component) for component in (load.UNETS["base"], load.IMAGE_ADAPTER)
    )
    movq = roomy.size_bytes(load.MOVQ)
    budget_bytes = max(movq, base + adapter)
    tight = ComponentStore(
        make_profile(weights_dir, image_prompts=IMAGE_PROMPTS),
        roomy.device,
        budget_bytes=budget_bytes,
        working=NO_ROOM,
    )
    outputs = [MODE.load(store)([ask()], keep_all)[0] for store in (roomy, tight)]
    assert looks_like(outputs[0].pictures[0], outputs[1].pictures[0])
    assert tight.plan is not None
    assert tight.plan.peak_bytes <= budget_bytes
    assert tight.evictions > 0


def test_an_adapter_with_a_unet_of_its_own_is_lent_to_that(
    tmp_path: Path, latents: list[Tensor]
) -> None:
    folder = make_weights(tmp_path)
    store = make_store(folder, image_prompts=IMAGE_PROMPTS)
    MODE.load(store)([ask()], keep_all)
    move_to_own(folder)
    own = make_store(folder, image_prompts=IMAGE_PROMPTS)
    MODE.load(own)([ask()], keep_all)
    assert "image adapter's UNet" in own.resident
    assert "base UNet" not in own.resident
    assert apart(latents[1], latents[0]) > 1e-3


def move_to_own(folder: Path) -> None:
    """Give the adapter a UNet and projection of its own: here those of Flash."""
    (folder / "unet_ip").mkdir()
    for path in (folder / "unet_flash").iterdir():
        (folder / "unet_ip" / path.name).write_bytes(path.read_bytes())
    weights = folder / "unet_ip" / "diffusion_pytorch_model.safetensors"
    save_file(load_file(weights), weights, metadata={"variant": "ip"})
    conditioning = load_file(folder / "conditioning_flash.safetensors")
    path = folder / "conditioning_ip.safetensors"
    save_file(conditioning, path, metadata={"variant": "ip"})
    adapter = folder / "image_adapter.safetensors"
    said = {"variant": "ip", "text_context": "cut"}
    save_file(load_file(adapter), adapter, metadata=said)
    write_manifest(folder)


def test_the_context_of_the_published_adapter_is_not_cut(
    tmp_path: Path, latents: list[Tensor]
) -> None:
    folder = make_weights(tmp_path)
    save_image_adapter(folder, "full")
    write_manifest(folder)
    prompts = ImagePrompts.of(make_store(folder, image_prompts=IMAGE_PROMPTS))
    with torch.inference_mode():
        said = prompts.contexts(["a red circle"])
        unwanted = prompts.negatives(said, ["cat"])
        nothing = prompts.contexts([""])
    assert said.context.shape[1] == unwanted.context.shape[1] == 128
    assert said.mask.sum() == 4  # three words and the end
    padding = prompts._projection.norm.bias  # what zeros become
    torch.testing.assert_close(said.context[0, 4:], padding.expand(124, -1))
    assert unwanted.context[0, 2:].abs().max() == 0
    assert nothing.context.abs().max() == nothing.mask.max() == 0
    ImageVariations(prompts)([ask(1), ask(2)], keep_all)
    ImageVariations(prompts)([ask(1)], keep_all)
    assert apart(latents[1][0], latents[0][0]) <= LATENTS_TOLERANCE


def test_a_text_is_encoded_without_bringing_the_adapter_back(
    image_prompts: ImagePrompts, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    get = ComponentStore.get

    def recording(store: ComponentStore, component: Component[Any]) -> object:
        asked.append(component.name)
        return get(store, component)

    with torch.inference_mode():
        image_prompts.contexts(["a cat"])
        monkeypatch.setattr(ComponentStore, "get", recording)
        image_prompts.contexts(["a cat on a green hill"])
    assert "text encoder" in asked
    assert "image adapter" not in asked


def test_where_there_are_no_words_the_base_models_null_embedding_stands(
    image_prompts: ImagePrompts,
) -> None:
    with torch.inference_mode():
        both = image_prompts.contexts(["", "a red circle"])
    null = image_prompts._projection.null_embedding
    assert torch.equal(both.context[0, 0], null)
    assert both.mask[0].tolist() == [1, 0, 0, 0, 0]
    assert both.lengths.tolist() == [2, 5]


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"variant": "base", "text_context": "whole"}, "text_context"),
        ({"variant": "ip", "text_context": "cut"}, "the ip variant"),
    ],
    ids=["layout of the text", "UNet"],
)
def test_an_adapter_of_another_kind_is_refused(
    tmp_path: Path, said: dict[str, str], reason: str
) -> None:
    folder = make_weights(tmp_path)
    adapter = folder / "image_adapter.safetensors"
    save_file(load_file(adapter), adapter, metadata=said)
    write_manifest(folder)
    store = make_store(folder)
    with pytest.raises(WeightsError, match=reason):
        store.get(load.IMAGE_ADAPTER)

"""The image adapter as it is published, made into what pictures are drawn with."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import CLIPVisionModelWithProjection

from pipelines.contracts import ImageBlob
from pipelines.image_variations import MODE, ImageVariationsRequest
from pipelines.kandinsky3 import load
from pipelines.profiles import ImagePromptSettings
from pipelines.weights import ComponentStore
from tests.pipelines.checkpoints.addons import ALL_EQUAL, ONE_DIFFERS, World, read, retrained
from tests.pipelines.checkpoints.test_convert import Malice, torch_file
from tests.pipelines.handed_in import halves, saved
from tests.pipelines.kandinsky3 import published_addons as published
from tests.pipelines.kandinsky3.published import WIDTH


def test_on_an_equal_base_the_adapter_alone_is_kept(world: World, pictures: Path) -> None:
    with world.publishing(pictures=pictures) as hub:
        said = world.fetch("ip")
    assert f"image_adapter: {ALL_EQUAL}the adapter alone is kept\n" in said
    assert "3 files" in said
    assert "licence: Apache-2.0\n" in said
    assert world.made() == {"image_adapter.safetensors", "image_encoder"}
    assert {path for path, _ in hub.requests} == {
        published.IP_UNET,
        published.IP_CLIP,
        published.IP_CLIP_CONFIG,
    }
    tensors, facts = read(world.weights / "image_adapter.safetensors")
    assert len(tensors) == 112
    assert facts == {
        "format": "pt",
        "variant": "base",
        "text_context": "full",
        "shared_tensors": "1071",
        "equal_tensors": "1071",
        "largest_difference": "0",
    }
    original = published.ip_state()
    name = "down_blocks.2.attentions.3.attention.processor.to_k_ip.weight"
    theirs = "down_samples.2.resnet_attn_blocks.2.1.attention.processor.to_key_ip.weight"
    assert torch.equal(tensors[name], original[theirs])
    assert torch.equal(tensors["image_proj.weight"], original["image_proj.weight"])


def test_what_was_fetched_loads_and_sees_as_it_did(world: World, pictures: Path) -> None:
    with world.publishing(pictures=pictures):
        world.fetch("ip")
    store = world.store
    adapter = store.get(load.IMAGE_ADAPTER)
    assert adapter.text_context == "full"
    published_encoder: Any = CLIPVisionModelWithProjection.from_pretrained(
        pictures / "image_encoder"
    )
    pixels = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        expected = published_encoder.eval()(pixel_values=pixels).image_embeds
        encoder: Any = store.get(load.IMAGE_ENCODER)
        torch.testing.assert_close(encoder(pixel_values=pixels).image_embeds, expected)
        assert adapter.tokens(expected).shape == (2, published.TOKENS, WIDTH)


@pytest.mark.parametrize("changed", ["in_layer.bias", "projection_ln.bias"])
def test_on_another_base_its_unet_is_kept_as_well(
    world: World, tmp_path: Path, changed: str
) -> None:
    state = published.ip_state()
    change = retrained(state, changed)
    repository = published.write_ip_repository(tmp_path / "pictures", change)
    with world.publishing(pictures=repository):
        said = world.fetch("ip")
    where = {"in_layer.bias": "conv_in.bias", "projection_ln.bias": "norm.bias"}[changed]
    assert f"{ONE_DIFFERS} is 0.25 in {where}: its UNet is kept as unet_ip\n" in said
    assert world.made() == {
        "image_adapter.safetensors",
        "image_encoder",
        "unet_ip",
        "conditioning_ip.safetensors",
    }
    unet, _ = read(world.weights / "unet_ip" / "diffusion_pytorch_model.safetensors")
    conditioning, facts = read(world.weights / "conditioning_ip.safetensors")
    found = {
        "in_layer.bias": unet["conv_in.bias"],
        "projection_ln.bias": conditioning["norm.bias"],
    }
    for name, tensor in found.items():
        assert torch.equal(tensor, (state | change)[name])
    ours, _ = read(world.weights / "conditioning.safetensors")
    assert torch.equal(conditioning["null_embedding"], ours["null_embedding"])
    assert facts["variant"] == read(world.weights / "image_adapter.safetensors")[1]["variant"]
    store = world.store
    store.get(load.UNETS["ip"])
    store.get(load.PROJECTIONS["ip"])
    store.get(load.IMAGE_ADAPTER)


def test_a_unet_that_became_the_bases_again_is_not_left_behind(
    world: World, tmp_path: Path, pictures: Path
) -> None:
    other = tmp_path / "other"
    published.write_ip_repository(other, retrained(published.ip_state()))
    with world.publishing(pictures=other):
        world.fetch("ip")
    assert "unet_ip" in world.made()
    (world.weights / "image_adapter.safetensors").unlink()
    with world.publishing(pictures=pictures):
        world.fetch("ip")
    assert world.made() == {"image_adapter.safetensors", "image_encoder"}
    assert not [name for name in world.manifest["files"] if "_ip" in name]
    world.store.get(load.IMAGE_ADAPTER)


WRONG: dict[str, tuple[str, Callable[[Path], bytes], str]] = {
    "half a file": (
        published.IP_UNET,
        lambda path: path.read_bytes()[:200_000],
        "a torch file of tensors and nothing else",
    ),
    "a pickle that runs code": (
        published.IP_UNET,
        lambda _: pickle.dumps({"image_proj.weight": Malice()}),
        "a torch file of tensors and nothing else",
    ),
    "a torch file that runs code": (
        published.IP_UNET,
        lambda _: torch_file({"image_proj.weight": Malice()}),
        "a torch file of tensors and nothing else",
    ),
    "a UNet without an adapter": (
        published.IP_UNET,
        lambda _: torch_file(published.fork_state()),
        "a tensor for image_proj.weight, found none",
    ),
    "an adapter without a UNet": (
        published.IP_UNET,
        lambda _: torch_file(
            {n: t for n, t in published.ip_state().items() if "_ip." in n or "image_" in n}
        ),
        "a tensor for",
    ),
    "an adapter of another encoder": (
        published.IP_UNET,
        lambda _: torch_file(published.ip_state() | {"image_proj.weight": torch.zeros(128, 32)}),
        "image_proj.weight of shape (128, 24), found (128, 32)",
    ),
    "a wider UNet": (
        published.IP_UNET,
        lambda _: torch_file(published.ip_state() | {"in_layer.bias": torch.zeros(17)}),
        "conv_in.bias of shape (16,), found (17,)",
    ),
    "something else": (
        published.IP_UNET,
        lambda _: torch_file(published.ip_state() | {"wing": torch.zeros(1)}),
        "no tensor wing",
    ),
    "a broken encoder": (published.IP_CLIP, lambda _: b"no tensors", "a safetensors file"),
    "another encoder": (
        published.IP_CLIP_CONFIG,
        lambda _: b'{"model_type": "bert"}',
        "the configuration of CLIP's vision half",
    ),
    "no configuration": (
        published.IP_CLIP_CONFIG,
        lambda _: b"[]",
        "the configuration of CLIP's vision half",
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_not_an_image_adapter_is_refused_and_named(
    world: World, pictures: Path, wrong: str
) -> None:
    name, make, expected = WRONG[wrong]
    contents = make(pictures / name)
    (pictures / name).write_bytes(contents)
    before = world.manifest
    with world.publishing(pictures=pictures):
        complaint = world.refused("ip")
    assert expected in complaint
    assert Path(name).name in complaint
    assert world.made() == set()
    assert world.manifest == before
    assert not Path("harmed").exists()


def drawn(world: World) -> bytes:
    """Draw a variation of a picture with what was fetched."""
    settings = ImagePromptSettings(steps=2, guidance=1)
    profile = world.profile.model_copy(update={"image_prompts": settings})
    recipe = MODE.load(ComponentStore(profile, torch.device("cpu")))
    request = ImageVariationsRequest(
        images=(ImageBlob.of(saved(halves(), "PNG")),), width_px=64, height_px=64, seed=1
    )
    return recipe([request], lambda _: frozenset())[0].pictures[0].png


def test_what_was_fetched_draws_from_a_picture_on_either_unet(
    world: World, tmp_path: Path, pictures: Path
) -> None:
    with world.publishing(pictures=pictures):
        world.fetch("ip")
    on_the_base = drawn(world)
    assert on_the_base.startswith(b"\x89PNG")
    change = {"out_layer.2.weight": 2 * published.ip_state()["out_layer.2.weight"]}
    other = published.write_ip_repository(tmp_path / "other", change)
    (world.weights / "image_adapter.safetensors").unlink()
    with world.publishing(pictures=other):
        assert "its UNet is kept as unet_ip" in world.fetch("ip")
    assert drawn(world) != on_the_base

"""The ControlNets as they are published, made into what shapes are kept with."""

import json
from pathlib import Path

import pytest
import torch

from pipelines.contracts import ImageBlob
from pipelines.kandinsky3 import load
from pipelines.kandinsky3.hed import HED
from pipelines.profiles import ShapeSettings
from pipelines.style_transfer import MODE, StyleTransferRequest
from pipelines.weights import ComponentStore
from tests.pipelines.checkpoints.addons import (
    ALL_EQUAL,
    ONE_DIFFERS,
    Complain,
    World,
    read,
    retrained,
)
from tests.pipelines.checkpoints.hub import write_config
from tests.pipelines.handed_in import halves, saved
from tests.pipelines.kandinsky3 import published_addons as published


def test_a_hint_encoder_on_an_equal_base_is_kept_alone(world: World, tmp_path: Path) -> None:
    outlines = published.write_hint_repository(tmp_path / "outlines")
    with world.publishing(outlines=outlines):
        said = world.fetch("controlnet")
    assert f"controlnet: {ALL_EQUAL}it goes with the base\n" in said
    assert world.made() == {"controlnet"}
    config = json.loads((world.weights / "controlnet" / "config.json").read_text())
    assert config["kind"] == "hint"
    world.store.get(load.CONTROLNET)


def test_a_hint_encoders_own_unet_is_kept_with_it(world: World, tmp_path: Path) -> None:
    change = retrained(published.hint_state())
    outlines = published.write_hint_repository(tmp_path / "outlines", change)
    with world.publishing(outlines=outlines):
        said = world.fetch("controlnet")
    assert f"{ONE_DIFFERS} is 0.25 in conv_in.bias: its UNet is kept as unet_controlnet" in said
    assert world.made() == {
        "controlnet",
        "unet_controlnet",
        "conditioning_controlnet.safetensors",
    }
    store = world.store
    store.get(load.CONTROLNET)
    store.get(load.UNETS["controlnet"])
    store.get(load.PROJECTIONS["controlnet"])


def test_a_side_branch_whose_unet_is_the_base_in_fewer_bits_goes_with_the_base(
    world: World, tmp_path: Path
) -> None:
    outlines = published.write_branch_repository(tmp_path / "outlines")
    with world.publishing(outlines=outlines):
        said = world.fetch("controlnet-v2")
    assert f"controlnet: {ALL_EQUAL}it goes with the base\n" in said
    assert world.made() == {"controlnet"}
    config = json.loads((world.weights / "controlnet" / "config.json").read_text())
    assert config["kind"] == "branch"
    tensors, _ = read(world.weights / "controlnet" / "diffusion_pytorch_model.safetensors")
    assert {tensor.dtype for tensor in tensors.values()} == {torch.bfloat16}
    original = published.branch_state()["convs.1.weight"].bfloat16()
    assert torch.equal(tensors["zero_convs.1.weight"], original)
    world.store.get(load.CONTROLNET)


def test_a_side_branchs_own_unet_is_kept_with_it(world: World, tmp_path: Path) -> None:
    change = retrained(published.fork_state())
    outlines = published.write_branch_repository(tmp_path / "outlines", change)
    with world.publishing(outlines=outlines):
        said = world.fetch("controlnet-v2")
    assert "its UNet is kept as unet_controlnet\n" in said
    assert {"controlnet", "unet_controlnet"} <= world.made()


def test_a_side_branch_alone_is_taken_to_be_the_bases(world: World, tmp_path: Path) -> None:
    outlines = published.write_branch_repository(tmp_path / "outlines")
    with world.publishing(outlines=outlines) as hub:
        said = world.fetch("controlnet-alone")
    assert "controlnet: its UNet is not looked at, it goes with the base\n" in said
    assert [path for path, _ in hub.requests] == [published.BRANCH]
    assert world.made() == {"controlnet"}


def test_one_controlnet_takes_the_place_of_another(world: World, tmp_path: Path) -> None:
    change = retrained(published.hint_state())
    old = published.write_hint_repository(tmp_path / "old", change)
    with world.publishing(outlines=old):
        world.fetch("controlnet")
    assert "unet_controlnet" in world.made()
    new = published.write_branch_repository(tmp_path / "new")
    with world.publishing(outlines=new):
        world.fetch("controlnet-v2")
    assert world.made() == {"controlnet"}
    world.store.get(load.CONTROLNET)


def test_a_network_for_edges_is_fetched_without_any_base(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Complain
) -> None:
    world = World(write_config(tmp_path, published.addons()), monkeypatch, capsys)
    edges = published.write_hed_repository(tmp_path / "edges")
    with world.publishing(edges=edges):
        assert "licence: other\n" in world.fetch("hed")
    assert world.made() == {"hed.safetensors"}
    original = torch.load(edges / published.HED_FILE, weights_only=True)
    tensors, _ = read(world.weights / "hed.safetensors")
    assert tensors.keys() == original.keys()
    assert all(torch.equal(tensors[name], original[name]) for name in original)
    assert isinstance(world.store.get(load.EDGES), HED)


@pytest.mark.parametrize("addon", ["controlnet", "controlnet-v2"])
def test_what_was_fetched_draws_a_pictures_shapes_anew(
    world: World, tmp_path: Path, addon: str
) -> None:
    write = {
        "controlnet": published.write_hint_repository,
        "controlnet-v2": published.write_branch_repository,
    }[addon]
    with world.publishing(outlines=write(tmp_path / "outlines")):
        world.fetch(addon)
    settings = ShapeSettings(steps=2, guidance=1, edges="gradient")
    profile = world.profile.model_copy(update={"shapes": settings})
    recipe = MODE.load(ComponentStore(profile, torch.device("cpu")))
    request = StyleTransferRequest(
        images=(ImageBlob.of(saved(halves(), "PNG")),),
        prompt="a cat",
        width_px=64,
        height_px=64,
        seed=1,
    )
    output = recipe([request], lambda _: frozenset())[0]
    assert output.pictures[0].png.startswith(b"\x89PNG")

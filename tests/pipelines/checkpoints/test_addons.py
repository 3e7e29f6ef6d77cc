"""`python -m pipelines fetch PROFILE-ADDON`: what is added to weights that are there."""

import hashlib
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor

from pipelines.__main__ import main
from pipelines.kandinsky3 import load
from pipelines.weights import WeightsError
from tests.pipelines.checkpoints.addons import ONE_DIFFERS, Complain, Killed, World, retrained
from tests.pipelines.checkpoints.hub import answering, write_config
from tests.pipelines.kandinsky3 import published_addons as published


def layout_of(state: Mapping[str, Tensor]) -> str:
    lines = "\n".join(f"{name} {tuple(tensor.shape)}" for name, tensor in state.items())
    return hashlib.sha256(lines.encode()).hexdigest()[:12]


@pytest.mark.parametrize(
    ("make", "recorded"),
    [
        (published.ip_state, "ec9b3c995475"),
        (published.branch_state, "ef7853ff60fb"),
        (published.hint_state, "e11b34c9bafe"),
        (published.fork_state, "a8addc90543d"),
    ],
    ids=["image adapter", "side branch", "hint encoder", "UNet of the fork"],
)
def test_these_small_files_have_the_names_shapes_and_order_of_the_original_models(
    make: Callable[[], Mapping[str, Tensor]], recorded: str
) -> None:
    """Recorded from the original classes, built as small as these."""
    assert layout_of(make()) == recorded


def test_fetching_again_does_nothing_and_asks_nobody(world: World, pictures: Path) -> None:
    with world.publishing(pictures=pictures):
        world.fetch("ip")
    before = world.manifest
    with world.publishing() as hub:
        assert world.fetch("ip").startswith(f"{world.weights}: everything is there, nothing to do")
        assert hub.requests == []
    assert world.manifest == before


def test_without_the_base_the_command_for_that_is_named(
    tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch, capsys: Complain
) -> None:
    world = World(write_config(tmp_path, published.addons()), monkeypatch, capsys)
    with world.publishing(pictures=pictures) as hub:
        complaint = world.refused("ip")
    assert "image_adapter goes with unet, conditioning.safetensors" in complaint
    assert complaint.endswith("first get that: python -m pipelines fetch tiny\n")
    assert hub.requests == []


def test_a_component_that_is_not_there_is_answered_with_its_own_command(world: World) -> None:
    for component, addon in (
        (load.IMAGE_ENCODER, "-ip"),
        (load.IMAGE_ADAPTER, "-ip"),
        (load.CONTROLNET, "-controlnet"),
        (load.EDGES, "-hed"),
        (load.UNETS["flash"], ""),
    ):
        with pytest.raises(WeightsError, match=rf"python -m pipelines fetch tiny{addon}$"):
            world.store.get(component)


@pytest.mark.parametrize(
    ("named", "said"),
    [
        (
            "tiny-wings",
            "the profile tiny has no addon 'wings' "
            "(there are: controlnet, controlnet-alone, controlnet-v2, hed, ip)",
        ),
        ("own-ip", "the profile own has no addon 'ip' (there are: none)"),
        ("thin-ip", "there is no profile 'thin-ip' (there are: own, tiny)"),
    ],
)
def test_an_addon_that_is_not_there_is_said_in_one_line(
    world: World, capsys: Complain, named: str, said: str
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["fetch", named, "--config", str(world.config)])
    assert caught.value.code == 2
    assert capsys.readouterr().err.endswith(f"{said}\n")


def test_a_file_of_which_nothing_is_made_is_named(tmp_path: Path, world: World) -> None:
    wings = published.section("someone/wings", {"wing": "wings.bin"}, "none")
    world.config = write_config(tmp_path, {"wings": wings})
    complaint = world.refused("wings")
    assert "someone/wings: there is wing, and nothing is made of it alone" in complaint


def test_an_adapter_without_its_encoder_is_not_fetched(tmp_path: Path, world: World) -> None:
    half = published.section(published.IP_REPOSITORY, {"image_adapter": published.IP_UNET}, "none")
    world.config = write_config(tmp_path, {"ip": half})
    assert "there is image_adapter, and nothing is made of it alone" in world.refused("ip")


def test_there_are_no_variants_of_an_addon(world: World, capsys: Complain) -> None:
    with pytest.raises(SystemExit):
        main(["fetch", "tiny-ip", "--only", "base", "--config", str(world.config)])
    assert "base is none of the variants: there are none" in capsys.readouterr().err


def test_an_operator_is_told_which_section_makes_use_of_it(world: World, pictures: Path) -> None:
    with world.publishing(pictures=pictures):
        said = world.fetch("ip")
    advice = "to use it, give the profile tiny a section image_prompts: see docs/weights.md\n"
    assert said.endswith(advice)
    config = world.config.read_text()
    section = "image_prompts: {steps: 4, guidance: 7}"
    world.config.write_text(config.replace("image_prompts: null", section))
    assert world.profile.image_prompts is not None
    assert advice not in world.fetch("ip")


def test_what_is_cut_off_on_the_way_is_refused_and_fetched_anew(
    world: World, pictures: Path
) -> None:
    with world.publishing(pictures=pictures) as hub:
        contents = (pictures / published.IP_UNET).read_bytes()
        hub.sent[published.IP_UNET] = contents[:-9] + b"\1" + contents[-8:]
        assert "as someone/pictures announces; what came was removed" in world.refused("ip")
        del hub.sent[published.IP_UNET]
        world.fetch("ip")
    world.store.get(load.IMAGE_ADAPTER)


@pytest.mark.parametrize(
    "step",
    [
        "checkpoints.fetch.download",
        "kandinsky3.derived.compare",
        "kandinsky3.derived.keep",
        "checkpoints.fetch.recorded",
        "checkpoints.fetch._move_into_place",
        "checkpoints.fetch.sync_folder",
        "checkpoints.fetch.write_json",
        "checkpoints.fetch.FetchedManifest.write",
    ],
)
def test_an_addon_interrupted_at_any_step_leaves_the_base_as_it_was(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    repository = published.write_ip_repository(
        tmp_path / "pictures", retrained(published.ip_state())
    )

    def die(*_: object, **__: object) -> None:
        raise Killed

    before = world.manifest
    with world.publishing(pictures=repository) as hub:
        with monkeypatch.context() as patched:
            patched.setattr(f"pipelines.{step}", die)
            with pytest.raises(Killed):
                world.fetch("ip")
        assert world.manifest == before
        world.store.get(load.UNETS["base"])
        arrived = {path for path, _ in hub.requests}
        hub.requests.clear()
        world.fetch("ip")
        assert {path for path, _ in hub.requests}.isdisjoint(arrived)
    assert "unet_ip" in world.made()
    world.store.get(load.IMAGE_ADAPTER)


def test_an_addon_leaves_an_interrupted_fetch_of_the_profile_its_finished_parts(
    world: World, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object, **__: object) -> None:
        raise Killed

    shutil.rmtree(world.weights)
    arguments = ["--only", "base", "--discard-originals"]
    with answering(repository, monkeypatch) as hub, monkeypatch.context() as patched:
        patched.setattr("pipelines.checkpoints.fetch.FetchedManifest.write", die)
        with pytest.raises(Killed):
            world.type(*arguments)
    edges = published.write_hed_repository(tmp_path / "edges")
    with world.publishing(edges=edges):
        world.fetch("hed")
    with answering(repository, monkeypatch) as hub:
        world.type(*arguments)
        assert hub.requests == []
    assert set(world.manifest["parts"]) == {"text_encoder", "movq", "base", "hed"}
    world.store.get(load.UNETS["base"])


def test_an_addon_to_a_base_that_has_changed_is_made_again(
    world: World, pictures: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compared with other weights, it may turn out to need a UNet of its own."""
    with world.publishing(pictures=pictures):
        world.fetch("ip")
    other = world.config.parent / "republished"
    shutil.copytree(repository, other)
    checkpoint = torch.load(other / "weights" / "kandinsky3.pt", weights_only=True)
    checkpoint["unet"] |= retrained(checkpoint["unet"])
    torch.save(checkpoint, other / "weights" / "kandinsky3.pt")
    shutil.rmtree(world.weights / "unet")
    with answering(other, monkeypatch):
        said = world.type("--only", "base")
    assert "image_adapter was made for weights that have changed since: fetch it again" in said
    with world.publishing(pictures=pictures) as hub:
        assert f"{ONE_DIFFERS} is 0.25 in conv_in.bias" in world.fetch("ip")
        assert hub.requests == []
    assert "unet_ip" in world.made()


def test_the_manifest_says_whence_an_addon_came_and_under_which_licence(
    world: World, tmp_path: Path, pictures: Path
) -> None:
    outlines = published.write_hint_repository(tmp_path / "outlines")
    with world.publishing(pictures=pictures, outlines=outlines):
        world.fetch("ip")
        said = world.fetch("controlnet")
    assert "licence: none stated\n" in said
    parts = world.manifest["parts"]
    assert set(parts) == {"text_encoder", "movq", "base", "image_adapter", "controlnet"}
    assert parts["controlnet"]["licences"] == {"controlnet": "none stated"}
    assert parts["controlnet"]["sources"] == {
        "controlnet": f"{published.CONTROL_REPOSITORY}/{published.HINT_UNET}"
    }
    assert set(parts["image_adapter"]["required"]) == {
        "unet/config.json",
        "unet/diffusion_pytorch_model.safetensors",
        "conditioning.safetensors",
    }

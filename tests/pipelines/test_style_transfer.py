"""Style transfer over a small ControlNet of random weights, whose say is heard."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import ValidationError
from safetensors.torch import load_file, save_file
from torch import Tensor

from pipelines.contracts import GenerationError, ImageBlob, Step, UnsupportedRequest
from pipelines.kandinsky3 import controlnet_layout, load
from pipelines.kandinsky3.controlnet import InputHint
from pipelines.kandinsky3.hed import HED
from pipelines.kandinsky3.shapes import Shapes
from pipelines.memory import MemoryPlan
from pipelines.profiles import Profile, ShapeSettings
from pipelines.style_transfer import MODE, STRENGTHS, StyleTransfer, StyleTransferRequest
from pipelines.text_to_image import MODE as TEXT_TO_IMAGE
from pipelines.weights import ComponentStore, WeightsError
from tests.pipelines.handed_in import saved
from tests.pipelines.looking import LATENTS_TOLERANCE, apart, blob, keep_all, looks_like
from tests.pipelines.micro import (
    HINT_CHANNELS,
    IMAGE_PROMPTS,
    NO_ROOM,
    SHAPES,
    make_profile,
    make_store,
    make_weights,
    save_controlnet,
    write_manifest,
)


def ask(*pictures: int, **changes: object) -> StyleTransferRequest:
    """Ask for the shapes of the first picture, and if there is one the style of the second."""
    values: dict[str, Any] = {"width_px": 64, "height_px": 64, "seed": 7, "prompt": "a red cat"}
    values |= {"images": tuple(blob(picture) for picture in pictures or (1,))}
    return StyleTransferRequest.model_validate(values | changes)


SAID = (
    ask(1, seed=1, hold="lightly", negative_prompt="green"),
    ask(2),
    ask(3, seed=5, hold="strictly", prompt="", style="anime"),
    ask(1, seed=2, prompt="a blue square on a hill and a cat"),
)
SHOWN = (
    ask(1, 4, seed=1, hold="lightly", prompt=""),
    ask(2, 5),
    ask(3, 4, seed=5, hold="strictly", style="anime"),
    ask(1, 6, seed=2, negative_prompt="green"),
)


def open_store(weights_dir: Path, **changes: object) -> ComponentStore:
    return make_store(weights_dir, shapes=SHAPES, image_prompts=IMAGE_PROMPTS, **changes)


@pytest.fixture(scope="module")
def shapes_store(weights_dir: Path) -> ComponentStore:
    return open_store(weights_dir)


@pytest.fixture(scope="module")
def transfer(shapes_store: ComponentStore) -> StyleTransfer:
    pipeline = MODE.load(shapes_store)
    assert isinstance(pipeline, StyleTransfer)
    return pipeline


@pytest.mark.parametrize("crowd", [SAID, SHOWN], ids=["said", "shown"])
def test_a_picture_does_not_depend_on_who_shares_its_batch(
    transfer: StyleTransfer, latents: list[Tensor], crowd: tuple[StyleTransferRequest, ...]
) -> None:
    assert len({request.batch_key for request in crowd}) == 1
    together = transfer(crowd, keep_all)
    for index, request in enumerate(crowd):
        alone = transfer([request], keep_all)
        assert looks_like(alone[0].pictures[0], together[index].pictures[0])
        assert apart(latents[-1][0], latents[0][index]) <= LATENTS_TOLERANCE


@pytest.mark.parametrize("crowd", [SAID, SHOWN], ids=["said", "shown"])
def test_those_who_leave_do_not_change_the_pictures_of_those_who_stay(
    transfer: StyleTransfer, latents: list[Tensor], crowd: tuple[StyleTransferRequest, ...]
) -> None:
    def two_leave(step: Step) -> frozenset[int]:
        return frozenset([0] if step.index == 1 else [0, 3])

    stayed = transfer(crowd, two_leave)
    transfer(crowd, keep_all)
    assert stayed.keys() == {1, 2}
    assert apart(latents[0], latents[1][1:3]) <= LATENTS_TOLERANCE


@pytest.mark.parametrize(
    "other",
    [
        {"images": (blob(2),)},
        {"images": (blob(1), blob(2))},
        {"prompt": "a blue square"},
        {"negative_prompt": "green"},
        {"style": "anime"},
        {"hold": "strictly"},
        {"seed": 8},
        {"height_px": 128},
    ],
    ids=str,
)
def test_what_is_asked_shows_in_the_picture(
    transfer: StyleTransfer, latents: list[Tensor], other: dict[str, Any]
) -> None:
    transfer([ask()], keep_all)
    transfer([ask(**other)], keep_all)
    first, second = latents
    assert first.shape != second.shape or apart(second, first) > 1e-3


@pytest.mark.parametrize(
    "settings",
    [{"hint_range": "-1..1"}, {"polarity": "black_edges"}, {"start": 0.5}, {"end": 0.5}],
    ids=str,
)
def test_the_profile_says_what_hint_there_is_and_when(
    weights_dir: Path, transfer: StyleTransfer, latents: list[Tensor], settings: dict[str, Any]
) -> None:
    transfer([ask()], keep_all)
    store = make_store(weights_dir, shapes=SHAPES.model_copy(update=settings))
    MODE.load(store)([ask()], keep_all)
    assert apart(latents[1], latents[0]) > 1e-3


def test_without_guidance_each_picture_is_drawn_by_its_prompt_alone(
    weights_dir: Path, latents: list[Tensor]
) -> None:
    unguided = SHAPES.model_copy(update={"guidance": 0.0})
    store = make_store(weights_dir, shapes=unguided, image_prompts=IMAGE_PROMPTS)
    for request in (SHOWN[1], SHOWN[1].model_copy(update={"negative_prompt": "green"})):
        MODE.load(store)([request], keep_all)
    assert torch.equal(latents[0], latents[1])


def test_the_stricter_the_hold_the_further_from_a_picture_without(
    shapes_store: ComponentStore, latents: list[Tensor]
) -> None:
    text = {"prompt": "a red cat", "seed": 7, "width_px": 64, "height_px": 64, "quality": "base"}
    TEXT_TO_IMAGE.load(shapes_store)([TEXT_TO_IMAGE.request_type.model_validate(text)], keep_all)
    shapes = Shapes.of(shapes_store)
    hint = shapes.hint(blob(1), 64, 64)
    for strength in (0.0, 0.01, 0.02):
        shapes.draw([ask()], [hint], [strength], ["a red cat"], [""], keep_all)
    free, unheeded, little, more = latents
    assert torch.equal(unheeded, free)
    assert 0 < float((little - free).norm()) < float((more - free).norm())
    assert sorted(STRENGTHS.values()) == [STRENGTHS[h] for h in ("lightly", "normal", "strictly")]


def test_it_is_drawn_in_sixteen_bits_as_well(
    weights_dir: Path, transfer: StyleTransfer, latents: list[Tensor]
) -> None:
    store = open_store(weights_dir, precision="bfloat16")
    MODE.load(store)([ask(1, 2)], keep_all)
    transfer([ask(1, 2)], keep_all)
    transfer([ask(3, 2)], keep_all)
    in_16_bits, exact, another = latents
    weights = store.get(load.CONTROLNET).parameters()
    assert {weight.dtype for weight in weights} == {torch.bfloat16}
    assert (in_16_bits - exact).norm() < (another - exact).norm()


def test_the_middle_of_a_photo_fills_the_picture(shapes_store: ComponentStore) -> None:
    photo = Image.new("RGB", (200, 100), (255, 255, 255))
    photo.paste((0, 0, 0), (0, 0, 40, 100))  # is cut off
    photo.paste((0, 0, 0), (100, 0, 200, 100))
    hint = Shapes.of(shapes_store).hint(ImageBlob.of(saved(photo, "PNG")), 64, 64)
    assert hint.shape == (1, 3, 64, 64)
    columns = hint[0].amax(dim=(0, 1))
    assert columns[32] == 1
    assert max(float(columns[:28].max()), float(columns[36:].max())) < 0.01


def test_the_edges_may_be_found_by_hed(tmp_path: Path, weights_dir: Path) -> None:
    torch.manual_seed(0)
    network = HED()
    save_file(network.state_dict(), tmp_path / "hed.safetensors")
    for path in weights_dir.iterdir():
        if path.name != "manifest.json":
            (tmp_path / path.name).symlink_to(path)
    write_manifest(tmp_path)
    settings = ShapeSettings(steps=1)
    assert settings.edges == "hed"
    photo = blob(1, 64, 64)
    hint = Shapes.of(make_store(tmp_path, shapes=settings)).hint(photo, 64, 64)
    levels = np.asarray(Image.open(io.BytesIO(photo.data))).astype(np.float32) / 255
    with torch.no_grad():
        edges = network(torch.from_numpy(levels).permute(2, 0, 1)[None])
    torch.testing.assert_close(hint, edges.expand(1, 3, 64, 64))


def test_a_controlnet_may_come_with_a_unet_and_a_projection_of_its_own(
    tmp_path: Path, latents: list[Tensor]
) -> None:
    folder = make_weights(tmp_path)
    torch.manual_seed(1)
    save_controlnet(folder, InputHint(8, HINT_CHANNELS))
    (folder / "unet_controlnet").mkdir()
    for path in (folder / "unet_flash").iterdir():
        (folder / "unet_controlnet" / path.name).write_bytes(path.read_bytes())
    conditioning = load_file(folder / "conditioning_flash.safetensors")
    save_file(conditioning, folder / "conditioning_controlnet.safetensors")
    write_manifest(folder)
    store = open_store(folder)
    MODE.load(store)(SAID, keep_all)
    MODE.load(store)(SAID[2:3], keep_all)
    assert apart(latents[1][0], latents[0][2]) <= LATENTS_TOLERANCE
    assert {"ControlNet's UNet", "ControlNet's projection"} <= set(store.resident)
    assert "base UNet" not in store.resident
    MODE.load(store)(SHOWN, keep_all)
    MODE.load(store)(SHOWN[2:3], keep_all)
    assert apart(latents[3][0], latents[2][2]) <= LATENTS_TOLERANCE
    assert "base UNet" not in store.resident


def test_a_controlnet_of_another_unet_than_is_there_is_refused(tmp_path: Path) -> None:
    folder = make_weights(tmp_path)
    path = folder / "controlnet" / controlnet_layout.WEIGHTS
    save_file(load_file(path), path, metadata={"variant": "controlnet"})
    write_manifest(folder)
    with pytest.raises(WeightsError, match="that of the controlnet variant"):
        MODE.load(open_store(folder))


def test_the_memory_plan_has_room_for_all_that_works_beside_the_unet(weights_dir: Path) -> None:
    roomy = open_store(weights_dir)
    together = (load.UNETS["base"], load.IMAGE_ADAPTER, load.CONTROLNET)
    beside = sum(roomy.size_bytes(component) for component in together)
    budget_bytes = max(roomy.size_bytes(load.MOVQ), beside)
    profile = make_profile(weights_dir, shapes=SHAPES, image_prompts=IMAGE_PROMPTS)
    tight = ComponentStore(profile, roomy.device, budget_bytes=budget_bytes, working=NO_ROOM)
    outputs = [MODE.load(store)([ask(1, 2)], keep_all)[0] for store in (roomy, tight)]
    assert looks_like(outputs[0].pictures[0], outputs[1].pictures[0])
    plan = tight.plan
    assert isinstance(plan, MemoryPlan)
    assert {component.name for component in together} <= plan.placements.keys()
    assert plan.peak_bytes <= budget_bytes
    assert tight.evictions > 0


def test_a_profile_that_keeps_no_shapes_refuses(weights_dir: Path) -> None:
    store = make_store(weights_dir)
    assert not MODE.is_served(store.profile)
    with pytest.raises(UnsupportedRequest):
        MODE.load(store)([ask()], keep_all)


def test_a_style_that_is_shown_takes_the_image_adapter(weights_dir: Path) -> None:
    store = make_store(weights_dir, shapes=SHAPES)
    assert MODE.is_served(store.profile)
    with pytest.raises(UnsupportedRequest):
        MODE.load(store)([ask(1, 2)], keep_all)


def test_weights_without_what_finds_the_edges_refuse(weights_dir: Path) -> None:
    store = make_store(weights_dir, shapes=ShapeSettings(steps=4, edges="hed"))
    with pytest.raises(UnsupportedRequest):
        MODE.load(store)([ask()], keep_all)


def test_bytes_that_are_no_picture_fail(shapes_store: ComponentStore) -> None:
    with pytest.raises(GenerationError, match="cannot be read"):
        Shapes.of(shapes_store).hint(ImageBlob.of(b"nothing of the kind"), 64, 64)


@pytest.mark.parametrize(
    "changes",
    [
        {"prompt": ""},
        {"prompt": " \n"},
        {"prompt": "\u200b"},
        {"images": ()},
        {"images": (blob(1), blob(2), blob(3))},
        {"hold": "loosely"},
        {"quality": "base"},
        {"width_px": 100},
    ],
    ids=str,
)
def test_what_cannot_be_drawn_is_no_request(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ask(**changes)


def test_words_a_style_or_a_picture_is_style_enough() -> None:
    assert ask(prompt="", style="anime").sentence("") == "in anime style"
    assert ask(style="anime").sentence("a cat") == "a cat, in anime style"
    assert ask(1, 2, prompt="").sentence("") == ""


def test_rows_with_and_without_a_shown_style_share_no_loop() -> None:
    assert ask(1).batch_key != ask(1, 2).batch_key
    assert ask(1).batch_key != ask(1, height_px=128).batch_key
    assert ask(1, hold="strictly").batch_key == ask(2, seed=9, style="anime").batch_key


def test_a_cache_of_the_unet_and_kept_shapes_exclude_each_other() -> None:
    with pytest.raises(ValidationError):
        Profile.model_validate(
            make_profile(Path()).model_dump() | {"shapes": {"steps": 4, "cache_interval": 2}}
        )


@pytest.mark.parametrize("guidance", [0, 2])
def test_only_guidance_pushes_towards_shapes_that_the_negatives_do_not_keep(
    weights_dir: Path, latents: list[Tensor], guidance: float
) -> None:
    for is_kept in (True, False):
        settings = ShapeSettings(
            steps=2, guidance=guidance, edges="gradient", negatives_keep_shapes=is_kept
        )
        MODE.load(make_store(weights_dir, shapes=settings))([ask()], keep_all)
    is_same = apart(latents[0], latents[1]) <= LATENTS_TOLERANCE
    assert is_same == (guidance == 0)

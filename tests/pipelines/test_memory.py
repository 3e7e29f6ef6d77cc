"""The plan's arithmetic at the full size, and what it does to real, small weights."""

import re
import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from benchmarks.gpu import models
from benchmarks.gpu.models import weights_of
from pipelines.kandinsky3 import load
from pipelines.kandinsky3.model import Kandinsky3
from pipelines.memory import (
    PLANS,
    TILE_PX,
    Demand,
    DeviceTooSmall,
    MemoryPlan,
    PlanName,
    Weights,
    plan,
)
from pipelines.profiles import Profile, load_profile
from pipelines.residence import Hosted
from pipelines.text_to_image import TextToImage, TextToImageRequest
from pipelines.weights import ComponentStore
from tests.pipelines.looking import keep_all, pixels
from tests.pipelines.micro import NO_ROOM

GB = 10**9
ENOUGH_RAM = 64 * GB
DEMAND = Demand(name="auto", pixels=1024 * 1024, pictures=4)


@pytest.fixture(scope="module")
def full_size() -> list[Weights]:
    """Kandinsky 3.1 in 16 bits as published, built without memory."""
    components = load.weighty(["flash", "base", "refined"])
    return [weights_of(component, models.full_size(), 2) for component in components]


def test_the_full_size_is_the_published_one(full_size: list[Weights]) -> None:
    encoder, projection, unet, _, _, movq = full_size
    assert encoder.sizes["full"] / GB == pytest.approx(17.44, abs=0.01)
    assert encoder.sizes["8bit"] / GB == pytest.approx(8.59 + 0.26, abs=0.02)
    assert encoder.sizes["4bit"] / GB == pytest.approx(5.1, abs=0.02)
    assert unet.sizes["full"] == 2 * 3_038_562_820
    assert projection.sizes["full"] == 2 * (4096 * 4096 + 3 * 4096)
    assert movq.sizes["full"] / GB == pytest.approx(0.54, abs=0.002)


@pytest.mark.parametrize(
    ("memory_gb", "name", "pictures", "tile_px"),
    [
        (80, "resident", 4, None),
        (48, "resident", 4, None),
        (40, "resident", 4, None),
        (24, "offload_encoder", 4, None),
        (16, "encoder_8bit", 4, None),
        (12, "encoder_8bit", 4, None),
        (10, "encoder_4bit", 2, None),
        (8, "sequential", 4, TILE_PX),
        (4, "sequential", 2, TILE_PX),
    ],
)
def test_each_size_of_card_gets_its_plan(
    full_size: list[Weights],
    memory_gb: int,
    name: PlanName,
    pictures: int,
    tile_px: int | None,
) -> None:
    made = plan(full_size, memory_gb * GB, ENOUGH_RAM, DEMAND)
    assert (made.name, made.pictures_at_once, made.tile_px) == (name, pictures, tile_px)
    assert made.peak_bytes <= memory_gb * GB


def test_what_a_plan_takes_is_the_sum_of_what_it_says(full_size: list[Weights]) -> None:
    made = plan(full_size, 48 * GB, 0, DEMAND)
    weights_bytes = sum(component.sizes["full"] for component in full_size)
    assert made.peak_bytes == weights_bytes + 7_000 * 1024**2 + GB  # while it decodes
    assert made.host_bytes == 0


def test_on_24_gb_the_encoder_comes_and_goes_and_the_rest_is_held_as_it_is(
    full_size: list[Weights],
) -> None:
    made = plan(full_size, 24 * GB, ENOUGH_RAM, DEMAND)
    wheres = {name: placement.where for name, placement in made.placements.items()}
    assert wheres["text encoder"] == "swapped"
    assert {wheres["base projection"], wheres["MoVQ"]} == {"stays"}
    assert {placement.precision for placement in made.placements.values()} == {"full"}


def test_with_little_main_memory_a_smaller_encoder_is_kept_rather_than_a_large_one_read_again(
    full_size: list[Weights],
) -> None:
    made = plan(full_size, 24 * GB, 12 * GB, DEMAND)
    assert made.name == "encoder_8bit"
    assert made.host_bytes <= 12 * GB
    made = plan(full_size, 24 * GB, 0, DEMAND)
    assert (made.name, made.placements["text encoder"].where) == ("encoder_4bit", "stays")
    made = plan(full_size, 16 * GB, 0, DEMAND)
    assert (made.name, made.placements["text encoder"].where) == ("encoder_8bit", "reloaded")


def test_a_companion_has_room_beside_the_denoiser_it_works_with() -> None:
    parts = [
        Weights("UNet", "denoiser", {"full": 100}, 10),
        Weights("adapter", "companion", {"full": 50}, 10),
        Weights("MoVQ", "decoder", {"full": 120}, 10),
    ]
    demand = replace(DEMAND, name="offload_encoder", working=NO_ROOM)
    assert plan(parts, 150, ENOUGH_RAM, demand).peak_bytes == 150
    with pytest.raises(DeviceTooSmall, match=r"0\.00 GB of each for image_prompts and shapes"):
        plan(parts, 149, ENOUGH_RAM, demand)


def test_only_what_is_too_large_by_itself_is_streamed(full_size: list[Weights]) -> None:
    made = plan(full_size, 8 * GB, ENOUGH_RAM, DEMAND)
    streamed = [p.name for p in made.placements.values() if p.where == "streamed"]
    assert streamed == ["text encoder", "base UNet", "Flash UNet"]


@pytest.mark.parametrize("name", PLANS)
def test_a_plan_that_was_chosen_is_the_one_that_is_made(
    full_size: list[Weights], name: PlanName
) -> None:
    made = plan(full_size, 80 * GB, ENOUGH_RAM, replace(DEMAND, name=name))
    assert made.name == name
    assert set(made.placements) == {component.name for component in full_size}


def test_a_plan_that_cannot_be_says_in_one_sentence_what_would(full_size: list[Weights]) -> None:
    with pytest.raises(DeviceTooSmall) as caught:
        plan(full_size, 3 * GB, ENOUGH_RAM, DEMAND)
    said = str(caught.value)
    assert "3.00 GB" in said
    assert "image_prompts" not in said
    assert "\n" not in said
    for name in PLANS[:-1]:
        (needed_gb,) = re.findall(rf"\b{name} ([\d.]+) GB", said)
        (ram_gb,) = re.findall(r"and ([\d.]+) GB of main memory$", said)
        ram = int(float(ram_gb) * GB) + 10**7 if name == "sequential" else 0
        assert plan(full_size, int(float(needed_gb) * GB) + 10**7, ram, replace(DEMAND, name=name))
        with pytest.raises(DeviceTooSmall):
            plan(full_size, int(float(needed_gb) * GB) - 10**7, ram, replace(DEMAND, name=name))


def test_on_a_device_without_a_bound_only_main_memory_can_be_short(
    full_size: list[Weights],
) -> None:
    with pytest.raises(DeviceTooSmall, match=r"has no bound and main memory 0\.00 GB"):
        plan(full_size, None, 0, replace(DEMAND, name="sequential"))
    assert plan(full_size, None, 0, DEMAND).name == "resident"


def test_a_decoder_is_never_cut_into_its_layers(full_size: list[Weights]) -> None:
    in_float32 = [
        replace(
            c, sizes={k: 2 * v for k, v in c.sizes.items()}, largest_tensor=2 * c.largest_tensor
        )
        for c in full_size
    ]
    demand = replace(DEMAND, name="sequential", activation_bytes=4)
    least = next(gb for gb in range(1, 24) if fits(in_float32, gb * GB, demand))
    made = plan(in_float32, least * GB, ENOUGH_RAM, demand)
    assert made.placements["MoVQ"].where in {"stays", "swapped"}
    assert made.placements["MoVQ"].device_bytes == in_float32[-1].sizes["full"]


def fits(components: list[Weights], device_bytes: int, demand: Demand) -> bool:
    try:
        plan(components, device_bytes, ENOUGH_RAM, demand)
    except DeviceTooSmall:
        return False
    return True


def test_of_no_weights_at_all_there_is_a_plan(full_size: list[Weights]) -> None:
    assert plan([], GB, 0, DEMAND).peak_bytes == 0


def test_the_plan_is_told_a_line_for_each_component(full_size: list[Weights]) -> None:
    lines = plan(full_size, 16 * GB, ENOUGH_RAM, DEMAND).lines("bfloat16")
    assert lines[0].startswith("memory plan encoder_8bit: at most ")
    assert "of 16.00 GB of the device" in lines[0]
    encoder = next(line for line in lines if line.startswith("text encoder"))
    assert encoder.split()[2:5] == ["8.86", "GB", "8bit"]
    assert len(lines) == 1 + len(full_size)


@given(
    device_bytes=st.integers(0, 100 * GB),
    ram_bytes=st.integers(0, 64 * GB),
    pictures=st.integers(1, 16),
    side_px=st.sampled_from([256, 512, 1024, 2048]),
    name=st.sampled_from(["auto", *PLANS]),
)
def test_no_plan_ever_exceeds_what_there_is(
    full_size: list[Weights],
    device_bytes: int,
    ram_bytes: int,
    pictures: int,
    side_px: int,
    name: PlanName,
) -> None:
    demand = Demand(name=name, pixels=side_px**2, pictures=pictures)
    try:
        made = plan(full_size, device_bytes, ram_bytes, demand)
    except DeviceTooSmall:
        return
    assert made.host_bytes <= ram_bytes
    assert 1 <= made.pictures_at_once <= pictures
    stay = sum(p.device_bytes for p in made.placements.values() if p.where == "stays")
    for placement in made.placements.values():
        comes = 0 if placement.where == "stays" else placement.device_bytes
        assert stay + comes + placement.room_bytes <= made.peak_bytes <= device_bytes


# What follows draws with the weights that are shipped.

MIB = 2**20
BLOCK_BYTES = 4 * MIB
ENCODER_ROOM = MIB  # three times its largest matrix, and a little
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def profile() -> Profile:
    shipped = load_profile(ROOT / "config.yaml", "micro")
    few_steps: dict[str, Any] = {"base": {"steps": 1}, "refined": {"steps": 1}, "flash": {}}
    values = shipped.model_dump() | {"qualities": few_steps, "device": "cpu", "threads": 1}
    values |= {"image_prompts": None, "shapes": None}
    return Profile.model_validate(values)


def open_store(profile: Profile, name: str, budget_bytes: int | None = None) -> ComponentStore:
    return ComponentStore(
        profile.model_copy(update={"memory_plan": name}),
        torch.device("cpu"),
        budget_bytes=budget_bytes,
        ram_bytes=GB,
        working=NO_ROOM,
        block_bytes=BLOCK_BYTES,
    )


def drawn(store: ComponentStore) -> list[np.ndarray[Any, Any]]:
    """Two new texts, one after the other, so that the encoder is called back."""
    recipe = TextToImage(Kandinsky3(store), store.profile)
    requests = [
        TextToImageRequest(prompt=words, quality="refined", seed=3, width_px=64, height_px=64)
        for words in ("a red circle on a blue background", "a green square")
    ]
    return [pixels(recipe([request], keep_all)[0].pictures[0]) for request in requests]


class Meter:
    """What is on the device in truth, whenever something has come to it: not by the store's books.

    On a CPU main memory and the device are one, so what counts are tensors of the models that
    are not the copies in main memory.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.peak_bytes = 0
        self._built: list[weakref.ref[nn.Module]] = []
        self._hosted: list[Hosted] = []  # kept, so that no address is given out twice
        self._copies: set[int] = set()
        load, host, come = ComponentStore._load, Hosted.__init__, Hosted.come

        def building(*args: Any) -> Any:
            lodger = load(*args)
            is_on_cpu = lodger.hosted is None and not lodger.device_bytes
            if isinstance(lodger.value, nn.Module) and not is_on_cpu:
                self._built.append(weakref.ref(lodger.value))
            self.read()
            return lodger

        def hosting(hosted: Hosted, *args: Any, **options: Any) -> None:
            host(hosted, *args, **options)
            self._hosted.append(hosted)
            self._copies.update(tensor.data_ptr() for _, _, tensor in hosted._slots)

        def coming(hosted: Hosted) -> None:
            come(hosted)
            self.read()

        monkeypatch.setattr(ComponentStore, "_load", building)
        monkeypatch.setattr(Hosted, "__init__", hosting)
        monkeypatch.setattr(Hosted, "come", coming)

    def read(self) -> None:
        there = {
            tensor.data_ptr(): tensor.nbytes
            for built in self._built
            if (module := built()) is not None
            for tensor in _tensors(module)
            if tensor.data_ptr() not in self._copies
        }
        self.peak_bytes = max(self.peak_bytes, sum(there.values()))


def _tensors(module: nn.Module) -> Iterator[Tensor]:
    yield from module.parameters()
    yield from module.buffers()


@pytest.fixture
def meter(monkeypatch: pytest.MonkeyPatch) -> Meter:
    return Meter(monkeypatch)


@pytest.fixture(scope="module")
def expected(profile: Profile) -> list[np.ndarray[Any, Any]]:
    return drawn(open_store(profile, "resident"))


def sizes(profile: Profile) -> dict[str, int]:
    store = open_store(profile, "resident")
    return {
        component.name: store.size_bytes(component)
        for component in load.weighty(profile.qualities)
    }


Budget = Callable[[dict[str, int]], int]


def everything(size: dict[str, int]) -> int:
    return sum(size.values()) + ENCODER_ROOM


def all_but_the_encoder(size: dict[str, int]) -> int:
    return sum(size.values()) - size["text encoder"]


def the_largest(size: dict[str, int]) -> int:
    return size["base UNet"] + size["base projection"] + size["Flash projection"]


def a_few_blocks(size: dict[str, int]) -> int:
    return size["MoVQ"] + size["base projection"] + size["Flash projection"]


PIXEL_TOLERANCE = {"8bit": 2.0, "4bit": 12.0}
"""Mean difference in levels of 255, where the encoder is held in fewer bits."""


@pytest.mark.parametrize(
    ("name", "budget", "leaves"),
    [
        ("resident", everything, False),
        ("offload_encoder", all_but_the_encoder, True),
        ("offload_encoder", the_largest, True),
        ("encoder_8bit", all_but_the_encoder, True),
        ("encoder_8bit", the_largest, True),
        ("encoder_4bit", the_largest, True),
        ("sequential", a_few_blocks, True),
        ("encoder_on_cpu", all_but_the_encoder, False),
    ],
)
def test_every_plan_draws_within_its_budget_at_every_moment(
    profile: Profile,
    meter: Meter,
    expected: list[np.ndarray[Any, Any]],
    name: PlanName,
    budget: Budget,
    leaves: bool,
) -> None:
    budget_bytes = budget(sizes(profile))
    store = open_store(profile, name, budget_bytes)
    pictures = drawn(store)
    assert store.plan is not None
    assert store.plan.name == name
    assert 0 < meter.peak_bytes <= budget_bytes
    assert store.plan.peak_bytes <= budget_bytes
    assert (store.evictions > 0) == leaves
    precision = store.plan.placements["text encoder"].precision
    for picture, right in zip(pictures, expected, strict=True):
        if precision == "full":
            assert np.array_equal(picture, right)
        else:
            difference = np.abs(picture - right).mean()
            assert 0 < difference < PIXEL_TOLERANCE[precision]


def test_what_the_meter_reads_is_what_the_store_counts(profile: Profile, meter: Meter) -> None:
    store = open_store(profile, "resident")
    drawn(store)
    assert meter.peak_bytes == store.resident_bytes


def test_what_was_put_away_comes_back_without_being_read_again(
    profile: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(profile, "offload_encoder", the_largest(sizes(profile)))
    drawn(store)
    monkeypatch.setattr(ComponentStore, "_build", None)
    evictions = store.evictions
    drawn(store)
    assert store.evictions > evictions


def test_by_itself_the_store_finds_the_plan_for_its_memory(profile: Profile) -> None:
    size = sizes(profile)
    named = {}
    for budget in (everything, all_but_the_encoder, a_few_blocks):
        made: MemoryPlan = open_store(profile, "auto", budget(size)).settle(
            load.weighty(profile.qualities)
        )
        named[budget.__name__] = made.name
    assert named == {
        "everything": "resident",
        "all_but_the_encoder": "offload_encoder",
        "a_few_blocks": "sequential",
    }


def test_the_plan_is_told_when_the_weights_are_settled(
    profile: Profile, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"):
        made = open_store(profile, "encoder_4bit").settle(load.weighty(profile.qualities))
    assert [record.getMessage() for record in caplog.records] == made.lines("float32")

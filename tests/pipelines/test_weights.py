import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from pipelines import weights
from pipelines.contracts import GenerationError
from pipelines.devices import DeviceMissing
from pipelines.kandinsky3 import load
from pipelines.quantise import QuantisedLinear
from pipelines.weights import Component, ComponentStore, WeightsError
from tests.pipelines.micro import NO_ROOM, make_profile, make_store, write_manifest

MEGABYTE = 2**20


@pytest.fixture
def own_weights(weights_dir: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(weights_dir, tmp_path / "own"))


def component(folder: Path, name: str, size_bytes: int = MEGABYTE) -> Component[object]:
    """A component of a known size that is a new object each time it is loaded."""
    save_file({"weight": torch.zeros(size_bytes // 4)}, folder / f"{name}.safetensors")
    return Component(name, f"{name}.safetensors", lambda *_: object())


def bare_store(folder: Path, budget_bytes: int | None = None) -> ComponentStore:
    return ComponentStore(make_profile(folder), torch.device("cpu"), budget_bytes=budget_bytes)


def test_a_component_is_loaded_once_and_shared(tmp_path: Path) -> None:
    store, a = bare_store(tmp_path), component(tmp_path, "a")
    assert store.get(a) is store.get(a)
    assert store.resident_bytes == MEGABYTE


def test_the_component_not_used_for_longest_leaves_first(tmp_path: Path) -> None:
    store = bare_store(tmp_path, budget_bytes=2 * MEGABYTE)
    a, b, c = (component(tmp_path, name) for name in "abc")
    first_a = store.get(a)
    store.get(b)
    store.get(a)
    store.get(c)
    assert store.resident == ("a", "c")
    assert store.get(a) is first_a
    assert (store.evictions, store.resident_bytes) == (1, 2 * MEGABYTE)


def test_as_many_leave_as_a_large_component_needs(tmp_path: Path) -> None:
    store = bare_store(tmp_path, budget_bytes=3 * MEGABYTE)
    for name in "abc":
        store.get(component(tmp_path, name))
    store.get(component(tmp_path, "large", 2 * MEGABYTE))
    assert store.resident == ("c", "large")


def test_without_a_budget_nothing_leaves(tmp_path: Path) -> None:
    store = bare_store(tmp_path)
    for name in "abcdef":
        store.get(component(tmp_path, name))
    assert store.evictions == 0
    assert len(store.resident) == 6


def test_a_component_counts_what_it_takes_in_the_precision_it_runs_in(weights_dir: Path) -> None:
    sizes = {}
    for precision in ("float32", "bfloat16"):
        store = make_store(weights_dir, precision=precision)
        unet = store.get(load.UNETS["base"])
        taken = sum(p.numel() * p.element_size() for p in unet.parameters())
        sizes[precision] = store.size_bytes(load.UNETS["base"])
        assert sizes[precision] == taken
    assert sizes["float32"] == 2 * sizes["bfloat16"]


def test_untouched_weights_are_what_the_manifest_says(weights_dir: Path) -> None:
    make_store(weights_dir).verify()


def drop(path: Path) -> None:
    path.unlink()


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def flip_a_bit(path: Path) -> None:
    contents = bytearray(path.read_bytes())
    contents[-1] ^= 1
    path.write_bytes(contents)


@pytest.mark.parametrize("damage", [drop, truncate])
def test_a_missing_or_truncated_file_is_named_on_opening(
    own_weights: Path, damage: Callable[[Path], None]
) -> None:
    path = own_weights / "unet" / "diffusion_pytorch_model.safetensors"
    damage(path)
    with pytest.raises(WeightsError, match="expected") as caught:
        make_store(own_weights)
    assert str(path) in str(caught.value)
    assert isinstance(caught.value, GenerationError)
    assert caught.value.code == "error-weights-missing"


@pytest.mark.parametrize(
    "device",
    [
        "cudaa",
        "",
        "meta",
        pytest.param(
            "cuda",
            marks=pytest.mark.skipif(torch.cuda.is_available(), reason="the machine has one"),
        ),
        "cuda:99",
    ],
)
def test_a_device_that_is_not_there_is_named_on_opening(weights_dir: Path, device: str) -> None:
    with pytest.raises(DeviceMissing, match=re.escape(repr(device))) as caught:
        make_store(weights_dir, device=device)
    assert caught.value.code == "error-device-missing"
    assert "\n" not in str(caught.value)


def test_a_device_that_is_there_is_found_by_itself(weights_dir: Path) -> None:
    found = make_store(weights_dir, device="auto").device.type
    assert found == ("cuda" if torch.cuda.is_available() else "cpu")


@pytest.mark.parametrize(
    ("allowed", "free", "budget"),
    [
        (None, 10 * MEGABYTE, 10),
        (8 * MEGABYTE, 10 * MEGABYTE, 8),
        (12 * MEGABYTE, 10 * MEGABYTE, 10),
    ],
)
def test_a_gpu_gives_what_is_allowed_and_free_and_workers_share_main_memory(
    weights_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
    allowed: int | None,
    free: int,
    budget: int,
) -> None:
    bounds: list[int] = []
    monkeypatch.setattr(weights, "find_device", torch.device)
    monkeypatch.setattr(weights, "free_device_bytes", lambda device: free)
    monkeypatch.setattr(weights, "bound_device_memory", lambda device, most: bounds.append(most))
    monkeypatch.setattr(weights, "free_main_bytes", lambda: 40 * MEGABYTE)
    profile = make_profile(weights_dir, device="cuda:1", memory_bytes=allowed)
    store = ComponentStore.open(profile, workers=4)
    assert store.budget_bytes == budget * MEGABYTE
    assert store.ram_bytes == 10 * MEGABYTE
    assert bounds == [allowed] * (allowed is not None)


def test_what_was_loaded_before_there_was_a_plan_is_then_held_as_it_says(
    weights_dir: Path,
) -> None:
    profile = make_profile(weights_dir, memory_plan="encoder_8bit")
    store = ComponentStore(profile, torch.device("cpu"), working=NO_ROOM)
    dense, tokenizer = store.get(load.TEXT_ENCODER), store.get(load.TOKENIZER)
    store.settle([load.TEXT_ENCODER])
    assert not any(isinstance(part, QuantisedLinear) for part in dense.modules())
    assert any(isinstance(p, QuantisedLinear) for p in store.get(load.TEXT_ENCODER).modules())
    assert store.get(load.TOKENIZER) is tokenizer


def test_a_folder_of_garbage_is_settled_and_named_when_it_is_asked_for(own_weights: Path) -> None:
    for file in own_weights.rglob("*.safetensors"):
        file.write_bytes(b"garbage")
    write_manifest(own_weights)
    store = make_store(own_weights)
    store.settle(load.weighty(store.profile.qualities))
    with pytest.raises(WeightsError, match="text_encoder"):
        store.get(load.TEXT_ENCODER)


def test_verifying_reads_the_contents(own_weights: Path) -> None:
    path = own_weights / "movq" / "diffusion_pytorch_model.safetensors"
    flip_a_bit(path)
    store = make_store(own_weights)
    with pytest.raises(WeightsError, match="sha256") as caught:
        store.verify()
    assert caught.value.path == path


@pytest.mark.parametrize("contents", [None, b"", b"[]", b"\xff", b'{"files": {"a": {}}}'])
def test_a_folder_without_a_proper_manifest_is_refused(
    own_weights: Path, contents: bytes | None
) -> None:
    manifest = own_weights / "manifest.json"
    manifest.unlink() if contents is None else manifest.write_bytes(contents)
    with pytest.raises(WeightsError, match=r"manifest\.json"):
        make_store(own_weights)


ALL = (
    load.TOKENIZER,
    load.TEXT_ENCODER,
    load.MOVQ,
    load.LATENT_RGB,
    load.UNETS["flash"],
    load.PROJECTIONS["flash"],
)


@pytest.mark.parametrize("contents", [b"", b"garbage", b"\xff" * 5000], ids=len)
@pytest.mark.parametrize("broken", ALL, ids=lambda component: component.name)
def test_files_that_are_no_weights_are_named(
    own_weights: Path, broken: Component[object], contents: bytes
) -> None:
    path = own_weights / broken.path
    for file in path.iterdir() if path.is_dir() else [path]:
        file.write_bytes(contents)
    write_manifest(own_weights)
    with pytest.raises(WeightsError) as caught:
        make_store(own_weights).get(broken)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("broken", ALL, ids=lambda component: component.name)
def test_a_component_that_is_not_there_is_named(
    own_weights: Path, broken: Component[object]
) -> None:
    path = own_weights / broken.path
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    write_manifest(own_weights)
    with pytest.raises(WeightsError, match=broken.name):
        make_store(own_weights).get(broken)


@pytest.mark.parametrize("broken", [load.UNETS["base"], load.MOVQ, load.TEXT_ENCODER])
def test_weights_of_another_model_are_refused(
    own_weights: Path, broken: Component[object]
) -> None:
    (file,) = (own_weights / broken.path).glob("*.safetensors")
    save_file({"something.weight": torch.zeros(3)}, file)
    write_manifest(own_weights)
    with pytest.raises(WeightsError, match=broken.name):
        make_store(own_weights).get(broken)


def test_an_unknown_kind_of_number_is_no_weight(tmp_path: Path) -> None:
    header = b'{"weight": {"dtype": "C128", "shape": [1], "data_offsets": [0, 16]}}'
    (tmp_path / "odd.safetensors").write_bytes(
        len(header).to_bytes(8, "little") + header + bytes(16)
    )
    odd = Component("odd", "odd.safetensors", lambda *_: object())
    with pytest.raises(WeightsError, match=r"odd\.safetensors"):
        bare_store(tmp_path).size_bytes(odd)

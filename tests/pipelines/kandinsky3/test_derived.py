"""Comparing a UNet that was trained on with the base it came from."""

import math
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from threading import Event, Thread

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from pipelines.checkpoints.errors import BadCheckpoint
from pipelines.checkpoints.tensors import as_tensors, read_pickle, read_safetensors
from pipelines.kandinsky3.derived import Comparison, compare, keep, take_apart

TENSOR_BYTES = 2_000_000
TENSORS = 20


def write_base(folder: Path, unet: dict[str, Tensor]) -> Path:
    (folder / "unet").mkdir(parents=True)
    save_file(unet, folder / "unet" / "diffusion_pytorch_model.safetensors")
    (folder / "unet" / "config.json").write_text("{}")
    conditioning = {"linear.weight": torch.ones(2, 2), "null_embedding": torch.ones(2)}
    save_file(conditioning, folder / "conditioning.safetensors")
    return folder


def compared(folder: Path, ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> Comparison:
    base = write_base(folder, ours)
    published = {**theirs, "projection_lin.weight": torch.ones(2, 2)}
    return compare(take_apart(folder / "theirs.bin", published, lambda _: False), base)


def test_equal_numbers_are_the_base(tmp_path: Path) -> None:
    tensors = {"a": torch.arange(6.0), "b": torch.zeros(2, 3)}
    found = compared(tmp_path, tensors, tensors)
    assert found.is_base
    assert str(found) == "3 of 3 tensors it shares with the base model are equal"


def test_the_largest_difference_is_named_with_its_place(tmp_path: Path) -> None:
    ours = {"a": torch.zeros(3), "b": torch.zeros(3), "c": torch.zeros(3)}
    theirs = ours | {"a": torch.tensor([0.0, 1e-3, 0.0]), "b": torch.tensor([0.5, 0.0, -2.0])}
    found = compared(tmp_path, ours, theirs)
    assert (found.equal, found.shared) == (2, 4)
    assert found.where == "b"
    assert str(found).endswith("are equal, the largest difference is 2 in b")
    assert found.facts["largest_difference"] == "2"


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_what_was_only_rounded_is_the_base(tmp_path: Path, dtype: torch.dtype) -> None:
    ours = {"a": torch.randn(100, generator=torch.Generator().manual_seed(1))}
    rounded = {"a": ours["a"].to(dtype)}
    assert not torch.equal(rounded["a"].float(), ours["a"])
    assert compared(tmp_path / "down", ours, rounded).is_base
    assert compared(tmp_path / "up", rounded, ours).is_base


def test_one_bit_is_a_difference(tmp_path: Path) -> None:
    ours = {"a": torch.ones(100)}
    theirs = {"a": ours["a"].clone()}
    theirs["a"][7] = torch.nextafter(torch.tensor(1.0), torch.tensor(2.0))
    assert compared(tmp_path, ours, theirs).largest_difference == pytest.approx(2**-23)


def test_what_is_no_number_is_a_difference(tmp_path: Path) -> None:
    ours = {"a": torch.ones(3)}
    found = compared(tmp_path, ours, {"a": torch.tensor([1.0, math.nan, 1.0])})
    assert (found.is_base, found.largest_difference) == (False, math.inf)


@pytest.mark.parametrize(
    ("theirs", "expected"),
    [
        ({"a": torch.ones(3)}, "a tensor for b, found none"),
        ({"a": torch.ones(3), "b": torch.ones(4)}, r"b of shape \(3,\), found \(4,\)"),
        ({"a": torch.ones(3), "b": torch.ones(3), "c": torch.ones(3)}, "no tensor c"),
    ],
    ids=["missing", "of another shape", "too many"],
)
def test_another_model_is_not_compared(
    tmp_path: Path, theirs: dict[str, Tensor], expected: str
) -> None:
    with pytest.raises(BadCheckpoint, match=rf"theirs\.bin: expected {expected}"):
        compared(tmp_path, {"a": torch.ones(3), "b": torch.ones(3)}, theirs)


def resident_bytes() -> int:
    """Count the memory of this process that is not a file's."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith("RssAnon"))
    return int(line.split()[1]) * 1024


class Watched:
    """How much memory was taken while a block ran."""

    def __init__(self) -> None:
        self.before = self.most = resident_bytes()

    @property
    def taken_bytes(self) -> int:
        return self.most - self.before


@contextmanager
def watched() -> Iterator[Watched]:
    """Look every four milliseconds at how much memory this process takes."""
    seen, is_over = Watched(), Event()

    def look() -> None:
        while not is_over.wait(0.004):
            seen.most = max(seen.most, resident_bytes())

    watcher = Thread(target=look)
    watcher.start()
    try:
        yield seen
    finally:
        is_over.set()
        watcher.join()


def taken_by_comparing(folder: Path) -> tuple[int, int]:
    """Compare two files and write one of them again, and then read that whole.

    Returns:
        How many bytes each of the two took. Memory that earlier work has left free would hide
        either, so this is to run in a process of its own.
    """
    ours = {f"{n:02}": torch.full((TENSOR_BYTES // 4,), float(n)) for n in range(TENSORS)}
    base = write_base(folder, ours)
    theirs = {name: tensor + 1 for name, tensor in ours.items()}
    path, made = folder / "theirs.bin", folder / "made"
    torch.save({**theirs, "projection_lin.weight": torch.ones(2, 2)}, path)
    del ours, theirs
    made.mkdir()
    with watched() as comparing:
        derived = take_apart(path, as_tensors(path, read_pickle(path), "tensors"), lambda _: False)
        comparison = compare(derived, base)
        keep(derived, "ip", made, base)
    assert comparison.equal == 1
    kept = made / "unet_ip" / "diffusion_pytorch_model.safetensors"
    assert kept.stat().st_size > TENSORS * TENSOR_BYTES

    with watched() as copying:
        copies = [tensor.clone() for tensor in read_safetensors(kept).values()]
    assert len(copies) == TENSORS
    return comparing.taken_bytes, copying.taken_bytes


def test_memory_stays_at_some_tensors_however_large_the_files_are(tmp_path: Path) -> None:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as fresh:
        comparing, copying = fresh.submit(taken_by_comparing, tmp_path).result()
    assert comparing < 6 * TENSOR_BYTES
    assert copying > 6 * TENSOR_BYTES  # so that much would not have gone unseen

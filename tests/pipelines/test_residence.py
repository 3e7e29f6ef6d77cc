import weakref
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from pipelines.residence import Hosted, Streamed, compute_on_cpu

CPU = torch.device("cpu")


class Deep(nn.Module):
    """A list of layers, layers in a block, a tied table and a vector of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(8, 16)
        self.tied = nn.Embedding(8, 16)
        self.tied.weight = self.table.weight
        self.layers = nn.ModuleList(nn.Linear(16, 16) for _ in range(3))
        self.block = nn.Sequential(nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 16))
        self.scale = nn.Parameter(torch.ones(16))
        self.register_buffer("shift", torch.arange(16.0))
        self.shift: Tensor

    def forward(self, ids: Tensor) -> Tensor:
        states: Tensor = self.table(ids) * self.scale + self.shift
        for layer in self.layers:
            states = layer(states)
        out: Tensor = self.block(states) + self.tied(ids)
        return out


LINEAR_BYTES = 4 * (16 * 16 + 16)
TABLE_BYTES = 4 * 8 * 16


@pytest.fixture
def deep() -> Deep:
    torch.manual_seed(0)
    return Deep().requires_grad_(requires_grad=False)


def pointers(module: nn.Module) -> set[int]:
    return {tensor.data_ptr() for tensor in (*module.parameters(), *module.buffers())}


def test_what_comes_is_a_copy_and_what_leaves_is_forgotten(deep: Deep) -> None:
    ids, at_home = torch.arange(4), pointers(deep)
    expected = deep(ids)
    hosted = Hosted(deep.modules(), CPU)
    assert pointers(deep) == at_home
    hosted.come()
    assert pointers(deep).isdisjoint(at_home)
    assert deep.tied.weight is deep.table.weight
    assert torch.equal(deep(ids), expected)
    hosted.leave()
    assert pointers(deep) == at_home


def test_a_tensor_that_two_modules_share_counts_once(deep: Deep) -> None:
    assert Hosted(deep.modules(), CPU).size_bytes == 5 * LINEAR_BYTES + TABLE_BYTES + 2 * 4 * 16


def arrivals(deep: Deep, at_home: set[int]) -> Iterator[nn.Module]:
    for module in deep.modules():
        own = {tensor.data_ptr() for tensor in module.parameters(recurse=False)}
        if own and own.isdisjoint(at_home):
            yield module


@pytest.mark.parametrize("block_bytes", [LINEAR_BYTES, 2 * LINEAR_BYTES])
def test_only_the_block_at_work_is_there(deep: Deep, block_bytes: int) -> None:
    ids, at_home = torch.arange(4), pointers(deep)
    expected = deep(ids)
    streamed = Streamed(deep, CPU, block_bytes)
    seen: list[list[nn.Module]] = []
    for part in deep.modules():
        if isinstance(part, nn.Linear | nn.Embedding):
            part.register_forward_pre_hook(lambda *_: seen.append(list(arrivals(deep, at_home))))
    streamed.come()
    assert list(arrivals(deep, at_home)) == [deep]  # its own vector
    assert torch.equal(deep(ids), expected)
    first, last = deep.block[0], deep.block[2]
    whole: list[list[nn.Module]] = (
        [[first, last]] * 2 if block_bytes > LINEAR_BYTES else [[first], [last]]
    )
    rest: list[list[nn.Module]] = [
        [deep.table],
        *([layer] for layer in deep.layers),
        *whole,
        [deep.tied],
    ]
    assert [set(there) - {deep} for there in seen] == [set(there) for there in rest]
    streamed.leave()
    assert pointers(deep) == at_home


def test_what_is_streamed_takes_its_largest_block_and_what_is_in_none(deep: Deep) -> None:
    assert Streamed(deep, CPU, LINEAR_BYTES).size_bytes == LINEAR_BYTES + 2 * 4 * 16


def test_a_block_that_fails_leaves_all_the_same(deep: Deep) -> None:
    at_home = pointers(deep)
    streamed = Streamed(deep, CPU, LINEAR_BYTES)
    streamed.come()
    with pytest.raises(IndexError):
        deep(torch.tensor([99]))
    streamed.leave()
    assert pointers(deep) == at_home


def test_what_does_not_fit_leaves_nothing_behind(
    deep: Deep, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_home, hosted, made = pointers(deep), Hosted(deep.modules(), CPU), 0
    make = torch.empty_like

    def running_out(*args: Any, **options: Any) -> Tensor:
        nonlocal made
        made += 1
        if made > 3:
            raise torch.OutOfMemoryError
        return make(*args, **options)

    monkeypatch.setattr(torch, "empty_like", running_out)
    with pytest.raises(torch.OutOfMemoryError):
        hosted.come()
    assert pointers(deep) == at_home


def test_pinned_copies_take_the_place_of_what_was_read(
    deep: Deep, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pinning needs CUDA; a clone has an address of its own just as well."""
    monkeypatch.setattr(Tensor, "pin_memory", Tensor.clone)
    ids, read = torch.arange(4), pointers(deep)
    expected, tensor = deep(ids), weakref.ref(deep.scale)
    hosted = Hosted(deep.modules(), CPU, is_pinned=True)
    assert tensor() is None
    pinned = pointers(deep)
    assert len(pinned) == len(read)
    assert deep.tied.weight is deep.table.weight
    hosted.come()
    assert pointers(deep).isdisjoint(pinned)
    assert torch.equal(deep(ids), expected)
    hosted.leave()
    assert pointers(deep) == pinned


def test_the_processor_answers_in_tensors_of_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    moves: list[str] = []
    move = Tensor.to

    def moving(tensor: Tensor, *args: object, **options: object) -> Tensor:
        moves.append(str(args[0]))
        return move(tensor, CPU)

    linear = compute_on_cpu(nn.Linear(4, 4), torch.device("cuda:7"))
    monkeypatch.setattr(Tensor, "to", moving)
    linear(input=torch.zeros(1, 4))
    assert moves == ["cpu", "cuda:7"]

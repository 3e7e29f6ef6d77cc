"""A module whose weights are in main memory, and on the device only while they are needed.

Whoever computes sees an ordinary module. Coming is a copy to the device; leaving is forgetting
it, since the weights do not change. On CUDA the copies start from pinned memory and do not hold
the processor up. They run in the computation's own stream: so a block's memory is free for the
next as soon as it has been computed with, and what the device holds is known at every moment. A
second stream would hide part of the copying behind the computation, and would hold two blocks.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

_Slot = tuple[dict[str, Any], str, Tensor]
"""A module's table of parameters or buffers, a name in it, and the tensor in main memory."""


class Hosted:
    """Some modules' tensors: in main memory always, on the device between coming and leaving.

    Args:
        modules: their own tensors are meant, and those of all modules in them if ``is_deep``.
        device: where to compute.
        is_pinned: whether the copies in main memory are pinned; the caller says whether it has
            room for that, since pinning rounds sizes up.
    """

    def __init__(
        self,
        modules: Iterable[nn.Module],
        device: torch.device,
        *,
        is_pinned: bool = False,
    ) -> None:
        self._device = device
        self._slots = list(_slots(modules))
        if is_pinned:
            self._pin()

    @property
    def size_bytes(self) -> int:
        """What it takes on the device; a tensor that several modules share counts once."""
        return sum(tensor.nbytes for tensor in {id(t): t for _, _, t in self._slots}.values())

    def come(self) -> None:
        """Put copies on the device into the modules: of all tensors, or of none if one fails."""
        copies: dict[int, Tensor] = {}
        for _, _, tensor in self._slots:
            if id(tensor) not in copies:
                copy = torch.empty_like(tensor, device=self._device, requires_grad=False)
                copies[id(tensor)] = _like(tensor, copy.copy_(tensor, non_blocking=True))
        for table, name, tensor in self._slots:
            table[name] = copies[id(tensor)]

    def leave(self) -> None:
        """Put the tensors in main memory back, which frees the copies."""
        for table, name, tensor in self._slots:
            table[name] = tensor

    def _pin(self) -> None:
        """Put pinned copies in the tensors' place, one at a time: each frees what it replaces."""
        places: dict[int, list[int]] = {}
        for place, (_, _, tensor) in enumerate(self._slots):
            places.setdefault(id(tensor), []).append(place)
        for shared in places.values():
            tensor = self._slots[shared[0]][2]
            pinned = _like(tensor, tensor.detach().pin_memory())
            for place in shared:
                table, name, _ = self._slots[place]
                table[name] = pinned
                self._slots[place] = (table, name, pinned)


class Streamed:
    """A module that visits the device block by block as its ``forward`` goes through it.

    A block is the largest submodule that is called as a whole and takes ``block_bytes`` at most,
    or a single layer that takes more. What belongs to no block (a few norms and vectors, if
    anything) is on the device from :meth:`come` to :meth:`leave`.
    """

    def __init__(
        self, module: nn.Module, device: torch.device, block_bytes: int, *, is_pinned: bool = False
    ) -> None:
        blocks = list(_blocks(module, block_bytes))
        covered = {id(part) for block in blocks for part in block.modules()}
        rest = [part for part in module.modules() if id(part) not in covered]
        self._rest = Hosted(rest, device, is_pinned=is_pinned)
        self._blocks = [Hosted(block.modules(), device, is_pinned=is_pinned) for block in blocks]
        for block, hosted in zip(blocks, self._blocks, strict=True):
            block.register_forward_pre_hook(_calls(hosted.come), prepend=True)
            block.register_forward_hook(_calls(hosted.leave), always_call=True)

    @property
    def size_bytes(self) -> int:
        """Most it takes on the device at once."""
        largest = max((block.size_bytes for block in self._blocks), default=0)
        return self._rest.size_bytes + largest

    def come(self) -> None:
        """Bring what is not streamed."""
        self._rest.come()

    def leave(self) -> None:
        """Take it away again."""
        self._rest.leave()


def compute_on_cpu(module: nn.Module, device: torch.device) -> nn.Module:
    """Let a module on the CPU be called with the device's tensors, and answer with such."""

    def fetch(
        _module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        cpu = torch.device("cpu")
        return _moved(args, cpu), _moved(kwargs, cpu)

    def bring(_module: nn.Module, _args: tuple[Any, ...], outputs: Any) -> Any:  # noqa: ANN401
        return _moved(outputs, device)

    module.register_forward_pre_hook(fetch, with_kwargs=True)
    module.register_forward_hook(bring)
    return module


def _moved(tree: Any, device: torch.device) -> Any:  # noqa: ANN401 - whatever a module takes
    return pytree.tree_map_only(Tensor, lambda tensor: tensor.to(device), tree)


def _calls(action: Callable[[], None]) -> Callable[..., None]:
    """Make a hook of something that needs to know nothing."""
    return lambda *_: action()


def _blocks(module: nn.Module, block_bytes: int) -> Iterator[nn.Module]:
    """Find the blocks of a module in their order; a list is never called, only what is in it."""
    for child in module.children():
        is_called = not isinstance(child, nn.ModuleList | nn.ModuleDict)
        has_children = next(child.children(), None) is not None
        if is_called and (not has_children or _size_bytes(child) <= block_bytes):
            yield child
        else:
            yield from _blocks(child, block_bytes)


def _size_bytes(module: nn.Module) -> int:
    return sum(t.nbytes for t in {id(t): t for _, _, t in _slots(module.modules())}.values())


def _slots(modules: Iterable[nn.Module]) -> Iterator[_Slot]:
    for module in modules:
        for table in (module._parameters, module._buffers):  # noqa: SLF001 - where torch looks
            for name, tensor in table.items():
                if tensor is not None:
                    yield table, name, tensor


def _like(tensor: Tensor, copy: Tensor) -> Tensor:
    """Make a parameter of the copy of a parameter."""
    if isinstance(tensor, nn.Parameter):
        return nn.Parameter(copy, requires_grad=False)
    return copy

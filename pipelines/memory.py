"""The memory plan: in which precision each component is held, and where. Pure arithmetic.

FLAN-UL2's encoder takes 17.4 GB in 16 bits, more than all else together, and is asked once per
text. So the plans differ first of all in what becomes of it. In the order in which ``auto`` tries
them, what changes no pixel first:

======================  ===========================================================================
``resident``            everything stays on the device
``offload_encoder``     the encoder comes when a text is new, and leaves when others need its room
``encoder_8bit``        likewise, in 8 bits per weight
``encoder_4bit``        likewise, in 4 bits per weight
``sequential``          what is too large by itself is streamed through the device, block by block
``encoder_on_cpu``      the processor reads the texts; never chosen by ``auto``, for streaming the
                        encoder over PCIe takes a second and most processors take longer
======================  ===========================================================================

What leaves keeps **a copy in main memory** where that has room: bringing 17.4 GB back takes under
a second over PCIe 4, and dropping a copy takes nothing, while reading and converting the files
takes many. Where it has no room (and on a CPU, whose memory *is* the device's) it is read again.
What reading takes in main memory for a moment is not counted.

A component needs room for its weights and to work in; both are reserved when it is asked for.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from types import MappingProxyType
from typing import Final, Literal, get_args

from pipelines.contracts import GenerationError

PlanName = Literal[
    "resident", "offload_encoder", "encoder_8bit", "encoder_4bit", "sequential", "encoder_on_cpu"
]
PLANS: Final[tuple[PlanName, ...]] = get_args(PlanName)
_AUTOMATIC: Final = PLANS[:-1]

Role = Literal["encoder", "denoiser", "companion", "decoder", "other", "host"]
"""What a component is for: a ``companion`` works beside denoisers, ``host`` not on the device."""

Precision = Literal["full", "8bit", "4bit"]
"""``full`` is the profile's own; the others hold the matrices of Linear layers in fewer bits."""

Where = Literal["stays", "swapped", "reloaded", "streamed", "cpu"]
"""On the device always; with a copy in main memory; without; block by block; on the processor."""

BLOCK_BYTES: Final = 600_000_000
"""Most that one streamed block takes: a layer of FLAN-UL2's encoder in 16 bits has 537 MB."""

TILE_PX: Final = 512
"""A picture that cannot be decoded whole is in parts of as much memory as this square."""

_SMALL_ROLES: Final = frozenset({"other", "companion"})
_STREAMED_ROLES: Final = frozenset({"encoder", "denoiser"})
"""Of what is large. A decoder fits a block, and in parts it looks into its own layers."""

_WORDS: Final[Mapping[Where, str]] = MappingProxyType(
    {
        "stays": "stays on the device",
        "swapped": "leaves when others need room, a copy stays in main memory",
        "reloaded": "leaves when others need room, and is read again",
        "streamed": "streamed through the device from main memory",
        "cpu": "computed by the processor",
    }
)


class DeviceTooSmall(GenerationError):
    """No plan fits the device, or the chosen one does not; the message says what would."""

    code = "error-device-missing"


@dataclass(frozen=True, slots=True)
class Weights:
    """What one component takes, in bytes.

    Attributes:
        name: the component's.
        role: what it needs to work in, and what a plan may do with it, goes by that.
        sizes: in each precision it can be held in.
        largest_tensor: of ``full``; the largest streamed block is no smaller.
    """

    name: str
    role: Role
    sizes: Mapping[Precision, int]
    largest_tensor: int


@dataclass(frozen=True, slots=True)
class Working:
    """What components need to work in, beyond their weights, with activations of 16 bits.

    Nobody has measured these on a GPU. The decoder's and the UNet's were extrapolated from runs on
    a CPU at up to 256 and 512 pixels, with 1.5 GB for the decoder's attention over 16,384
    positions. The encoder needs three times its largest matrix: one that is made dense from 8 bits
    exists in 16 and for a moment in 32; its 128 tokens are nothing beside that. ``python -m
    benchmarks.gpu`` prints the peaks beside the plan's.

    Attributes:
        row_bytes_per_px: of the UNet, for each row; with guidance a picture has two.
        decoder_bytes_per_px: of one picture, or of a part of it.
        reserve_bytes: the driver's context, and what the allocator loses in gaps.
    """

    row_bytes_per_px: int = 512
    decoder_bytes_per_px: int = 7_000
    reserve_bytes: int = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Demand:
    """What the plan is made for.

    Attributes:
        name: the plan the operator chose, or ``auto``.
        pixels: of the largest picture.
        pictures: most drawn at once.
        activation_bytes: per number, 2 or 4.
        working: room to work in.
        block_bytes: most that a streamed block takes.
    """

    name: PlanName | Literal["auto"]
    pixels: int
    pictures: int
    activation_bytes: int = 2
    working: Working = Working()
    block_bytes: int = BLOCK_BYTES

    def room(self, component: Weights, pictures: int, decoded_px: int) -> int:
        """Bytes that a component needs on the device to work in."""
        match component.role:
            case "encoder":
                needed = 3 * component.largest_tensor
            case "denoiser" | "companion":
                per_px = 2 * pictures * self.working.row_bytes_per_px
                needed = self.pixels * per_px * self.activation_bytes // 2
            case "decoder":
                per_px = self.working.decoder_bytes_per_px
                needed = decoded_px * per_px * self.activation_bytes // 2
            case "other" | "host":
                needed = 0
        return needed + self.working.reserve_bytes


@dataclass(frozen=True, slots=True)
class Placement:
    """Where one component is, as what, and what it takes.

    Attributes:
        device_bytes: on the device while it is there (a streamed one's largest block).
        host_bytes: in main memory, always.
        room_bytes: to work in.
    """

    name: str
    precision: Precision
    where: Where
    device_bytes: int
    host_bytes: int
    room_bytes: int

    def line(self, full: str) -> str:
        """Say it to the operator; ``full`` is the name of the profile's own precision."""
        size_bytes = self.host_bytes if self.where in {"streamed", "cpu"} else self.device_bytes
        precision = full if self.precision == "full" else self.precision
        return f"{self.name:<18}{_gb(size_bytes):>9}  {precision:<9} {_WORDS[self.where]}"


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """What became of every component.

    Attributes:
        budget_bytes: of the device; none is no bound.
        peak_bytes: most there will be on the device, weights and room to work in.
        pictures_at_once: how many can be drawn together, at least 1.
        tile_px: a picture is decoded in parts that take as much as such a square; none is whole.
    """

    name: PlanName
    placements: Mapping[str, Placement]
    budget_bytes: int | None
    peak_bytes: int
    pictures_at_once: int
    tile_px: int | None

    @property
    def host_bytes(self) -> int:
        """What the copies in main memory take."""
        return sum(placement.host_bytes for placement in self.placements.values())

    def lines(self, full: str) -> list[str]:
        """Say the plan to the operator, a line for each component that takes a megabyte."""
        bound = f" of {_gb(self.budget_bytes)}" if self.budget_bytes else ""
        decoding = f"parts of {self.tile_px} px" if self.tile_px else "whole pictures"
        head = (
            f"memory plan {self.name}: at most {_gb(self.peak_bytes)}{bound} of the device, "
            f"{_gb(self.host_bytes)} of main memory; {self.pictures_at_once} at once, "
            f"decoding in {decoding}"
        )
        weighty = [p for p in self.placements.values() if p.device_bytes >= 10**6]
        return [head, *(placement.line(full) for placement in weighty)]


def plan(
    components: Sequence[Weights],
    device_memory_bytes: int | None,
    ram_bytes: int,
    demand: Demand,
) -> MemoryPlan:
    """Choose precision and place of every component.

    Args:
        components: all that the profile's qualities ask for.
        device_memory_bytes: the budget; none is no bound, and everything stays.
        ram_bytes: main memory for copies; 0 where the device's memory is the main one.
        demand: the operator's choice, and what is drawn.

    Raises:
        DeviceTooSmall: says which memory which plan would take.
    """
    names = _AUTOMATIC if demand.name == "auto" else (demand.name,)
    drafts = [_Draft(name, components, demand) for name in names]
    if device_memory_bytes is None and demand.name == "auto":
        drafts = drafts[:1]
    # A plan that need not read files again is worth more than one that is earlier in the list.
    for may_reload in (False, True):
        for draft in drafts:
            if fitting := draft.fitted(device_memory_bytes, ram_bytes, may_reload=may_reload):
                return fitting
    raise DeviceTooSmall(_refusal(drafts, device_memory_bytes, ram_bytes))


@dataclass(frozen=True, slots=True)
class _Draft:
    """One plan by its rules, before it is known whether it fits."""

    name: PlanName
    components: Sequence[Weights]
    demand: Demand

    def fitted(self, budget: int | None, ram_bytes: int, *, may_reload: bool) -> MemoryPlan | None:
        """Return the plan within these bounds, or none."""
        made = (
            table.within(budget, ram_bytes, may_reload=may_reload)
            for table in self._tables(budget)
        )
        return next(filter(None, made), None)

    def smallest(self) -> str:
        """Say the least memory it takes: one picture, decoded in parts."""
        is_sequential = self.name == "sequential"
        streamed = frozenset(c.name for c in self._streamable() if is_sequential)
        table = _Table(self, self._precision(), streamed, 1, TILE_PX)
        kept = self.always_there()
        said = f"{self.name} {_gb(table.peak(kept))}"
        if self.name in {"sequential", "encoder_on_cpu"}:
            said += f" and {_gb(table.host_bytes(table.wheres(kept)))} of main memory"
        return said

    def always_there(self) -> frozenset[str]:
        """Components that the plan promises to keep."""
        return frozenset(c.name for c in self.components if self.name == "resident")

    def _tables(self, budget: int | None) -> Iterator["_Table"]:
        """All ways to carry it out, whole pictures and many of them first."""
        streamed = self._streamed(budget)
        for tile_px, pictures in product((None, TILE_PX), range(self.demand.pictures, 0, -1)):
            yield _Table(self, self._precision(), streamed, pictures, tile_px)

    def _precision(self) -> Precision:
        named: dict[PlanName, Precision] = {"encoder_8bit": "8bit", "encoder_4bit": "4bit"}
        return named.get(self.name, "full")

    def _streamed(self, budget: int | None) -> frozenset[str]:
        """Components that cannot be on the device whole, even with one picture to draw."""
        if self.name != "sequential":
            return frozenset()
        whole = _Table(self, "full", frozenset(), 1, TILE_PX)
        small_bytes = sum(c.sizes["full"] for c in self.components if c.role in _SMALL_ROLES)
        limit = (budget or 0) - small_bytes
        return frozenset(c.name for c in self._streamable() if whole.need(c) > limit)

    def _streamable(self) -> Iterator[Weights]:
        return (c for c in self.components if c.role in _STREAMED_ROLES)


@dataclass(frozen=True, slots=True)
class _Table:
    """A draft with all its choices made: the arithmetic."""

    draft: _Draft
    precision: Precision
    streamed: frozenset[str]
    pictures: int
    tile_px: int | None

    def within(self, budget: int | None, ram_bytes: int, *, may_reload: bool) -> MemoryPlan | None:
        kept = self.draft.always_there()
        if budget is not None and self.peak(kept) > budget:
            return None
        kept = kept or self._kept(budget)
        wheres = self.wheres(kept)
        if self.host_bytes(wheres) > ram_bytes and may_reload:
            wheres = {n: "reloaded" if w == "swapped" else w for n, w in wheres.items()}
        if self.host_bytes(wheres) > ram_bytes:
            return None
        return MemoryPlan(
            name=self.draft.name,
            placements=MappingProxyType(
                {c.name: self._placement(c, wheres[c.name]) for c in self.draft.components}
            ),
            budget_bytes=budget,
            peak_bytes=self.peak(kept),
            pictures_at_once=self.pictures,
            tile_px=self.tile_px,
        )

    def need(self, component: Weights) -> int:
        """What must fit for the component to work, itself included."""
        return self._device_bytes(component) + self._room(component)

    def peak(self, kept: frozenset[str]) -> int:
        """Most there is at once: those kept, the one at work, and its room."""
        return max([0, *(self._room(c) + self._there(c, kept) for c in self.draft.components)])

    def wheres(self, kept: frozenset[str]) -> dict[str, Where]:
        """Where each component is, if main memory has room for the copies."""
        return {c.name: self._where(c, kept) for c in self.draft.components}

    def host_bytes(self, wheres: Mapping[str, Where]) -> int:
        """What the copies in main memory take."""
        return sum(self._copied(c, wheres[c.name]) for c in self.draft.components)

    def _there(self, at_work: Weights, kept: frozenset[str]) -> int:
        """What is there while a component works: itself, its companions, and those kept."""
        there = kept | {at_work.name}
        if at_work.role == "denoiser":
            there |= {c.name for c in self.draft.components if c.role == "companion"}
        return sum(self._device_bytes(c) for c in self.draft.components if c.name in there)

    def _kept(self, budget: int | None) -> frozenset[str]:
        """Keep what fits beside all that comes and goes: the encoder last, it is asked least."""
        kept: frozenset[str] = frozenset()
        last = {"other": 0, "denoiser": 1, "companion": 2, "decoder": 3, "encoder": 4}
        for component in sorted(self.draft.components, key=lambda c: last[c.role]):
            more = kept | {component.name}
            if self._may_stay(component) and (budget is None or self.peak(more) <= budget):
                kept = more
        return kept

    def _may_stay(self, component: Weights) -> bool:
        is_offloaded = component.role == "encoder" and self.draft.name == "offload_encoder"
        is_streamed = component.name in self.streamed
        return not is_offloaded and not is_streamed and not self._is_on_cpu(component)

    def _is_on_cpu(self, component: Weights) -> bool:
        return component.role == "encoder" and self.draft.name == "encoder_on_cpu"

    def _precision(self, component: Weights) -> Precision:
        return self.precision if component.role == "encoder" else "full"

    def _device_bytes(self, component: Weights) -> int:
        if self._is_on_cpu(component):
            return 0
        if component.name in self.streamed:
            block = max(self.draft.demand.block_bytes, component.largest_tensor)
            return min(component.sizes["full"], block)
        return component.sizes[self._precision(component)]

    def _room(self, component: Weights) -> int:
        demand = self.draft.demand
        if self._is_on_cpu(component):
            return demand.working.reserve_bytes
        decoded_px = demand.pixels if self.tile_px is None else self.tile_px**2
        return demand.room(component, self.pictures, min(decoded_px, demand.pixels))

    def _where(self, component: Weights, kept: frozenset[str]) -> Where:
        if self._is_on_cpu(component):
            return "cpu"
        if component.name in self.streamed:
            return "streamed"
        return "stays" if component.name in kept else "swapped"

    def _copied(self, component: Weights, where: Where) -> int:
        held = where in {"swapped", "streamed", "cpu"}
        return component.sizes[self._precision(component)] if held else 0

    def _placement(self, component: Weights, where: Where) -> Placement:
        return Placement(
            name=component.name,
            precision=self._precision(component),
            where=where,
            device_bytes=self._device_bytes(component),
            host_bytes=self._copied(component, where),
            room_bytes=self._room(component),
        )


def _refusal(drafts: Sequence[_Draft], budget: int | None, ram_bytes: int) -> str:
    """Say in one sentence what there is and what would do."""
    there = "no bound" if budget is None else f"{_gb(budget)} for it"
    wants = ", ".join(draft.smallest() for draft in drafts)
    beside = sum(c.sizes["full"] for c in drafts[0].components if c.role == "companion")
    avoidable = f" ({_gb(beside)} of each for image_prompts and shapes)" if beside else ""
    return (
        f"the model does not fit: the device has {there} and main memory {_gb(ram_bytes)} "
        f"for copies; needed are, by plan{avoidable}: {wants}"
    )


def _gb(size_bytes: int) -> str:
    return f"{size_bytes / 1e9:.2f} GB"

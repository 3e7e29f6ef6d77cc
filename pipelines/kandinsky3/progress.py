"""What is told of a batch as it is drawn, and who leaves it."""

from collections.abc import Sequence

from torch import Tensor

from pipelines.contracts import Cancelled, OnStep, Step
from pipelines.kandinsky3.preview import Previews
from pipelines.kandinsky3.sampler import Rows


class Progress:
    """Watches the sampler for a batch of requests, each of which owns one or more rows.

    The rows may be drawn in several parts, one after the other.

    Args:
        owners: for each row of the start, the index of its request.
        steps: how many steps a part takes, all samplers together.
        parts: how many parts there will be.
        on_step: hears of each step; answers with the requests that are no longer wanted.
        previews: makes the small pictures.
    """

    def __init__(
        self,
        owners: Sequence[int],
        steps: int,
        parts: int,
        on_step: OnStep,
        previews: Previews,
    ) -> None:
        self._owners = owners
        self._steps = steps
        self._total = steps * parts
        self._on_step = on_step
        self._previews = previews
        self._index = 0
        self._withdrawn: frozenset[int] = frozenset()

    def begin(self, part: int, rows: Rows) -> Rows:
        """Count on from the start of a part, without the rows that nobody wants by now.

        Args:
            part: how many parts came before it, drawn to their end or not.
            rows: all of the part's rows.

        Raises:
            Cancelled: nobody wants any of them.
        """
        self._index = part * self._steps
        return rows.keep(self._kept(rows))

    def is_wanted(self, owner: int) -> bool:
        """Say whether the request was never withdrawn."""
        return owner not in self._withdrawn

    def __call__(self, rows: Rows, guess: Tensor) -> list[int]:
        """Tell of one more step; answer with the positions of the rows that go on.

        Args:
            rows: the rows still being drawn.
            guess: their final latents as predicted by now, (R, 4, h, w).

        Raises:
            Cancelled: nobody wants any of them.
        """
        self._index += 1
        step = Step(self._index, self._total, self._shown(rows, guess))
        self._withdrawn |= self._on_step(step)
        return self._kept(rows)

    def _kept(self, rows: Rows) -> list[int]:
        kept = [
            position
            for position, index in enumerate(rows.indices)
            if self.is_wanted(self._owners[index])
        ]
        if not kept:
            raise Cancelled
        return kept

    def _shown(self, rows: Rows, guess: Tensor) -> dict[int, bytes]:
        if not self._previews.is_due(self._index, self._total):
            return {}
        positions: dict[int, list[int]] = {}
        for position, index in enumerate(rows.indices):
            positions.setdefault(self._owners[index], []).append(position)
        return {owner: self._previews.render(guess[own]) for owner, own in positions.items()}

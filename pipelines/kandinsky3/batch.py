"""A batch of requests as rows: what every recipe of Kandinsky 3 does around its sampler."""

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from pipelines.contracts import (
    Cancelled,
    GenerationError,
    OnStep,
    Output,
    PartlyFailed,
    Picture,
)

if TYPE_CHECKING:
    from pipelines.kandinsky3.model import Kandinsky3
    from pipelines.kandinsky3.progress import Progress
    from pipelines.kandinsky3.sampler import Rows
    from pipelines.requests import DrawingRequest

ValueT = TypeVar("ValueT")


class Batch:
    """The pictures of several requests, a row each; an owner is a request's index.

    No more than the profile's ``batch_pictures`` are drawn at once: of a larger batch, such as one
    request for four pictures on a small device, one part follows the other.

    Args:
        kandinsky: the blocks.
        requests: of one size, as their batch key promises.

    Attributes:
        owners: whose each row is.
        seeds: each row's own.
    """

    def __init__(self, kandinsky: "Kandinsky3", requests: "Sequence[DrawingRequest]") -> None:
        self._kandinsky = kandinsky
        self._size = (requests[0].width_px, requests[0].height_px)
        self.owners = [owner for owner, request in enumerate(requests) for _ in request.seeds]
        self.seeds = [seed for request in requests for seed in request.seeds]

    def per_row(self, values: Iterable[ValueT]) -> list[ValueT]:
        """Repeat what each request brings for each of its rows."""
        of_requests = list(values)
        return [of_requests[owner] for owner in self.owners]

    def draw(
        self, steps: int, on_step: OnStep, denoise: "Callable[[Rows, Progress], Rows]"
    ) -> dict[int, Output]:
        """Draw every request's pictures; see :class:`pipelines.contracts.Pipeline`.

        Args:
            steps: of all samplers together.
            on_step: hears of each.
            denoise: takes fresh rows to finished ones, without those that were withdrawn.

        Raises:
            PartlyFailed: some requests' pictures came to nothing by themselves.
            Cancelled: nobody wants any of them.
        """
        started_s = time.monotonic()
        kandinsky = self._kandinsky
        parts = kandinsky.start(self.seeds, *self._size).split(kandinsky.pictures_at_once)
        watch = kandinsky.watch(self.owners, steps, len(parts), on_step)
        drawn: dict[int, list[Picture]] = {}
        errors: dict[int, GenerationError] = {}
        for number, part in enumerate(parts):
            with suppress(Cancelled):  # this part; someone may wait for the next
                rows = denoise(watch.begin(number, part), watch)
                pictures = kandinsky.pictures(rows, self.seeds)
                for index, picture in zip(rows.indices, pictures, strict=True):
                    if isinstance(picture, Picture):
                        drawn.setdefault(self.owners[index], []).append(picture)
                    else:
                        errors[self.owners[index]] = picture

        seconds = time.monotonic() - started_s
        errors = {owner: error for owner, error in errors.items() if watch.is_wanted(owner)}
        outputs = {
            owner: Output(tuple(pictures), seconds)
            for owner, pictures in drawn.items()
            if watch.is_wanted(owner) and owner not in errors
        }
        if errors:
            raise PartlyFailed(outputs, errors)
        if not outputs:
            raise Cancelled
        return outputs

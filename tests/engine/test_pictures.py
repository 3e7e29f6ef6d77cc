"""Requests that start from pictures, from the bot's end of the pipe to the recipe."""

from collections.abc import Mapping, Sequence

import pytest

from pipelines.contracts import (
    AnyMode,
    Failed,
    ImageBlob,
    ImageRequest,
    Mode,
    OnStep,
    Output,
    Pipeline,
    Request,
    Work,
)
from pipelines.engine import wire
from pipelines.engine.batch import Device
from pipelines.engine.process import WorkerProcess
from pipelines.engine.wire import JobFailed, JobFinished, Report, RunBatch
from pipelines.profiles import Profile
from pipelines.weights import ComponentStore
from tests.engine.asking import rest, work


class Collage(ImageRequest):
    """A request that starts from pictures."""

    @property
    def batch_key(self) -> str:
        return "collage"


class Desk:
    """A device in this process with one mode, what that is given, and what is reported."""

    def __init__(self, profile: Profile, *, is_served: bool = True) -> None:
        self.reports: list[Report] = []
        self.loads = 0
        self.given: list[tuple[bytes, ...]] = []
        mode = Mode("collage", Collage, 1, self.load, is_served=lambda _profile: is_served)
        modes: Mapping[str, AnyMode] = {"collage": mode}
        self.device = Device(profile, modes, self.send, lambda _batch, _job: False)

    def load(self, store: ComponentStore) -> Pipeline[Request]:
        self.loads += 1
        return self.draw

    def draw(self, requests: Sequence[Request], on_step: OnStep) -> dict[int, Output]:
        for request in requests:
            assert isinstance(request, ImageRequest)
            self.given.append(tuple(image.data for image in request.images))
        return {index: Output((), 0.1) for index in range(len(requests))}

    def send(self, report: Report, parts: Sequence[bytes]) -> None:
        self.reports.append(report)

    def run(self, works: Sequence[Work], pictures: Mapping[str, bytes] | None = None) -> None:
        order, parts = RunBatch.of(1, works)
        self.device.run(order, order.data(parts) if pictures is None else pictures)

    @property
    def failures(self) -> dict[int, str]:
        return {r.job_id: r.code for r in self.reports if isinstance(r, JobFailed)}

    @property
    def finished(self) -> list[int]:
        return [r.job_id for r in self.reports if isinstance(r, JobFinished)]


def collage(job_id: int, *pictures: bytes) -> Work:
    images = tuple(map(ImageBlob.of, pictures))
    return Work(job_id, "collage", Collage(seed=job_id, images=images))


def test_a_recipe_gets_the_bytes_of_its_pictures_in_their_order(profile: Profile) -> None:
    desk = Desk(profile)
    desk.run([collage(1, b"a cat", b"a dog"), collage(2, b"a dog")])
    assert desk.finished == [1, 2]
    assert desk.given == [(b"a cat", b"a dog"), (b"a dog",)]


@pytest.mark.parametrize("damaged", [{}, {ImageBlob.of(b"a cat").key: b"half a c"}])
def test_a_picture_that_is_not_what_it_was_fails_its_job_alone(
    profile: Profile, damaged: dict[str, bytes]
) -> None:
    desk = Desk(profile)
    dog = ImageBlob.of(b"a dog")
    desk.run([collage(1, b"a cat"), collage(2, b"a dog")], {**damaged, dog.key: dog.data})
    assert desk.failures == {1: "error-picture-gone"}
    assert desk.finished == [2]


def test_a_mode_the_weights_cannot_serve_is_neither_loaded_nor_drawn(profile: Profile) -> None:
    desk = Desk(profile, is_served=False)
    desk.device.open()
    desk.device.warm_up("collage")
    desk.run([collage(1, b"a cat"), collage(2, b"a dog")])
    assert desk.failures == dict.fromkeys((1, 2), "error-unsupported")
    assert desk.loads == 0
    assert [r.state for r in desk.reports if r.kind == "readiness"] == ["ready"]


def test_a_mode_that_is_served_is_warmed_up(profile: Profile) -> None:
    desk = Desk(profile)
    desk.device.warm_up("collage")
    assert desk.loads == 1


class FakePipe:
    """Takes what is written."""

    def __init__(self) -> None:
        self.written: list[bytes] = []

    def write(self, frame: bytes) -> None:
        self.written.append(frame)


async def test_a_batch_too_large_for_a_frame_fails_and_the_worker_lives(
    profile: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "_BYTES_MAX", 10)
    worker, pipe = WorkerProcess(profile), FakePipe()
    monkeypatch.setattr(worker, "_writer", pipe)
    events = await rest(worker.run([collage(1, b"more than ten bytes")]))
    assert events == [Failed(1, "error-out-of-memory")]
    assert pipe.written == []
    events_of_another = worker.run([work(2)])
    assert len(pipe.written) == 1
    await events_of_another.aclose()

import json

import pytest

from pipelines.contracts import Drawn, ImageBlob, ImageRequest, Output, Picture, Work
from pipelines.engine import wire
from pipelines.engine.wire import (
    HEAD,
    BatchBegan,
    BatchProgress,
    BatchRewording,
    Configure,
    Garbled,
    JobFailed,
    JobFinished,
    JobWorded,
    Message,
    Readiness,
    RunBatch,
    Stop,
    Task,
    TooLarge,
    Withdraw,
    pack,
    sizes,
    unpack,
)
from pipelines.profiles import Profile
from pipelines.prompting.settings import PromptingSettings
from pipelines.text_to_image import TextToImageRequest

REQUEST = TextToImageRequest(
    prompt="кот 🐈\n", width_px=64, height_px=64, quality="flash", seed=2**32 - 1
)

PROMPTING = PromptingSettings.model_validate(
    {"endpoint": {"url": "http://localhost:11434/v1", "model": "m", "key": "secret"}}
)


def through_a_pipe(frame: bytes) -> tuple[Message, list[bytes]]:
    envelope_bytes, parts_bytes = sizes(frame[: HEAD.size])
    envelope_end = HEAD.size + envelope_bytes
    assert len(frame) == envelope_end + parts_bytes
    return unpack(frame[HEAD.size : envelope_end], frame[envelope_end:])


def test_every_message_arrives_as_it_was_sent(profile: Profile) -> None:
    task = Task.of(Work(5, "text_to_image", REQUEST))
    messages: list[Message] = [
        Configure(profile=profile),
        Configure(profile=profile, prompting=PROMPTING, workers=2),
        RunBatch(batch=1, tasks=[task]),
        Withdraw(batch=1, job_id=5),
        Stop(),
        Readiness(state="broken", reason="weights/a: expected a file"),
        BatchBegan(batch=1),
        BatchRewording(batch=1, jobs=[5]),
        JobWorded(batch=1, job_id=5, drawn=Drawn(words="рыжая лиса 🦊", code=None)),
        BatchProgress(batch=1, index=2, total=25, jobs=[4, 5], shown=[5]),
        JobFailed(batch=1, job_id=5, code="error-out-of-memory"),
    ]
    for message in messages:
        assert through_a_pipe(pack(message, [b"", b"\x00K3w1"])) == (message, [b"", b"\x00K3w1"])
    assert TextToImageRequest.model_validate(task.request) == REQUEST


def test_pictures_come_back_whole() -> None:
    pictures = tuple(
        Picture(b"png %d" % index, b"jpeg", 64, 128, seed=index) for index in range(3)
    )
    output = Output(pictures, seconds=1.5)
    message, parts = through_a_pipe(pack(*JobFinished.of(1, 7, output)))
    assert isinstance(message, JobFinished)
    assert message.output(parts) == output


class Collage(ImageRequest):
    """A request that starts from pictures."""

    @property
    def batch_key(self) -> str:
        return "collage"


def collage(*pictures: bytes) -> Collage:
    return Collage(seed=1, images=tuple(map(ImageBlob.of, pictures)))


def test_pictures_to_start_from_go_with_their_batch_each_once() -> None:
    works = [
        Work(1, "collage", collage(b"a cat", b"")),
        Work(2, "text_to_image", REQUEST),
        Work(3, "collage", collage(b"a dog", b"a cat")),
    ]
    message, parts = through_a_pipe(pack(*RunBatch.of(7, works)))
    assert isinstance(message, RunBatch)
    assert parts == [b"a cat", b"", b"a dog"]
    data = message.data(parts)
    for work, task in zip(works, message.tasks, strict=True):
        assert "data" not in json.dumps(task.request)
        if isinstance(work.request, ImageRequest):
            assert Collage.model_validate(task.request).with_data(data) == work.request


def test_a_batch_with_fewer_bytes_than_it_announces_is_garbled() -> None:
    message, parts = RunBatch.of(7, [Work(1, "collage", collage(b"a cat", b"a dog"))])
    with pytest.raises(Garbled):
        message.data(parts[:1])


def test_what_the_other_side_would_not_read_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "_BYTES_MAX", 10)
    order, parts = RunBatch.of(7, [Work(1, "collage", collage(b"a cat", b"a dog"))])
    assert pack(order, parts)
    order, parts = RunBatch.of(7, [Work(1, "collage", collage(b"a cat", b"a dog!"))])
    with pytest.raises(TooLarge):
        pack(order, parts)


@pytest.mark.parametrize("head", [b"HTTP/1.1 200", b"\x00" * 12, b"K3w1" + b"\xff" * 8])
def test_a_foreign_head_is_garbled(head: bytes) -> None:
    with pytest.raises(Garbled):
        sizes(head)


@pytest.mark.parametrize(
    "envelope",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"{}",
        json.dumps({"message": {"kind": "nope"}, "sizes": []}).encode(),
        json.dumps({"message": {"kind": "stop", "more": 1}, "sizes": []}).encode(),
        json.dumps({"message": {"kind": "stop"}, "sizes": "x"}).encode(),
        json.dumps({"message": {"kind": "stop"}, "sizes": [5]}).encode(),
    ],
)
def test_a_foreign_envelope_is_garbled(envelope: bytes) -> None:
    with pytest.raises(Garbled):
        unpack(envelope, b"1234")

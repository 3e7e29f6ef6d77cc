"""What the bot's process and a worker process say to each other, and how it looks in a pipe.

A frame is a fixed head (magic, length of the envelope, length of the bytes), an envelope of JSON
and raw bytes for what is no text. Both ends are ours, yet nothing is unpickled: a frame that does
not parse is :class:`Garbled` and its reader gives the other end up.
"""

import json
import struct
from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, TypeAdapter, ValidationError

from pipelines.contracts import Drawn, ImageRequest, Output, Picture, Work
from pipelines.profiles import Profile
from pipelines.prompting.settings import PromptingSettings

HEAD: Final = struct.Struct("<4sII")
_MAGIC: Final = b"K3w1"
_ENVELOPE_MAX_BYTES: Final = 16 * 2**20
_BYTES_MAX: Final = 2**30


class Garbled(Exception):
    """What came through the pipe is no message of ours."""


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Configure(_Message):
    """To the worker, first of all; ``workers`` share the machine's main memory, it included."""

    kind: Literal["configure"] = "configure"
    profile: Profile
    prompting: PromptingSettings | None = None
    workers: PositiveInt = 1


class Task(_Message):
    """One job of a batch; ``request`` is checked against the mode's type by the worker."""

    job_id: int
    mode: str
    request: dict[str, Any]

    @classmethod
    def of(cls, work: Work) -> "Task":
        """Make plain values of a piece of work."""
        request = work.request.model_dump(mode="json")
        return cls(job_id=work.job_id, mode=work.mode, request=request)


class RunBatch(_Message):
    """To the worker: draw these; batches queue up.

    ``pictures`` are the keys of what the requests start from, each once; the frame has the bytes
    of each, in their order.
    """

    kind: Literal["run"] = "run"
    batch: int
    tasks: list[Task] = Field(min_length=1)
    pictures: list[str] = []

    @classmethod
    def of(cls, batch: int, works: Sequence[Work]) -> tuple["RunBatch", list[bytes]]:
        """Take pieces of work apart into a message and its bytes."""
        pictures = {
            image.key: image.data
            for work in works
            if isinstance(work.request, ImageRequest)
            for image in work.request.images
        }
        tasks = [Task.of(work) for work in works]
        return cls(batch=batch, tasks=tasks, pictures=list(pictures)), list(pictures.values())

    def data(self, parts: Sequence[bytes]) -> dict[str, bytes]:
        """Find the bytes of each picture by its key.

        Raises:
            Garbled: there are not as many parts as keys.
        """
        if len(parts) != len(self.pictures):
            msg = f"{len(parts)} parts where {len(self.pictures)} pictures were announced"
            raise Garbled(msg)
        return dict(zip(self.pictures, parts, strict=True))


class Withdraw(_Message):
    """To the worker: nobody wants this job of this batch any more."""

    kind: Literal["withdraw"] = "withdraw"
    batch: int
    job_id: int


class Stop(_Message):
    """To the worker: leave at the next step."""

    kind: Literal["stop"] = "stop"


class Readiness(_Message):
    """From the worker: how it is. ``reason`` is a line for the operator, when broken."""

    kind: Literal["readiness"] = "readiness"
    state: Literal["starting", "ready", "broken"]
    reason: str = ""


class BatchBegan(_Message):
    """From the worker: the weights are there, and the batch is about to be drawn."""

    kind: Literal["began"] = "began"
    batch: int


class BatchRewording(_Message):
    """From the worker: a language model is at work on the words of ``jobs``."""

    kind: Literal["rewording"] = "rewording"
    batch: int
    jobs: list[int]


class JobWorded(_Message):
    """From the worker: what will be drawn for a job, however the attempt ends."""

    kind: Literal["worded"] = "worded"
    batch: int
    job_id: int
    drawn: Drawn


class BatchProgress(_Message):
    """From the worker: ``index`` of ``total`` steps of ``jobs`` are done.

    One JPEG for each of ``shown``.
    """

    kind: Literal["progress"] = "progress"
    batch: int
    index: int
    total: int
    jobs: list[int]
    shown: list[int] = []


class PictureInfo(_Message):
    """A picture's plain part; its PNG and its JPEG are two of the frame's bytes, in order."""

    seed: int
    width_px: int
    height_px: int


class JobFinished(_Message):
    """From the worker: a job's pictures."""

    kind: Literal["finished"] = "finished"
    batch: int
    job_id: int
    seconds: float
    pictures: list[PictureInfo]

    @classmethod
    def of(cls, batch: int, job_id: int, output: Output) -> tuple["JobFinished", list[bytes]]:
        """Take an output apart into a message and its bytes."""
        infos = [
            PictureInfo(seed=picture.seed, width_px=picture.width_px, height_px=picture.height_px)
            for picture in output.pictures
        ]
        message = cls(batch=batch, job_id=job_id, seconds=output.seconds, pictures=infos)
        return message, [
            part for picture in output.pictures for part in (picture.png, picture.jpeg)
        ]

    def output(self, parts: Sequence[bytes]) -> Output:
        """Put the output together again."""
        pairs = zip(self.pictures, parts[::2], parts[1::2], strict=True)
        return Output(
            tuple(
                Picture(png, jpeg, info.width_px, info.height_px, info.seed)
                for info, png, jpeg in pairs
            ),
            self.seconds,
        )


class BatchEnded(_Message):
    """From the worker: it is done with a batch, whether or not anybody wanted it to the end."""

    kind: Literal["ended"] = "ended"
    batch: int


class JobFailed(_Message):
    """From the worker: a job came to nothing; ``code`` is the key of the user's sentence."""

    kind: Literal["failed"] = "failed"
    batch: int
    job_id: int
    code: str


Order = Configure | RunBatch | Withdraw | Stop
Report = (
    Readiness
    | BatchBegan
    | BatchRewording
    | JobWorded
    | BatchProgress
    | JobFinished
    | JobFailed
    | BatchEnded
)
Message = Order | Report
_MESSAGE: Final[TypeAdapter[Message]] = TypeAdapter(
    Annotated[Message, Field(discriminator="kind")]
)


class TooLarge(Exception):
    """More bytes than one frame can have."""


def pack(message: Message, parts: Sequence[bytes] = ()) -> bytes:
    """Make one frame of a message and its bytes.

    Raises:
        TooLarge: the other side would give us up over it.
    """
    envelope = json.dumps(
        {"message": message.model_dump(mode="json"), "sizes": [len(part) for part in parts]}
    ).encode()
    size_bytes = sum(map(len, parts))
    if len(envelope) > _ENVELOPE_MAX_BYTES or size_bytes > _BYTES_MAX:
        msg = f"{message.kind}: {len(envelope)} + {size_bytes} bytes"
        raise TooLarge(msg)
    return b"".join([HEAD.pack(_MAGIC, len(envelope), size_bytes), envelope, *parts])


def sizes(head: bytes) -> tuple[int, int]:
    """Read a frame's head: the lengths of its envelope and of its bytes.

    Raises:
        Garbled: it is no head of ours.
    """
    magic, envelope_bytes, parts_bytes = HEAD.unpack(head)
    if magic != _MAGIC or envelope_bytes > _ENVELOPE_MAX_BYTES or parts_bytes > _BYTES_MAX:
        msg = f"no head of a frame: {head!r}"
        raise Garbled(msg)
    return envelope_bytes, parts_bytes


def unpack(envelope: bytes, parts_joined: bytes) -> tuple[Message, list[bytes]]:
    """Read a frame's envelope and cut its bytes.

    Raises:
        Garbled: they are not what :func:`pack` makes.
    """
    try:
        opened = json.loads(envelope)
        message = _MESSAGE.validate_python(opened["message"])
        parts, start = [], 0
        for size_bytes in opened["sizes"]:
            parts.append(parts_joined[start : start + size_bytes])
            start += size_bytes
    except (ValueError, TypeError, KeyError, ValidationError) as error:
        msg = f"no envelope of a frame: {envelope[:80]!r}"
        raise Garbled(msg) from error
    if start != len(parts_joined):
        msg = f"{len(parts_joined)} bytes where {start} were announced"
        raise Garbled(msg)
    return message, parts

"""A job as it is stored: one row of the table, typed."""

import json
import sqlite3
from dataclasses import asdict, dataclass
from typing import Final, Literal, get_args

JobState = Literal["queued", "running", "done", "delivered", "failed", "cancelled"]
JOB_STATES: Final[tuple[JobState, ...]] = get_args(JobState)


@dataclass(frozen=True, slots=True)
class ResultPicture:
    """Where one finished picture is kept.

    Attributes:
        png_key, jpeg_key: blob keys; the bytes may be gone after their lifetime.
        seed: makes this very picture again.
        file_id: Telegram's name for the picture, once it has it.
    """

    png_key: str
    jpeg_key: str
    seed: int
    width_px: int
    height_px: int
    file_id: str | None = None


@dataclass(frozen=True, slots=True)
class JobResult:
    """What a job came to. ``seconds`` of device time, shared with its batch."""

    pictures: tuple[ResultPicture, ...]
    seconds: float

    def to_json(self) -> str:
        """Write it down."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> "JobResult":
        """Read what :meth:`to_json` wrote."""
        fields = json.loads(text)
        pictures = tuple(ResultPicture(**picture) for picture in fields["pictures"])
        return cls(pictures=pictures, seconds=fields["seconds"])


@dataclass(frozen=True, slots=True)
class Card:
    """The message that shows a job.

    Attributes:
        has_media: the message is a photo, so it is edited as one.
        stage: how far delivery is; its own word, written around each send that must not be
            repeated.
    """

    message_id: int
    has_media: bool
    stage: str


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job about to be inserted. ``request`` is JSON; ``cost`` in quota units.

    ``parent_id`` is the job whose picture it goes on from.
    """

    origin: str
    user_id: int
    chat_id: int
    thread_id: int | None
    reply_to_message_id: int | None
    language: str
    mode: str
    request: str
    batch_key: str
    pictures: int
    cost: int
    parent_id: int | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """One row of the job table, as it was when read. Times are Unix seconds.

    Attributes:
        attempts: how often it was claimed.
        crashes: how many of these attempts killed the worker.
        told: the chat has been shown how it ended.
        parent_id: the job whose picture it went on from, for as long as that one is known.
    """

    id: int
    origin: str
    user_id: int
    chat_id: int
    thread_id: int | None
    reply_to_message_id: int | None
    language: str
    mode: str
    request: str
    batch_key: str
    pictures: int
    cost: int
    state: JobState
    attempts: int
    crashes: int
    created_at: float
    started_at: float | None
    finished_at: float | None
    error_code: str | None
    result: JobResult | None
    card: Card | None
    told: bool
    parent_id: int | None = None

    @property
    def is_over(self) -> bool:
        """Nothing will change how it ended."""
        return self.state not in {"queued", "running"}


_PLAIN: Final = (
    "id",
    "origin",
    "user_id",
    "chat_id",
    "thread_id",
    "reply_to_message_id",
    "language",
    "mode",
    "request",
    "batch_key",
    "pictures",
    "cost",
    "state",
    "attempts",
    "crashes",
    "created_at",
    "started_at",
    "finished_at",
    "error_code",
    "parent_id",
)


def job_of(row: sqlite3.Row) -> Job:
    """Type a row of ``SELECT * FROM jobs``."""
    card = None
    if row["card_message_id"] is not None:
        card = Card(row["card_message_id"], bool(row["card_has_media"]), row["card_stage"])
    result = None if row["result"] is None else JobResult.from_json(row["result"])
    return Job(
        **{name: row[name] for name in _PLAIN},
        result=result,
        card=card,
        told=bool(row["told"]),
    )

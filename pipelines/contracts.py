"""What the rest of the program may know about generation: pydantic and the standard library only.

A *mode* is one thing a user can ask for. Each mode lives in one file of this package and exposes
exactly one ``MODE``. The bot hands an engine pieces of :class:`Work` and hears back a stream of
:data:`Event`. Nothing in here imports torch, so the bot process never does.

The tree of expected failures::

    GenerationError              error-generation-failed   a fault on our side, or a broken promise
      Cancelled                  error-cancelled           nobody wants the picture any more
      OutOfDeviceMemory          error-out-of-memory       the request does not fit on the device
      UnsupportedRequest         error-unsupported         the loaded profile cannot do this
    EngineStopped                                          the engine is going down; run it again
    WorkerDied                                             the process with the device is gone
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from pipelines.weights import ComponentStore

SEED_MAX: Final = 2**32 - 1
"""Largest seed accepted, inclusive."""


class GenerationError(Exception):
    """An attempt that failed. ``code`` is the key of the sentence the user reads."""

    code: ClassVar[str] = "error-generation-failed"


class Cancelled(GenerationError):
    """Every request of the batch was withdrawn."""

    code = "error-cancelled"


class OutOfDeviceMemory(GenerationError):
    """The request does not fit into the device's memory; a smaller one may."""

    code = "error-out-of-memory"


class UnsupportedRequest(GenerationError):
    """The profile's weights cannot serve this request."""

    code = "error-unsupported"


class EngineStopped(Exception):
    """The engine is shutting down: the work was not finished and may be run again later."""


class WorkerDied(Exception):
    """The process that owned the device died with the work in its hands.

    Attributes:
        had_begun: whether it had begun to draw, so that the work itself may be what killed it;
            else the work was only waiting, for example for the weights.
    """

    def __init__(self, reason: str = "", *, had_begun: bool) -> None:
        super().__init__(reason)
        self.had_begun = had_begun


class Request(BaseModel, ABC):
    """Everything one generation needs: immutable, bounded, serialisable, free of tensors."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = Field(ge=0, le=SEED_MAX)
    """The first picture's seed; picture ``i`` uses ``seed + i`` (modulo ``SEED_MAX + 1``)."""

    @property
    def pictures(self) -> int:
        """How many pictures this request makes: its share of a batch, at least 1."""
        return 1

    @property
    @abstractmethod
    def batch_key(self) -> str:
        """Requests of one mode with equal keys may run in one batch."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One finished picture, encoded.

    Attributes:
        png: lossless, exactly the model's pixels (``width_px`` x ``height_px``).
        jpeg: for showing in a chat; a small profile enlarges it, the proportions are the same.
        seed: the seed that makes this very picture again.
    """

    png: bytes
    jpeg: bytes
    width_px: int
    height_px: int
    seed: int


@dataclass(frozen=True, slots=True)
class Output:
    """What one request came to. ``seconds`` of device time, shared with its batch."""

    pictures: tuple[Picture, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Step:
    """Progress of a batch: ``index`` of ``total`` denoising steps are done (1-based).

    ``previews`` holds one small JPEG per request of the batch (by its index), or nothing when
    none was due at this step.
    """

    index: int
    total: int
    previews: dict[int, bytes] = field(default_factory=dict)


OnStep = Callable[[Step], frozenset[int]]
"""Takes the progress, answers with the indices of the requests that are no longer wanted.

A recipe drops those from its batch before the next step; when none is left it raises
:class:`Cancelled`. The others' pictures do not change (batch rule).
"""

RequestT = TypeVar("RequestT", bound=Request)
RequestT_contra = TypeVar("RequestT_contra", bound=Request, contravariant=True)


class Pipeline(Protocol[RequestT_contra]):
    """A loaded mode. Blocking; called only inside the process that owns the device."""

    def __call__(self, requests: Sequence[RequestT_contra], on_step: OnStep) -> dict[int, Output]:
        """Run a batch; answer each request by its index, those withdrawn left out.

        Raises:
            GenerationError: any expected failure, for the whole batch.
        """
        ...


@dataclass(frozen=True, slots=True)
class Mode(Generic[RequestT]):
    """The registration of one mode.

    Attributes:
        name: the file's name, and the name of its flow, texts and tests.
        request_type: what the mode takes.
        cost: quota units one picture costs.
        load: builds the pipeline from the component store. The only place that imports torch.
    """

    name: str
    request_type: type[RequestT]
    cost: int
    load: Callable[["ComponentStore"], Pipeline[RequestT]]


AnyMode = Mode[Any]


@dataclass(frozen=True, slots=True)
class Work:
    """One job as the engine sees it. All work of one batch has one mode and one batch key."""

    job_id: int
    mode: str
    request: Request


@dataclass(frozen=True, slots=True)
class Progressed:
    """A denoising step of this job is done. ``preview`` is a small JPEG, when one was due."""

    job_id: int
    index: int
    total: int
    preview: bytes | None


@dataclass(frozen=True, slots=True)
class Finished:
    """The job's pictures are made."""

    job_id: int
    output: Output


@dataclass(frozen=True, slots=True)
class Failed:
    """The attempt failed; ``code`` is the key of the user's sentence."""

    job_id: int
    code: str


Event = Progressed | Finished | Failed
"""What an engine reports. Each job of a batch ends with exactly one Finished or Failed."""

"""What the rest of the program may know about generation: pydantic and the standard library only.

A *mode* is one thing a user can ask for. Each mode lives in one file of this package and exposes
exactly one ``MODE``. The bot hands an engine pieces of :class:`Work` and hears back a stream of
:data:`Event`. Nothing in here imports torch, so the bot process never does.

The tree of expected failures::

    GenerationError              error-generation-failed   a fault on our side, or a broken promise
      Cancelled                  error-cancelled           nobody wants the picture any more
      OutOfDeviceMemory          error-out-of-memory       the request does not fit on the device
      UnsupportedRequest         error-unsupported         the loaded profile cannot do this
      PictureGone                error-picture-gone        what it starts from is not kept (whole)
      PartlyFailed                                         some requests of a batch, by themselves
    EngineStopped                                          the engine is going down; run it again
    WorkerDied                                             the process with the device is gone
"""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, Literal, Protocol, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from pipelines.profiles import Profile
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


class PictureGone(GenerationError):
    """A picture that the request starts from is not kept any more, or not as it was."""

    code = "error-picture-gone"


class PartlyFailed(GenerationError):
    """Some requests of a batch came to nothing by themselves; the others are done.

    Attributes:
        outputs: of the others, by index.
        errors: what befell each of those that failed, by index.
    """

    def __init__(self, outputs: "dict[int, Output]", errors: dict[int, GenerationError]) -> None:
        super().__init__("; ".join(str(error) or error.code for error in errors.values()))
        self.outputs = outputs
        self.errors = errors


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

    def again(self, seed: int) -> Self:
        """Ask for the same once more, from another seed."""
        return self.model_copy(update={"seed": seed})


class ImageBlob(BaseModel):
    """A picture that somebody handed in, made fit to be drawn from (see ``uploads``).

    Where requests are stored it is its key alone; its bytes ride along only on the way to the
    engine.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str = Field(pattern="^[0-9a-f]{64}$", description="of the bytes: their SHA-256")
    data: bytes = Field(default=b"", exclude=True, repr=False)

    @classmethod
    def of(cls, data: bytes) -> Self:
        """Hold the bytes themselves."""
        return cls(key=hashlib.sha256(data).hexdigest(), data=data)


class ImageRequest(Request, ABC):
    """A request that starts from pictures; the engine gets their bytes with it."""

    images: tuple[ImageBlob, ...] = Field(min_length=1, description="the pictures, in order")

    def with_data(self, data: Mapping[str, bytes]) -> Self:
        """Put in the bytes of each picture, by its key.

        Raises:
            KeyError: those of a picture are not there.
        """
        images = tuple(image.model_copy(update={"data": data[image.key]}) for image in self.images)
        return self.model_copy(update={"images": images})


Wording = Literal["as-typed", "translated", "beautified"]
"""What may be done to typed words before they are drawn; "beautified" translates as well."""

DRAWN_MAX_CHARS: Final = 4000


class Drawn(BaseModel):
    """What the engine's prompt step made of a request's words.

    Attributes:
        words: what is drawn: a language model's words, or the typed ones where it gave none; empty
            where none were typed.
        negative_words: what is kept out of the picture, where the typed words were translated.
        code: where typed words had to do, the key of the sentence that says why.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    words: str = Field(max_length=DRAWN_MAX_CHARS)
    negative_words: str | None = Field(default=None, min_length=1, max_length=DRAWN_MAX_CHARS)
    code: str | None = None


class WordedRequest(Request, ABC):
    """A request that says in words what to draw; the engine's prompt step sees to these."""

    prompt: str
    """As typed."""
    negative_prompt: str = ""
    """What to keep out of the picture, as typed; it may be translated, never improved."""
    wording: Wording = Field(default="as-typed", description="what may be done to the words first")
    drawn: Drawn | None = None
    """Filled in once the prompt step has looked at it, which then never happens again."""

    @property
    def words(self) -> str:
        """The words that are drawn, as far as it is known by now."""
        return self.drawn.words if self.drawn else self.prompt

    @property
    def negative_words(self) -> str:
        """The words that are kept out of the picture, as far as it is known by now."""
        return (self.drawn and self.drawn.negative_words) or self.negative_prompt

    def sentence(self, words: str) -> str:
        """Return all that the text encoder reads if ``words`` are drawn."""
        return words

    def as_typed(self) -> Self:
        """Ask for the typed words themselves."""
        return self.model_copy(update={"wording": "as-typed", "drawn": None})

    def again(self, seed: int) -> Self:
        """Keep the words that were drawn; a language model that gave none is asked again."""
        is_answered = self.drawn is not None and self.drawn.code is None
        drawn = self.drawn if is_answered else None
        return self.model_copy(update={"seed": seed, "drawn": drawn})


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
            PartlyFailed: an expected failure of some requests alone.
            GenerationError: any other expected failure, for the whole batch.
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
        is_served: whether a profile can serve it at all; where it cannot, nobody is offered it.
    """

    name: str
    request_type: type[RequestT]
    cost: int
    load: Callable[["ComponentStore"], Pipeline[RequestT]]
    is_served: Callable[["Profile"], bool] = lambda _profile: True


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
class Rewording:
    """A language model is at work on this job's words."""

    job_id: int


@dataclass(frozen=True, slots=True)
class Worded:
    """It is settled what is drawn for this job, whatever becomes of the attempt."""

    job_id: int
    drawn: Drawn


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


Event = Rewording | Worded | Progressed | Finished | Failed
"""What an engine reports. Each job of a batch ends with exactly one Finished or Failed."""

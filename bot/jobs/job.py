"""Who asks, what they are told, and how a refusal is said."""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Asker:
    """Where a request came from and where its card goes.

    Attributes:
        language: "en" or "ru", of the sentences on the card.
        thread_id: the topic of a forum chat.
        reply_to_message_id: in a group, the message the card answers.
        origin: names the message or press the request came from; a second submit with an origin
            already known returns the first job, so that an update seen twice draws once.
    """

    user_id: int
    chat_id: int
    language: str
    origin: str
    thread_id: int | None = None
    reply_to_message_id: int | None = None


class Rejected(Exception):
    """A gate said no. ``code`` is the key of the sentence; ``params`` fill it."""

    code: ClassVar[str] = "error-rejected"

    def __init__(self, **params: str | float) -> None:
        super().__init__(self.code)
        self.params = params


class QueueFull(Rejected):
    """``size`` jobs wait already, all users together; try again in about ``wait_s``."""

    code = "error-queue-full"


class TooSoon(Rejected):
    """The token bucket is empty; ``wait_s`` seconds until the next token."""

    code = "error-too-soon"


class TooManyAtOnce(Rejected):
    """The user already has ``limit`` jobs waiting or running."""

    code = "error-too-many-at-once"


class DailyQuotaSpent(Rejected):
    """``cost`` units asked, ``left`` of ``limit`` left today; new ones in ``wait_s`` seconds."""

    code = "error-daily-quota-spent"


class PictureGone(Rejected):
    """A picture that the request starts from is not kept any more."""

    code = "error-picture-gone"


class NoSuchJob(Rejected):
    """The job is unknown, forgotten, or somebody else's."""

    code = "error-no-such-job"

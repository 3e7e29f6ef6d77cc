"""The Bot API's way of refusing: a status, a sentence, sometimes parameters.

Where Telegram's own sentence is known it is used word for word, because bots match on them;
`docs/playground.md` tells which are not confirmed.
"""

from typing import Any, Final


class ApiError(Exception):
    """A refused call; becomes `{"ok": false, ...}` with the same HTTP status."""

    def __init__(
        self, status: int, description: str, parameters: dict[str, Any] | None = None
    ) -> None:
        super().__init__(description)
        self.status = status
        self.description = description
        self.parameters = parameters

    def to_json(self) -> dict[str, Any]:
        """Show the refusal in the Bot API's envelope."""
        answer = {"ok": False, "error_code": self.status, "description": self.description}
        return {**answer, "parameters": self.parameters} if self.parameters else answer


class StateError(Exception):
    """The state file cannot be used; says why in one sentence."""


QUERY_TOO_OLD: Final = "query is too old and response timeout expired or query ID is invalid"


def bad_request(sentence: str) -> ApiError:
    """Build a 400: the call itself is wrong."""
    return ApiError(400, f"Bad Request: {_after_prefix(sentence)}")


def forbidden(sentence: str) -> ApiError:
    """Build a 403: the bot may not do this to that person or chat."""
    return ApiError(403, f"Forbidden: {sentence}")


def conflict(sentence: str) -> ApiError:
    """Build a 409: two ways of receiving updates met."""
    return ApiError(409, f"Conflict: {sentence}")


def not_found(sentence: str) -> ApiError:
    """Build a 404: no such method."""
    return ApiError(404, f"Not Found: {sentence}")


def internal_error() -> ApiError:
    """Build a 500: the playground itself is wrong."""
    return ApiError(500, "Internal Server Error")


def too_large() -> ApiError:
    """Build a 413: the body is over what Telegram takes."""
    return ApiError(413, "Request Entity Too Large")


def too_many_requests(retry_after_s: int) -> ApiError:
    """Build a 429 whose sentence, parameters and header all name the same wait."""
    return ApiError(
        429,
        f"Too Many Requests: retry after {retry_after_s}",
        {"retry_after": retry_after_s},
    )


def _after_prefix(sentence: str) -> str:
    """Lower the first letter, but leave a constant such as BUTTON_DATA_INVALID as it is."""
    if sentence[1:2].isupper() or sentence[1:2] == "_":
        return sentence
    return sentence[:1].lower() + sentence[1:]

"""Every call that bots made, newest last, for tests and for the curious."""

import itertools
import json
from collections import deque
from typing import Final

from playground.model import Json

MAX_CALLS: Final = 10_000
MAX_TOTAL_BYTES: Final = 64 * 1024 * 1024
_MAX_TEXT: Final = 5000
_MAX_DEPTH: Final = 20


class Transcript:
    """A list of calls with their answers, bounded in number and in bytes of JSON."""

    def __init__(self, size: int = MAX_CALLS, max_total_bytes: int = MAX_TOTAL_BYTES) -> None:
        self._size = size
        self._max_total_bytes = max_total_bytes
        self._total_bytes = 0
        self._calls: deque[tuple[Json, int]] = deque()
        self._numbers = itertools.count(1)

    def add(
        self,
        bot_id: int,
        method: str,
        arguments: Json,
        status: int,
        answer: Json,
        took_ms: int = 0,
    ) -> None:
        """Note one finished call, long texts cut; the oldest calls go where there is no room."""
        call = {
            "number": next(self._numbers),
            "bot_id": bot_id,
            "method": method,
            "arguments": _short(arguments),
            "status": status,
            "answer": _short(answer),
            "took_ms": took_ms,
        }
        size_bytes = len(json.dumps(call))
        self._calls.append((call, size_bytes))
        self._total_bytes += size_bytes
        while len(self._calls) > self._size or self._total_bytes > self._max_total_bytes:
            self._total_bytes -= self._calls.popleft()[1]

    def calls(self, method: str | None = None, after: int = 0) -> list[Json]:
        """Give the calls after a number, of one method or of all."""
        return [
            call
            for call, _ in self._calls
            if call["number"] > after
            and (method is None or call["method"].lower() == method.lower())
        ]

    def clear(self) -> None:
        """Forget all calls; numbers go on."""
        self._calls.clear()
        self._total_bytes = 0


def _short(value: object, depth: int = 0) -> object:
    if isinstance(value, str):
        return value[:_MAX_TEXT]
    if depth == _MAX_DEPTH and isinstance(value, dict | list):
        return "(too deep)"
    if isinstance(value, dict):
        return {name: _short(part, depth + 1) for name, part in value.items()}
    if isinstance(value, list):
        return [_short(part, depth + 1) for part in value]
    return value

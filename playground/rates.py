"""Telegram's outgoing limits.

About 1 message a second in a chat, 20 a minute in a group, 30 a second overall; edits count as
much as messages do.
"""

import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from playground.errors import too_many_requests

_MAX_BUCKETS: Final = 10_000


@dataclass(frozen=True)
class Allowance:
    """A bucket of `burst` calls that refills at `per_second`."""

    burst: float
    per_second: float


@dataclass(frozen=True)
class Limits:
    """The three allowances of a bot; the defaults are those of Telegram's FAQ."""

    overall: Allowance = Allowance(30, 30)
    chat: Allowance = Allowance(5, 1)
    group: Allowance = Allowance(20, 20 / 60)
    enabled: bool = True


class _Bucket:
    def __init__(self, allowance: Allowance, now: float) -> None:
        self.allowance = allowance
        self.tokens = allowance.burst
        self.at = now

    def wait_s(self, now: float) -> float:
        self.tokens = min(
            self.allowance.burst, self.tokens + (now - self.at) * self.allowance.per_second
        )
        self.at = now
        missing = 1 - self.tokens
        # A refill that is exact on paper may fall a rounding error short.
        return missing / self.allowance.per_second if missing > 1e-9 else 0


class RateLimiter:
    """Counts calls; a refused one costs nothing, so waiting as told is always enough.

    An album spends one token a message but needs only one to begin: its debt is paid by the
    calls after it.
    """

    def __init__(self, limits: Limits, monotonic: Callable[[], float]) -> None:
        self.limits = limits
        self._monotonic = monotonic
        self._buckets: OrderedDict[tuple[object, ...], _Bucket] = OrderedDict()

    def spend(self, bot_id: int, chat_key: str, *, is_group: bool, messages: int = 1) -> None:
        """Take what a call costs.

        Raises:
            ApiError: 429 with `retry_after`, whole seconds, rounded up.
        """
        if not self.limits.enabled:
            return
        now = self._monotonic()
        buckets = [
            self._bucket(("overall", bot_id), self.limits.overall, now),
            self._bucket(("chat", bot_id, chat_key), self.limits.chat, now),
        ]
        if is_group:
            buckets.append(self._bucket(("group", bot_id, chat_key), self.limits.group, now))
        self._take(buckets, now, messages)

    def _take(self, buckets: list[_Bucket], now: float, tokens: int = 1) -> None:
        wait_s = max(bucket.wait_s(now) for bucket in buckets)
        if wait_s > 0:
            raise too_many_requests(max(1, math.ceil(wait_s)))
        for bucket in buckets:
            bucket.tokens -= tokens

    def spend_webhook(self, bot_id: int) -> None:
        """Count a setWebhook, of which there may be one a second.

        Raises:
            ApiError: 429.
        """
        if self.limits.enabled:
            now = self._monotonic()
            self._take([self._bucket(("webhook", bot_id), Allowance(1, 1), now)], now)

    def replace(self, limits: Limits) -> None:
        """Set other limits and forget what was spent."""
        self.limits = limits
        self._buckets.clear()

    def _bucket(self, key: tuple[object, ...], allowance: Allowance, now: float) -> _Bucket:
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = _Bucket(allowance, now)
        self._buckets.move_to_end(key)
        if len(self._buckets) > _MAX_BUCKETS:
            self._buckets.popitem(last=False)
        return bucket

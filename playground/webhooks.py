"""Posting updates to a bot's own address, in order, again and again until it takes them."""

import time
from http import HTTPStatus
from typing import Final

import aiohttp

from playground.arguments import MAX_FIELD_BYTES, Arguments, parse_json
from playground.bot_endpoint import BotEndpoint
from playground.errors import ApiError
from playground.nursery import Nursery, first_of
from playground.updates import Update
from playground.world import Seat, Webhook

MAX_DELAY_S: Final = 60.0
GONE_FOR_GOOD_S: Final = 23 * 3600.0
_TIMEOUT: Final = aiohttp.ClientTimeout(total=60)
_NOT_IN_REPLY: Final = ("get", "setwebhook", "deletewebhook", "close", "logout")


class WebhookDelivery:
    """One round of couriers a bot that ever had a webhook."""

    def __init__(
        self, endpoint: BotEndpoint, nursery: Nursery, first_delay_s: float = 1.0
    ) -> None:
        self._endpoint = endpoint
        self._nursery = nursery
        self._first_delay_s = first_delay_s
        self._served: set[int] = set()

    def serve(self, seat: Seat) -> None:
        """Begin to deliver to a bot, unless that already happens."""
        if seat.bot.id not in self._served:
            self._served.add(seat.bot.id)
            self._nursery.start(self._serve(seat), f"webhook of bot {seat.bot.id}")

    async def _serve(self, seat: Seat) -> None:
        try:
            # The webhook's own max_connections bounds them.
            connector = aiohttp.TCPConnector(limit=0)
            async with aiohttp.ClientSession(timeout=_TIMEOUT, connector=connector) as session:
                await _Round(self._endpoint, session, seat, self._first_delay_s).go(self._nursery)
        finally:
            # Where it failed, the bot's next call begins anew.
            self._served.discard(seat.bot.id)


class _Round:
    """Delivers the updates of one bot.

    Invariant: in one lane (a chat) one update is on its way; over all lanes, no more than the
    webhook's `max_connections`.
    """

    def __init__(
        self,
        endpoint: BotEndpoint,
        session: aiohttp.ClientSession,
        seat: Seat,
        first_delay_s: float,
    ) -> None:
        self._endpoint = endpoint
        self._session = session
        self._seat = seat
        self._first_delay_s = first_delay_s
        self._busy: set[int] = set()
        self._delays_s: dict[int, float] = {}

    async def go(self, nursery: Nursery) -> None:
        updates = self._seat.updates
        while True:
            updates.news.clear()
            hook = self._seat.webhook
            has_room = hook is not None and len(self._busy) < hook.max_connections
            update = updates.next_for_webhook(self._busy) if has_room else None
            if hook is None or update is None:
                await updates.news.wait()
                continue
            self._busy.add(update.lane)
            nursery.start(self._carry(hook, update), f"update {update.id}")

    async def _carry(self, hook: Webhook, update: Update) -> None:
        """Post an update; where it was not taken, keep its lane waiting for a while."""
        lane = update.lane
        try:
            asked_s = await self._attempt(hook, update)
            if asked_s is None:
                self._seat.updates.confirm(update)
                self._delays_s.pop(lane, None)
                return
            delay_s = self._delays_s.get(lane, self._first_delay_s)
            self._delays_s[lane] = min(2 * delay_s, MAX_DELAY_S)
            pause_s = min(max(asked_s, delay_s), MAX_DELAY_S)
            await first_of(hook.replaced.wait(), timeout_s=pause_s)
            if hook.replaced.is_set():
                self._delays_s.clear()
        finally:
            self._busy.discard(lane)
            self._seat.updates.news.set()

    async def _attempt(self, hook: Webhook, update: Update) -> float | None:
        """Post one update; None when it was taken, else the seconds the bot asks to wait."""
        secret = hook.secret_token
        headers = {"X-Telegram-Bot-Api-Secret-Token": secret} if secret else {}
        body = update.to_json()
        try:
            # A redirection is a wrong response, as Telegram takes it.
            async with self._session.post(
                hook.url, json=body, headers=headers, allow_redirects=False
            ) as response:
                answer = await _read_bounded(response)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            _note(hook, _why_not(error))
            return 0
        if response.status // 100 != 2:
            _note(hook, f"Wrong response from the webhook: {response.status} {response.reason}")
            self._count_gone(hook, response.status)
            asked = response.headers.get("Retry-After", "0")
            return float(asked) if asked.isdecimal() else 0
        hook.gone_since = None
        await self._reply(answer)
        return None

    def _count_gone(self, hook: Webhook, status: int) -> None:
        """Give a webhook up that has answered 410 for 23 hours and nothing else."""
        if status != HTTPStatus.GONE:
            hook.gone_since = None
            return
        now = self._endpoint.clock()
        hook.gone_since = now if hook.gone_since is None else hook.gone_since
        if now - hook.gone_since >= GONE_FOR_GOOD_S and self._seat.webhook is hook:
            self._seat.set_webhook(None)

    async def _reply(self, body: bytes) -> None:
        """Carry out the method a bot may put into its answer."""
        try:
            fields = parse_json(body or b"{}")
        except (ValueError, ApiError):
            return
        name = fields.pop("method", "") if isinstance(fields, dict) else ""
        if isinstance(name, str) and name and not name.lower().startswith(_NOT_IN_REPLY):
            await self._endpoint.perform(self._seat, name, Arguments(fields))


async def _read_bounded(response: aiohttp.ClientResponse) -> bytes:
    """Read an answer that may be a method, no further than a method's arguments may go."""
    content = bytearray()
    async for chunk in response.content.iter_chunked(65536):
        content += chunk
        if len(content) > MAX_FIELD_BYTES:
            return b""
    return bytes(content)


def _why_not(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "Read timeout expired"
    if isinstance(error, aiohttp.ClientConnectorError) and isinstance(
        error.os_error, ConnectionRefusedError
    ):
        return "Connection refused"
    return f"Connection failed: {type(error).__name__}"


def _note(hook: Webhook, sentence: str) -> None:
    hook.last_error_date = int(time.time())
    hook.last_error_message = sentence

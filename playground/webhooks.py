"""Posting updates to a bot's own address, in order, again and again until it takes them."""

import time
from typing import Final

import aiohttp

from playground.arguments import Arguments, parse_json
from playground.bot_endpoint import BotEndpoint
from playground.errors import ApiError
from playground.nursery import Nursery, first_of
from playground.world import Seat, Webhook

MAX_DELAY_S: Final = 60.0
_TIMEOUT: Final = aiohttp.ClientTimeout(total=60)
_NOT_IN_REPLY: Final = ("get", "setwebhook", "deletewebhook", "close", "logout")


class WebhookDelivery:
    """One delivering task a bot that ever had a webhook.

    Updates go one after another, which keeps every chat's order; Telegram would use up to
    `max_connections` at once for different chats.
    """

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
            await self._deliver(seat)
        finally:
            # Where it failed, the bot's next call begins anew.
            self._served.discard(seat.bot.id)

    async def _deliver(self, seat: Seat) -> None:
        delay_s = self._first_delay_s
        async with aiohttp.ClientSession(timeout=_TIMEOUT) as session:
            while True:
                seat.updates.arrived.clear()
                seat.webhook_changed.clear()
                update = seat.updates.first()
                if seat.webhook is None or update is None:
                    await first_of(seat.updates.arrived.wait(), seat.webhook_changed.wait())
                    continue
                wait_s = await self._attempt(session, seat, seat.webhook, update)
                if wait_s is None:
                    seat.updates.confirm(update["update_id"])
                    delay_s = self._first_delay_s
                    continue
                pause_s = min(max(wait_s, delay_s), MAX_DELAY_S)
                await first_of(seat.webhook_changed.wait(), timeout_s=pause_s)
                delay_s = self._first_delay_s if seat.webhook_changed.is_set() else 2 * delay_s

    async def _attempt(
        self, session: aiohttp.ClientSession, seat: Seat, hook: Webhook, update: dict[str, object]
    ) -> float | None:
        """Post one update; None when it was taken, else the seconds the bot asks to wait."""
        secret = hook.secret_token
        headers = {"X-Telegram-Bot-Api-Secret-Token": secret} if secret else {}
        try:
            async with session.post(hook.url, json=update, headers=headers) as response:
                body = await response.read()
        except (aiohttp.ClientError, OSError, ValueError) as error:
            _note(hook, f"Connection failed: {type(error).__name__}")
            return 0
        if not response.ok:
            _note(hook, f"Wrong response from the webhook: {response.status} {response.reason}")
            asked = response.headers.get("Retry-After", "0")
            return float(asked) if asked.isdecimal() else 0
        await self._reply(seat, body)
        return None

    async def _reply(self, seat: Seat, body: bytes) -> None:
        """Carry out the method a bot may put into its answer."""
        try:
            fields = parse_json(body or b"{}")
        except (ValueError, ApiError):
            return
        name = fields.pop("method", "") if isinstance(fields, dict) else ""
        if isinstance(name, str) and name and not name.lower().startswith(_NOT_IN_REPLY):
            await self._endpoint.perform(seat, name, Arguments(fields))


def _note(hook: Webhook, sentence: str) -> None:
    hook.last_error_date = int(time.time())
    hook.last_error_message = sentence

"""Who the bot is, how it gets its updates, and how it downloads files."""

import re
from typing import Final
from urllib.parse import urlsplit

from aiogram.methods import (
    DeleteWebhook,
    GetFile,
    GetMe,
    GetUpdates,
    GetWebhookInfo,
    SetWebhook,
)

from playground import render
from playground.api.call import Call
from playground.errors import bad_request, conflict
from playground.model import Json
from playground.world import Webhook

MAX_UPDATES: Final = 100
MAX_CONNECTIONS: Final = 100
_PORTS: Final = frozenset({80, 88, 443, 8443})
_SECRET: Final = re.compile(r"[\w-]{1,256}", re.ASCII)


async def get_me(call: Call, _method: GetMe) -> Json:
    """Say who the bot is."""
    return render.me(call.seat.bot)


async def get_updates(call: Call, method: GetUpdates) -> list[Json]:
    """Wait for updates; a newer call of the same bot ends this one with 409."""
    if call.seat.webhook is not None:
        raise conflict(
            "can't use getUpdates method while webhook is active; "
            "use deleteWebhook to delete the webhook first"
        )
    updates = call.seat.updates
    _note_connected(call)
    updates.allow(method.allowed_updates)
    limit = MAX_UPDATES if method.limit is None else min(max(method.limit, 1), MAX_UPDATES)
    timeout_s = max(method.timeout or 0, 0)
    paced = call.world.rates.limits.enabled
    return await updates.take(method.offset or 0, limit, timeout_s, paced=paced)


def _note_connected(call: Call) -> None:
    if not call.seat.updates.first_poll.is_set():
        call.seat.updates.first_poll.set()
        call.world.events.add("connected", bot=call.seat.bot.id)


async def set_webhook(call: Call, method: SetWebhook) -> bool:
    """Have updates posted to an address, over https to one of four ports unless told otherwise."""
    seat = call.seat
    if method.certificate is not None:
        raise bad_request("the playground takes no webhook certificates")
    if method.secret_token is not None and not _SECRET.fullmatch(method.secret_token):
        raise bad_request("secret token contains unallowed characters")
    if method.url:
        _check_webhook(method.url, allow_http=call.world.settings.allow_http)
    call.world.rates.spend_webhook(seat.bot.id)
    seat.updates.allow(method.allowed_updates)
    if method.drop_pending_updates:
        seat.updates.clear()
    seat.updates.end_poll("terminated by setWebhook request")
    connections = min(max(method.max_connections or 40, 1), MAX_CONNECTIONS)
    hook = Webhook(method.url, method.secret_token, connections) if method.url else None
    seat.set_webhook(hook)
    if hook:
        _note_connected(call)
    return True


def _check_webhook(url: str, *, allow_http: bool) -> None:
    try:
        parts = urlsplit(url)
        port = parts.port or 443
    except ValueError as error:
        raise bad_request("bad webhook: URL is invalid") from error
    schemes = {"https", "http"} if allow_http else {"https"}
    if parts.scheme not in schemes or not parts.hostname:
        raise bad_request("bad webhook: An HTTPS URL must be provided for webhook")
    if not allow_http and port not in _PORTS:
        raise bad_request("bad webhook: Webhook can be set up only on ports 80, 88, 443 or 8443")


async def delete_webhook(call: Call, method: DeleteWebhook) -> bool:
    """Go back to polling."""
    call.seat.set_webhook(None)
    if method.drop_pending_updates:
        call.seat.updates.clear()
    return True


async def get_webhook_info(call: Call, _method: GetWebhookInfo) -> Json:
    """Say where updates go, how many wait, and what went wrong last."""
    hook, updates = call.seat.webhook, call.seat.updates
    shown: Json = {
        "url": hook.url if hook else "",
        "has_custom_certificate": False,
        "pending_update_count": updates.pending_count,
    }
    if updates.allowed_updates:
        shown["allowed_updates"] = updates.allowed_updates
    if hook:
        shown["max_connections"] = hook.max_connections
        if hook.last_error_date:
            shown["last_error_date"] = hook.last_error_date
            shown["last_error_message"] = hook.last_error_message
    return shown


async def get_file(call: Call, method: GetFile) -> Json:
    """Give the path under which a file of up to 20 MB can be downloaded."""
    stored = call.world.files.locate(call.seat.bot.id, method.file_id)
    return {**call.seat.render.file(stored), "file_path": stored.path}

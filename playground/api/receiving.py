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
    limit = min(max(method.limit or MAX_UPDATES, 1), MAX_UPDATES)
    return await updates.take(method.offset or 0, limit, max(method.timeout or 0, 0))


def _note_connected(call: Call) -> None:
    if not call.seat.updates.first_poll.is_set():
        call.seat.updates.first_poll.set()
        call.world.events.add("connected", bot=call.seat.bot.id)


async def set_webhook(call: Call, method: SetWebhook) -> bool:
    """Have updates posted to an address. On one machine, plain http and any port are fine."""
    seat = call.seat
    if method.certificate is not None:
        raise bad_request("the playground takes no webhook certificates")
    if method.secret_token is not None and not _SECRET.fullmatch(method.secret_token):
        raise bad_request("secret token contains unallowed characters")
    if method.url:
        parts = urlsplit(method.url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise bad_request("bad webhook: An HTTPS URL must be provided for webhook")
    seat.updates.allow(method.allowed_updates)
    if method.drop_pending_updates:
        seat.updates.clear()
    seat.updates.end_poll("terminated by setWebhook request")
    connections = method.max_connections or 40
    hook = Webhook(method.url, method.secret_token, connections) if method.url else None
    seat.webhook = hook
    if hook:
        _note_connected(call)
    seat.webhook_changed.set()
    return True


async def delete_webhook(call: Call, method: DeleteWebhook) -> bool:
    """Go back to polling."""
    call.seat.webhook = None
    if method.drop_pending_updates:
        call.seat.updates.clear()
    call.seat.webhook_changed.set()
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

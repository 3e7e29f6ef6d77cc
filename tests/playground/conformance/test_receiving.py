"""Who the bot is and how it hears: getMe, polling, webhooks, pressed buttons."""

import pytest

from tests.playground.client import Api
from tests.playground.conformance.cases import QUERY, TOO_OLD, Case, refuses, takes

HOOK = "https://e.com/hook"

CASES = [
    takes("getMe", "nothing", shows={"id": 12345, "is_bot": True, "can_join_groups": True}),
    takes("getUpdates", "nothing", shows=[]),
    takes("getUpdates", "every argument", shows=[], offset=-1, limit=100, timeout=0,
          allowed_updates=["message", "callback_query"]),
    refuses("getUpdates", "kinds that are no list",
            "can't parse allowed_updates: JSON object expected", allowed_updates="["),
    takes("setWebhook", "an https address", shows=True, url=HOOK),
    takes("setWebhook", "every argument", shows=True, url=HOOK, secret_token="a-Z_9" * 51 + "x",
          max_connections=100, allowed_updates=["message"], drop_pending_updates=True),
    takes("setWebhook", "no address, which removes it", shows=True, url=""),
    refuses("setWebhook", "http", "bad webhook: An HTTPS URL must be provided for webhook",
            url="http://e.com"),
    refuses("setWebhook", "another port",
            "bad webhook: Webhook can be set up only on ports 80, 88, 443 or 8443",
            url="https://e.com:81"),
    refuses("setWebhook", "a secret with a space", "secret token contains unallowed characters",
            url=HOOK, secret_token="a b"),
    refuses("setWebhook", "a secret of 257 characters",
            "secret token contains unallowed characters", url=HOOK, secret_token="x" * 257),
    takes("deleteWebhook", "nothing", shows=True),
    takes("deleteWebhook", "an order to forget", shows=True, drop_pending_updates=True),
    takes("getWebhookInfo", "nothing",
          shows={"url": "", "has_custom_certificate": False, "pending_update_count": 0}),
    takes("answerCallbackQuery", "a press", shows=True, callback_query_id=QUERY),
    takes("answerCallbackQuery", "200 characters", shows=True, callback_query_id=QUERY,
          text="я" * 200, show_alert=True, cache_time=5),
    refuses("answerCallbackQuery", "201 characters", "MESSAGE_TOO_LONG",
            callback_query_id=QUERY, text="x" * 201),
    refuses("answerCallbackQuery", "an address", "URL_INVALID", callback_query_id=QUERY,
            url="https://e.com"),
    refuses("answerCallbackQuery", "an unknown press", TOO_OLD, callback_query_id="4242"),
    refuses("answerCallbackQuery", "none", TOO_OLD),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_bots_hear_as_from_telegram(case: Case, api: Api) -> None:
    await case.check(api)

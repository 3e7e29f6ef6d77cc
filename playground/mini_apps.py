"""Mini Apps: opening one with data signed for the bot, and what comes back from it.

The signature is Telegram's own (HMAC-SHA256 under the bot's token), so a bot checks it here as it
does there.
"""

import hmac
import json
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias
from urllib.parse import urlencode, urlsplit, urlunsplit

from playground.bounded import Bounded
from playground.errors import bad_request
from playground.model import Bot, Chat, Person

Source: TypeAlias = Literal["button", "keyboard", "menu", "inline"]
VERSION: Final = "9.6"
PLATFORM: Final = "weba"
MAX_DATA_BYTES: Final = 4096
_QUERY_LIFETIME_S: Final = 3600.0
_MAX_APPS: Final = 1000


@dataclass
class MiniApp:
    """An open Mini App.

    Attributes:
        query_id: what answerWebAppQuery answers, once; None where the app was not opened from
            an inline or menu button.
    """

    id: str
    bot: Bot
    person: Person
    chat: Chat
    source: Source
    address: str
    button_text: str
    query_id: str | None
    opened_at: float

    @property
    def may_send_data(self) -> bool:
        """Whether it may send a text to the bot: only from a button of the reply keyboard."""
        return self.source == "keyboard"


class AppDesk:
    """All open Mini Apps, bounded in number."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._apps: Bounded[str, MiniApp] = Bounded(_MAX_APPS)
        self._queries: Bounded[str, MiniApp] = Bounded(_MAX_APPS)

    def open(
        self, bot: Bot, person: Person, chat: Chat, source: Source, url: str, button_text: str
    ) -> MiniApp:
        """Open an app for a person; its address carries who they are, signed."""
        has_query = source in {"button", "menu"}
        query_id = "AA" + urlsafe_b64encode(secrets.token_bytes(12)).decode()
        now = self._clock()
        fields = {"query_id": query_id} if has_query else {}
        # A keyboard's app knows nothing of the person: all it may do is to send data.
        data = "" if source == "keyboard" else init_data(bot.token, person, int(now), fields)
        app = MiniApp(
            secrets.token_hex(8),
            bot,
            person,
            chat,
            source,
            _with_launch_parameters(url, data),
            button_text,
            query_id if has_query else None,
            now,
        )
        self._apps.add(app.id, app)
        if app.query_id:
            self._queries.add(app.query_id, app)
        return app

    def find(self, app_id: str, person: Person) -> MiniApp:
        """Find a person's open app.

        Raises:
            ApiError: it is not open.
        """
        app = self._apps.get(app_id)
        if app is None or app.person is not person:
            raise bad_request("the Mini App is not open")
        return app

    def close(self, app: MiniApp) -> None:
        """Close an app; a bot that still has its query may answer it."""
        self._apps.pop(app.id)

    def asked(self, bot: Bot, query_id: str) -> MiniApp:
        """Find the app that a bot answers.

        Raises:
            ApiError: unknown, another bot's, answered already, or opened over an hour ago.
        """
        app = self._queries.get(query_id)
        if app is None or app.bot is not bot or app.opened_at + _QUERY_LIFETIME_S < self._clock():
            raise bad_request("QUERY_ID_INVALID")
        return app

    def answered(self, app: MiniApp) -> None:
        """Take the app's query back: it can be answered once."""
        self._queries.pop(app.query_id or "")


def init_data(token: str, person: Person, auth_date: int, fields: dict[str, str]) -> str:
    """Make a Mini App's init data: urlencoded fields with their hash.

    Source: https://core.telegram.org/bots/webapps#validating-data-received-via-the-mini-app
    """
    user = {
        "id": person.id,
        "first_name": person.first_name,
        "last_name": "",
        "username": person.username,
        "language_code": person.language_code,
        "is_premium": person.is_premium or None,
        "allows_write_to_pm": True,
    }
    known = {name: value for name, value in user.items() if value is not None}
    signed = {
        **fields,
        "user": json.dumps(known, ensure_ascii=False, separators=(",", ":")),
        "auth_date": str(auth_date),
    }
    return urlencode({**signed, "hash": init_data_hash(token, signed)})


def init_data_hash(token: str, fields: dict[str, str]) -> str:
    """Sign all fields but the hash itself, in hexadecimal."""
    lines = "\n".join(f"{name}={fields[name]}" for name in sorted(fields))
    secret = hmac.digest(b"WebAppData", token.encode(), "sha256")
    return hmac.digest(secret, lines.encode(), "sha256").hex()


def _with_launch_parameters(url: str, data: str) -> str:
    """Put the launch parameters behind an address; the page adds its colours to them."""
    parts = urlsplit(url)
    launch = urlencode(
        {
            "tgWebAppData": data,
            "tgWebAppVersion": VERSION,
            "tgWebAppPlatform": PLATFORM,
        }
    )
    fragment = f"{parts.fragment}&{launch}" if parts.fragment else launch
    return urlunsplit(parts._replace(fragment=fragment))

"""What the playground remembers: people, bots, chats, messages and files.

Plain records without behaviour beyond lookups. `world` changes them, `render` shows them to bots,
`page_view` shows them to the browser.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from playground.text import FormattedText

Json: TypeAlias = dict[str, Any]
MediaKind: TypeAlias = Literal["photo", "document", "video", "animation", "audio", "voice"]
ChatKind: TypeAlias = Literal["private", "supergroup"]


@dataclass(frozen=True)
class Person:
    """Somebody with a Telegram account; the page acts as one of them at a time."""

    id: int
    first_name: str
    language_code: str
    username: str | None = None
    is_premium: bool = False


@dataclass(frozen=True)
class InlineMode:
    """What BotFather's /setinline and /setinlinefeedback set.

    Attributes:
        feedback: whether the bot is told which result was chosen.
    """

    enabled: bool = True
    placeholder: str = "Search…"
    feedback: bool = True


@dataclass
class Bot:
    """A bot account. Texts are kept per language code; "" is the default language."""

    id: int
    token: str
    first_name: str
    username: str
    names: dict[str, str] = field(default_factory=dict)
    descriptions: dict[str, str] = field(default_factory=dict)
    short_descriptions: dict[str, str] = field(default_factory=dict)
    commands: dict[tuple[str, str], list[Json]] = field(default_factory=dict)
    menu_buttons: dict[int, Json] = field(default_factory=dict)
    inline: InlineMode = field(default_factory=InlineMode)

    @property
    def is_bot(self) -> bool:
        """Tell a bot from a person, as the Bot API's User does."""
        return True

    def menu_button(self, chat_id: int = 0) -> Json:
        """Give the menu button of a private chat, or with 0 that of all of them."""
        for number in (chat_id, 0):
            button = self.menu_buttons.get(number)
            if button and button["type"] != "default":
                return button
        return {"type": "commands"}


@dataclass(frozen=True)
class StoredFile:
    """Bytes kept by the file store. `unique_id` is equal for equal content."""

    unique_id: str
    path: str
    size_bytes: int
    kind: MediaKind
    width_px: int = 0
    height_px: int = 0


@dataclass(frozen=True)
class Media:
    """A file in a message. A photo has several sizes, smallest first; the others exactly one."""

    kind: MediaKind
    sizes: tuple[StoredFile, ...]
    file_name: str | None = None
    mime_type: str | None = None
    duration_s: int = 0
    thumbnail: StoredFile | None = None
    title: str | None = None
    performer: str | None = None

    @property
    def file(self) -> StoredFile:
        """The file itself; of a photo, its largest size."""
        return self.sizes[-1]


@dataclass(frozen=True)
class Invoice:
    """What a bot asks money for; amounts in a currency's smallest units.

    Attributes:
        slug: names the invoice in a link.
        needs: what the payer tells with the payment: name, phone_number, email.
        is_paid: an invoice in a message is paid once, one behind a link any number of times.
    """

    bot_id: int
    slug: str
    title: str
    description: str
    payload: str
    currency: str
    prices: tuple[tuple[str, int], ...]
    start_parameter: str = ""
    needs: tuple[str, ...] = ()
    photo_url: str | None = None
    is_paid: bool = False

    @property
    def total_amount(self) -> int:
        """The sum of all prices."""
        return sum(amount for _, amount in self.prices)


@dataclass(frozen=True)
class Content:
    """What a message says: text, media with the text as its caption, an invoice, or an event.

    `service` is the one Bot API field of an event: web_app_data, successful_payment or
    refunded_payment.
    """

    text: FormattedText
    media: Media | None = None
    has_spoiler: bool = False
    caption_above: bool = False
    invoice: Invoice | None = None
    service: Json | None = None


@dataclass(frozen=True)
class Origin:
    """Who wrote a forwarded message first, and when (unix seconds)."""

    sender: Person | Bot
    date: int


@dataclass
class Message:
    """One message of a chat. `keyboard` is Bot API JSON of an InlineKeyboardMarkup.

    Attributes:
        via: the bot whose inline result or Mini App answer this is; the sender is a person.
        inline_id: the inline_message_id by which that bot may edit it.
        is_protected: it can be neither forwarded nor copied.
    """

    id: int
    chat: "Chat"
    sender: Person | Bot
    date: int
    content: Content
    keyboard: Json | None = None
    reply_to: "Message | None" = None
    media_group_id: str | None = None
    edit_date: int | None = None
    effect_id: str | None = None
    reactions: dict[int, list[Json]] = field(default_factory=dict)
    forwarded: Origin | None = None
    via: Bot | None = None
    inline_id: str | None = None
    is_protected: bool = False

    @property
    def author(self) -> Person | Bot:
        """The account that may edit it: of an inline result, the bot."""
        return self.via or self.sender


@dataclass
class Chat:
    """A private chat of one person with one bot, or a group.

    Attributes:
        key: names the chat in the page; private chats of two bots with one person differ in it,
            though the Bot API gives both the person's id.
        reply_keyboard: the custom keyboard shown under the composer, Bot API JSON.
        started: whether the person ever wrote; before that a bot cannot reach them.
        kicked: ids of bots that were put out of a group.
    """

    key: str
    id: int
    kind: ChatKind
    people: list[Person]
    bots: list[Bot]
    next_message_id: int
    title: str = ""
    messages: "OrderedDict[int, Message]" = field(default_factory=OrderedDict)
    reply_keyboard: Json | None = None
    started: bool = False
    blocked: bool = False
    kicked: set[int] = field(default_factory=set)

    @property
    def is_private(self) -> bool:
        """Whether this is one person with one bot."""
        return self.kind == "private"


@dataclass
class CallbackQuery:
    """A pressed button that waits for the bot's answer until `expires_at` (unix seconds)."""

    id: str
    person: Person
    bot: Bot
    message: Message
    data: str
    expires_at: float

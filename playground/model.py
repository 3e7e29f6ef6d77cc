"""What the playground remembers: people, bots, chats, messages and files.

Plain records without behaviour beyond lookups. `world` changes them, `render` shows them to bots,
`page_view` shows them to the browser.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from playground.text import FormattedText

Json: TypeAlias = dict[str, Any]
MediaKind: TypeAlias = Literal["photo", "document", "video", "animation", "audio"]
ChatKind: TypeAlias = Literal["private", "supergroup"]


@dataclass(frozen=True)
class Person:
    """Somebody with a Telegram account; the page acts as one of them at a time."""

    id: int
    first_name: str
    language_code: str
    username: str | None = None


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

    @property
    def is_bot(self) -> bool:
        """Tell a bot from a person, as the Bot API's User does."""
        return True


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

    @property
    def file(self) -> StoredFile:
        """The file itself; of a photo, its largest size."""
        return self.sizes[-1]


@dataclass(frozen=True)
class Content:
    """What a message says: text, or media with the text as its caption."""

    text: FormattedText
    media: Media | None = None
    has_spoiler: bool = False
    caption_above: bool = False


@dataclass
class Message:
    """One message of a chat. `keyboard` is Bot API JSON of an InlineKeyboardMarkup."""

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


@dataclass
class Chat:
    """A private chat of one person with one bot, or a group.

    Attributes:
        key: names the chat in the page; private chats of two bots with one person differ in it,
            though the Bot API gives both the person's id.
        reply_keyboard: the custom keyboard shown under the composer, Bot API JSON.
        started: whether the person ever wrote; before that a bot cannot reach them.
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

    @property
    def is_private(self) -> bool:
        """Whether this is one person with one bot."""
        return self.kind == "private"


@dataclass
class CallbackQuery:
    """A pressed button that waits for the bot's answer until `expires_at` (unix seconds)."""

    id: str
    person: Person
    message: Message
    data: str
    expires_at: float

"""How a bot sees things: Bot API JSON of users, chats, messages and files."""

from typing import Final

from playground.files import FileStore
from playground.model import (
    Bot,
    Chat,
    Content,
    Invoice,
    Json,
    Media,
    Message,
    Origin,
    Person,
    StoredFile,
)

_ACCENT_COLOR: Final = 0


def user(account: Person | Bot, *, seen_by: str | None = None) -> Json:
    """Show a User; `seen_by` a language code picks that language's name of a bot."""
    if isinstance(account, Bot):
        name = account.names.get(seen_by or "") or account.names.get("") or account.first_name
        return {
            "id": account.id,
            "is_bot": True,
            "first_name": name,
            "username": account.username,
        }
    shown: Json = {"id": account.id, "is_bot": False, "first_name": account.first_name}
    if account.username:
        shown["username"] = account.username
    if account.is_premium:
        shown["is_premium"] = True
    return {**shown, "language_code": account.language_code}


def me(bot: Bot) -> Json:
    """Show the bot to itself, as getMe does."""
    return {
        **user(bot),
        "can_join_groups": True,
        "can_read_all_group_messages": False,
        "supports_inline_queries": bot.inline.enabled,
        "can_connect_to_business": False,
        "has_main_web_app": False,
    }


def chat(place: Chat) -> Json:
    """Show a Chat as it appears in messages."""
    if not place.is_private:
        return {"id": place.id, "type": place.kind, "title": place.title}
    person = place.people[0]
    shown: Json = {"id": place.id, "type": "private", "first_name": person.first_name}
    if person.username:
        shown["username"] = person.username
    return shown


def chat_full_info(place: Chat) -> Json:
    """Show a chat as getChat does."""
    gifts = dict.fromkeys(
        (
            "unlimited_gifts",
            "limited_gifts",
            "unique_gifts",
            "premium_subscription",
            "gifts_from_channels",
        ),
        False,
    )
    return {
        **chat(place),
        "accent_color_id": _ACCENT_COLOR,
        "max_reaction_count": 11,
        "accepted_gift_types": gifts,
    }


def _forwarded(origin: Origin) -> Json:
    """Show where a message comes from, in today's way and in that of before Bot API 7.0."""
    sender = user(origin.sender)
    shown: Json = {"type": "user", "date": origin.date, "sender_user": sender}
    return {"forward_origin": shown, "forward_from": sender, "forward_date": origin.date}


def _invoice(invoice: Invoice) -> Json:
    return {
        "title": invoice.title,
        "description": invoice.description,
        "start_parameter": invoice.start_parameter,
        "currency": invoice.currency,
        "total_amount": invoice.total_amount,
    }


class Renderer:
    """Shows messages to one bot; file_ids differ between bots, so the bot is part of it."""

    def __init__(self, bot: Bot, files: FileStore) -> None:
        self._bot = bot
        self._files = files

    def message(self, shown: Message, *, with_reply: bool = True) -> Json:
        """Show a message; a replied-to message is shown once, without its own reply."""
        result: Json = {
            "message_id": shown.id,
            "from": user(shown.sender),
            "chat": chat(shown.chat),
            "date": shown.date,
        }
        optional: Json = {
            "edit_date": shown.edit_date,
            "media_group_id": shown.media_group_id,
            "reply_markup": shown.keyboard,
            "effect_id": shown.effect_id,
            "via_bot": user(shown.via) if shown.via else None,
            "has_protected_content": shown.is_protected or None,
        }
        if shown.forwarded:
            result.update(_forwarded(shown.forwarded))
        result.update({name: value for name, value in optional.items() if value is not None})
        if with_reply and shown.reply_to is not None:
            result["reply_to_message"] = self.message(shown.reply_to, with_reply=False)
        return {**result, **self.content(shown.content)}

    def content(self, content: Content) -> Json:
        """Show what a message says: `text`, or a media field with `caption`."""
        if content.service is not None:
            return content.service
        if content.invoice is not None:
            return {"invoice": _invoice(content.invoice)}
        entities = [entity.to_json() for entity in content.text.entities]
        if content.media is None:
            shown: Json = {"text": content.text.text}
            return {**shown, "entities": entities} if entities else shown
        shown = self.media(content.media)
        if content.text:
            shown["caption"] = content.text.text
            if entities:
                shown["caption_entities"] = entities
        if content.has_spoiler:
            shown["has_media_spoiler"] = True
        if content.caption_above:
            shown["show_caption_above_media"] = True
        return shown

    def media(self, media: Media) -> Json:
        """Show a media field under its own name; an animation also as a document."""
        if media.kind == "photo":
            return {"photo": [self._photo_size(size) for size in media.sizes]}
        body = {**self.file(media.file), "mime_type": media.mime_type}
        if media.kind == "voice":
            return {"voice": {**body, "duration": media.duration_s}}
        body["file_name"] = media.file_name
        if media.thumbnail:
            body["thumbnail"] = self._photo_size(media.thumbnail)
        if media.kind == "document":
            return {"document": body}
        body["duration"] = media.duration_s
        if media.kind == "audio":
            named = {"title": media.title, "performer": media.performer}
            body.update({name: value for name, value in named.items() if value})
            return {"audio": body}
        body.update(width=media.file.width_px, height=media.file.height_px)
        # For clients older than animations, these are documents as well.
        more = {"document": body} if media.kind == "animation" else {}
        return {media.kind: body, **more}

    def file(self, stored: StoredFile) -> Json:
        """Show a file's identifiers and size."""
        return {
            "file_id": self._files.file_id(self._bot.id, stored),
            "file_unique_id": stored.unique_id,
            "file_size": stored.size_bytes,
        }

    def _photo_size(self, stored: StoredFile) -> Json:
        return {**self.file(stored), "width": stored.width_px, "height": stored.height_px}

"""How the page sees things: like the Bot API, but with addresses of files in place of ids."""

from urllib.parse import quote

from playground import render
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


def person(account: Person) -> Json:
    """Show a person for the user switcher."""
    return {
        "id": account.id,
        "name": account.first_name,
        "language": account.language_code,
        "username": account.username,
        "premium": account.is_premium,
    }


def bot(account: Bot) -> Json:
    """Show a bot with the texts of every language; the page picks its person's."""
    return {
        "id": account.id,
        "username": account.username,
        "names": {"": account.first_name, **account.names},
        "descriptions": account.descriptions,
        "short_descriptions": account.short_descriptions,
        "commands": [
            {"scope": scope, "language": language, "commands": commands}
            for (scope, language), commands in account.commands.items()
        ],
        "inline": account.inline.enabled,
        "inline_placeholder": account.inline.placeholder,
        "menu_buttons": {
            str(chat_id or ""): button
            for chat_id, button in account.menu_buttons.items()
            if button["type"] != "default"
        },
    }


def chat(place: Chat, *, newest: int = 0) -> Json:
    """Show a chat with its newest messages."""
    messages = list(place.messages.values())
    return {
        "key": place.key,
        "id": place.id,
        "kind": place.kind,
        "title": place.title,
        "people": [member.id for member in place.people],
        "bots": [member.id for member in place.bots],
        "started": place.started,
        "blocked": place.blocked,
        "kicked": sorted(place.kicked),
        "reply_keyboard": place.reply_keyboard,
        "has_more": len(messages) > newest,
        "messages": [message(known) for known in messages[-newest:]] if newest else [],
    }


def message(shown: Message) -> Json:
    """Show a message as a bubble needs it."""
    content = shown.content
    return {
        "id": shown.id,
        "from": {
            "id": shown.sender.id,
            "name": render.user(shown.sender)["first_name"],
            "is_bot": isinstance(shown.sender, Bot),
        },
        "date": shown.date,
        "edit_date": shown.edit_date,
        "text": content.text.text,
        "entities": [entity.to_json() for entity in content.text.entities],
        "media": media(content.media) if content.media else None,
        "spoiler": content.has_spoiler,
        "caption_above": content.caption_above,
        "group": shown.media_group_id,
        "keyboard": shown.keyboard["inline_keyboard"] if shown.keyboard else None,
        "reply_to": _reply(shown.reply_to) if shown.reply_to else None,
        "reactions": _reactions(shown),
        "forwarded_from": _origin(shown.forwarded) if shown.forwarded else None,
        "via_bot": {"id": shown.via.id, "username": shown.via.username} if shown.via else None,
        "protected": shown.is_protected,
        "invoice": invoice(content.invoice) if content.invoice else None,
        "service": _service(content.service) if content.service else None,
    }


def _reactions(shown: Message) -> list[Json]:
    """Show each emoji once, with all who put it there."""
    found: dict[str, list[int]] = {}
    for account_id, marks in shown.reactions.items():
        for mark in marks:
            found.setdefault(mark["emoji"], []).append(account_id)
    return [{"type": "emoji", "emoji": emoji, "from": ids} for emoji, ids in found.items()]


def _origin(origin: Origin) -> Json:
    name = render.user(origin.sender)["first_name"]
    is_bot = isinstance(origin.sender, Bot)
    return {"id": origin.sender.id, "name": name, "is_bot": is_bot, "date": origin.date}


def invoice(shown: Invoice) -> Json:
    """Show what is to be paid."""
    return {
        "title": shown.title,
        "description": shown.description,
        "currency": shown.currency,
        "total_amount": shown.total_amount,
        "prices": [{"label": label, "amount": amount} for label, amount in shown.prices],
        "paid": shown.is_paid,
        "photo": None,
    }


def _service(event: Json) -> Json:
    """Show an event: its kind, and what a line in the middle of the chat says of it."""
    [(kind, body)] = event.items()
    if kind == "web_app_data":
        size = len(body["data"].encode())
        return {"kind": kind, "button_text": body["button_text"], "data_bytes": size}
    return {"kind": kind, "currency": body["currency"], "total_amount": body["total_amount"]}


def _reply(original: Message) -> Json:
    media_kind = original.content.media.kind if original.content.media else None
    return {
        "id": original.id,
        "name": render.user(original.sender)["first_name"],
        "text": _said(original.content)[:200],
        "media": media_kind,
    }


def _said(content: Content) -> str:
    return content.invoice.title if content.invoice else content.text.text


def media(shown: Media) -> Json:
    """Show a file: where it is, how large, and a small picture of it where there is one."""
    largest = shown.file
    preview = shown.sizes[-1] if shown.kind == "photo" else shown.thumbnail
    return {
        "kind": shown.kind,
        "url": _address(largest, shown.file_name),
        "name": shown.file_name,
        "size": largest.size_bytes,
        "mime": shown.mime_type,
        "width": largest.width_px,
        "height": largest.height_px,
        "duration": shown.duration_s,
        "preview": _address(preview) if preview else None,
    }


def _address(stored: StoredFile, name: str | None = None) -> str:
    address = f"/page/file/{stored.path}"
    return f"{address}?name={quote(name, safe='')}" if name else address

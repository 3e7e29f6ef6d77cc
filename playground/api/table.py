"""All methods by name, and how raw arguments become a checked method.

The models are aiogram's: names, types and nesting of arguments are checked against the Bot API's
own schema, so what passes here passes there as far as types go.
"""

import types
from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any, Final, Literal, TypeAlias, Union, get_args, get_origin

import aiogram.methods as bot_api
from aiogram.methods import TelegramMethod
from pydantic import BaseModel, ValidationError

from playground.api import (
    albums,
    chats,
    copies,
    edits,
    inline,
    invoices,
    media,
    messages,
    profile,
    queries,
    receiving,
)
from playground.api.attachments import attached
from playground.api.call import Call
from playground.arguments import Arguments, parse_json
from playground.errors import QUERY_TOO_OLD, ApiError, bad_request, not_found

Handler: TypeAlias = Callable[[Call, Any], Awaitable[Any]]

_HANDLERS: Final[dict[type[TelegramMethod[Any]], Handler]] = {
    bot_api.GetMe: receiving.get_me,
    bot_api.GetUpdates: receiving.get_updates,
    bot_api.SetWebhook: receiving.set_webhook,
    bot_api.DeleteWebhook: receiving.delete_webhook,
    bot_api.GetWebhookInfo: receiving.get_webhook_info,
    bot_api.GetFile: receiving.get_file,
    bot_api.SendMessage: messages.send_message,
    bot_api.SendMessageDraft: messages.send_message_draft,
    bot_api.SendChatAction: messages.send_chat_action,
    bot_api.SetMessageReaction: messages.set_message_reaction,
    bot_api.DeleteMessage: messages.delete_message,
    bot_api.DeleteMessages: messages.delete_messages,
    bot_api.SendPhoto: media.send_photo,
    bot_api.SendDocument: media.send_document,
    bot_api.SendVideo: media.send_video,
    bot_api.SendAnimation: media.send_animation,
    bot_api.SendAudio: media.send_audio,
    bot_api.SendVoice: media.send_voice,
    bot_api.SendMediaGroup: albums.send_media_group,
    bot_api.CopyMessage: copies.copy_message,
    bot_api.CopyMessages: copies.copy_messages,
    bot_api.ForwardMessage: copies.forward_message,
    bot_api.ForwardMessages: copies.forward_messages,
    bot_api.AnswerInlineQuery: inline.answer_inline_query,
    bot_api.AnswerWebAppQuery: inline.answer_web_app_query,
    bot_api.SendInvoice: invoices.send_invoice,
    bot_api.CreateInvoiceLink: invoices.create_invoice_link,
    bot_api.AnswerPreCheckoutQuery: invoices.answer_pre_checkout_query,
    bot_api.RefundStarPayment: invoices.refund_star_payment,
    bot_api.GetStarTransactions: invoices.get_star_transactions,
    bot_api.EditMessageText: edits.edit_message_text,
    bot_api.EditMessageCaption: edits.edit_message_caption,
    bot_api.EditMessageMedia: edits.edit_message_media,
    bot_api.EditMessageReplyMarkup: edits.edit_message_reply_markup,
    bot_api.AnswerCallbackQuery: queries.answer_callback_query,
    bot_api.SetMyName: profile.set_my_name,
    bot_api.GetMyName: profile.get_my_name,
    bot_api.SetMyDescription: profile.set_my_description,
    bot_api.GetMyDescription: profile.get_my_description,
    bot_api.SetMyShortDescription: profile.set_my_short_description,
    bot_api.GetMyShortDescription: profile.get_my_short_description,
    bot_api.SetMyCommands: profile.set_my_commands,
    bot_api.GetMyCommands: profile.get_my_commands,
    bot_api.DeleteMyCommands: profile.delete_my_commands,
    bot_api.SetChatMenuButton: profile.set_chat_menu_button,
    bot_api.GetChatMenuButton: profile.get_chat_menu_button,
    bot_api.GetChat: chats.get_chat,
    bot_api.GetChatMember: chats.get_chat_member,
}
METHODS: Final = {
    model.__api_method__.lower(): (model, handler) for model, handler in _HANDLERS.items()
}
_KNOWN: Final = {name.lower() for name in bot_api.__all__}

_MISSING: Final = {
    "chat_id": "chat_id is empty",
    "text": "message text is empty",
    "message_id": "message identifier is not specified",
    "photo": "there is no photo in the request",
    "document": "there is no document in the request",
    "video": "there is no video in the request",
    "animation": "there is no animation in the request",
    "audio": "there is no audio in the request",
    "voice": "there is no voice in the request",
    "media": "There are no messages to send",
    "message_ids": "message identifiers are not specified",
    "action": "Wrong parameter action in request",
    "file_id": "file_id is not specified",
    "commands": "commands are not specified",
    "reply_markup.inline_keyboard": "inline keyboard expected",
    "user_id": "invalid user_id specified",
    "callback_query_id": QUERY_TOO_OLD,
    "inline_query_id": QUERY_TOO_OLD,
    "pre_checkout_query_id": QUERY_TOO_OLD,
    "web_app_query_id": "QUERY_ID_INVALID",
    "title": "INVOICE_TITLE_INVALID",
    "description": "INVOICE_DESCRIPTION_INVALID",
    "payload": "INVOICE_PAYLOAD_INVALID",
    "currency": "CURRENCY_INVALID",
    "prices": "INVOICE_PRICES_INVALID",
}


async def run(call: Call, name: str, arguments: Arguments) -> Any:  # noqa: ANN401 - JSON
    """Check the arguments of a method and carry it out.

    Raises:
        ApiError: 404 for a method that is not here, or whatever the method refuses.
    """
    entry = METHODS.get(name.lower())
    if entry is None:
        if name.lower() in _KNOWN:
            raise not_found(f"the playground does not know the method {name} yet")
        raise not_found("method not found")
    model, handler = entry
    call.uploads = arguments.uploads
    return await handler(call, check(model, arguments))


def check(model: type[TelegramMethod[Any]], arguments: Arguments) -> TelegramMethod[Any]:
    """Turn raw arguments into the method's model; empty strings count as not given.

    Raises:
        ApiError: something required is missing, or has the wrong type.
    """
    fields: dict[str, Any] = {
        name: f"attach://{name}" for name in arguments.uploads if name in model.model_fields
    }
    structured = _structured_fields(model)
    for name, value in arguments.fields.items():
        if value in ("", None) or name not in model.model_fields:
            continue
        fields[name] = _parsed(name, value) if name in structured else value
    if model is bot_api.SetWebhook:
        fields.setdefault("url", "")
    try:
        return model.model_validate(attached(fields))
    except ValidationError as error:
        raise _refusal(error) from error


def _parsed(name: str, value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return parse_json(value)
    except ValueError as error:
        raise bad_request(f"can't parse {name}: JSON object expected") from error


def _refusal(error: ValidationError) -> ApiError:
    first = error.errors(include_url=False, include_input=False)[0]
    path = ".".join(str(part) for part in first["loc"])
    if first["type"] == "missing" and path in _MISSING:
        return bad_request(_MISSING[path])
    return bad_request(f"can't parse parameter {path}: {first['msg']}")


@cache
def _structured_fields(model: type[TelegramMethod[Any]]) -> frozenset[str]:
    """Name the fields that travel as JSON inside a form."""
    return frozenset(
        name for name, field in model.model_fields.items() if _is_structured(field.annotation)
    )


def _is_structured(annotation: object) -> bool:
    origin = get_origin(annotation)
    if origin in {list, dict}:
        return True
    if origin in {Union, types.UnionType}:
        return any(_is_structured(part) for part in get_args(annotation))
    if origin is Literal:
        return False
    if origin is not None:
        return any(_is_structured(part) for part in get_args(annotation)[:1])
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)

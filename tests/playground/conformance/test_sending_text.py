"""Texts, drafts, activity and reactions: lengths, entities, markup, keyboards."""

from typing import Any

import pytest

from tests.playground.client import ALICE, GROUP, MARIA, Api
from tests.playground.conformance.cases import DELETED, TEXT, Case, refuses, takes

LONG = "x" * 4096
NOBODY = 4242
BUTTON: dict[str, Any] = {"text": "a", "callback_data": "x"}


def text(what: str, shows: Any = None, **fields: Any) -> Case:
    return takes("sendMessage", what, shows=shows, **{"chat_id": ALICE, "text": "x", **fields})


def no_text(what: str, sentence: str, status: int = 400, **fields: Any) -> Case:
    given = {"chat_id": ALICE, "text": "x", **fields}
    return refuses("sendMessage", what, sentence, status=status, **given)


def entity(kind: str, offset: int, length: int, **more: Any) -> dict[str, Any]:
    return {"type": kind, "offset": offset, "length": length, **more}


def entities(*given: dict[str, Any]) -> dict[str, Any]:
    return {"entities": list(given)}


def inline(*row: dict[str, Any]) -> dict[str, Any]:
    return {"inline_keyboard": [list(row)]}


def calling(data: str) -> dict[str, Any]:
    return inline({"text": "a", "callback_data": data})


def with_url(url: str) -> dict[str, Any]:
    return inline({"text": "a", "url": url})


def html(source: str, what: str, shows: Any) -> Case:
    return text(what, shows, text=source, parse_mode="HTML")


def no_html(source: str, what: str, sentence: str) -> Case:
    full = f"can't parse entities: {sentence}"
    return no_text(what, full, text=source, parse_mode="HTML")


def markdown(source: str, what: str, shows: Any) -> Case:
    return text(what, shows, text=source, parse_mode="MarkdownV2")


def no_markdown(source: str, what: str, sentence: str) -> Case:
    full = f"can't parse entities: {sentence}"
    return no_text(what, full, text=source, parse_mode="MarkdownV2")


TEXTS = [
    text("one character", {"text": "x", "from": {"is_bot": True}, "chat": {"id": ALICE}}),
    text("4096 characters", {"text": LONG}, text=LONG),
    text("4096 characters beyond 16 bits", text="😀" * 4096),
    text("4096 characters between spaces", {"text": LONG}, text=f"  {LONG}\n"),
    text("a chat's id as a string", chat_id=str(ALICE)),
    text("a group", {"chat": {"type": "supergroup"}}, chat_id=GROUP),
    text("a reply", {"reply_to_message": {"text": "one"}}, reply_parameters={"message_id": TEXT}),
    text(
        "a reply to what is gone, where that is allowed",
        reply_parameters={"message_id": DELETED, "allow_sending_without_reply": True},
    ),
    text("an effect", {"effect_id": "51048"}, message_effect_id="51048"),
    text("arguments it does not know", nonsense="y"),
    no_text("no chat", "chat_id is empty", chat_id=""),
    no_text("an unknown chat", "chat not found", chat_id=NOBODY),
    no_text("a chat by an unknown name", "chat not found", chat_id="@nobody"),
    no_text(
        "a person who never wrote",
        "bot can't initiate conversation with a user",
        status=403,
        chat_id=MARIA,
    ),
    no_text("no text", "message text is empty", text=""),
    no_text("spaces", "message text is empty", text=" \n\t"),
    no_text("4097 characters", "message is too long", text=LONG + "x"),
    no_text("32769 bytes", "text is too long", text="x" * 32769),
    no_text("a reply to what is gone", "message to be replied not found",
            reply_parameters={"message_id": DELETED}),
    no_text("an unknown parse mode", "unsupported parse_mode", parse_mode="BBCode"),
]  # fmt: skip

MARKUP = [
    text("UTF-16 offsets", entities(entity("bold", 2, 1)), text="😀b",
         entities=[entity("bold", 2, 1)]),
    text("an entity over the whole of a text", entities(entity("bold", 0, 3)), text="abc",
         entities=[entity("bold", 0, 3)]),
    text("entities it finds itself",
         entities(entity("bot_command", 0, 5), entity("url", 6, 13), entity("mention", 20, 6)),
         text="/help https://e.com @alice"),
    no_text("an entity behind the end",
            "entity beginning at UTF-16 offset 2 ends after the end of the text at UTF-16 "
            "offset 4", text="😀b", entities=[entity("bold", 2, 2)]),
    no_text("an entity that begins within a character",
            "entity begins in a middle of a UTF-16 symbol at UTF-16 offset 1",
            text="😀b", entities=[entity("bold", 1, 2)]),
    html("<b>" + LONG + "</b>", "4096 characters within tags", {"text": LONG}),
    html("😀<b>b</b>", "tags behind a wide character", entities(entity("bold", 2, 1))),
    html("<a href='https://e.com/'>l</a>&lt;&#33;", "links and references",
         {"text": "l<!", **entities(entity("text_link", 0, 1, url="https://e.com/"))}),
    html('<pre><code class="language-py">x</code></pre>', "a block of code with its language",
         entities(entity("pre", 0, 1, language="py"))),
    html("<b><i>x</i></b>", "tags within tags",
         entities(entity("bold", 0, 1), entity("italic", 0, 1))),
    html("<blockquote expandable>x</blockquote><tg-spoiler>y</tg-spoiler>",
         "quotations and spoilers",
         entities(entity("expandable_blockquote", 0, 1), entity("spoiler", 1, 1))),
    no_text("4097 characters within tags", "message is too long",
            text=f"<b>{LONG}x</b>", parse_mode="HTML"),
    no_text("tags around nothing", "message text is empty", text="<b></b>", parse_mode="HTML"),
    no_html("a<x>b", "an unknown tag", 'Unsupported start tag "x" at byte offset 1'),
    no_html("я<b>b", "a tag that stays open",
            'Can\'t find end tag corresponding to start tag "b"'),
    no_html("a</b>", "an end of nothing", "Unexpected end tag at byte offset 1"),
    no_html("<b>я</i>", "crossed tags",
            'Unmatched end tag at byte offset 5, expected "</b>", found "</i>"'),
    no_html("a<b", "half a tag", "Unclosed start tag at byte offset 1"),
    no_html("<span>x</span>", "a span of no class",
            'Tag "span" must have class "tg-spoiler" at byte offset 0'),
    markdown(f"*{LONG}*", "4096 characters within markers", {"text": LONG}),
    markdown("😀*b* _i_", "markers behind a wide character",
             entities(entity("bold", 2, 1), entity("italic", 4, 1))),
    markdown(r"1\.", "an escaped dot", {"text": "1."}),
    markdown("[l](https://e.com/)", "a link",
             entities(entity("text_link", 0, 1, url="https://e.com/"))),
    markdown("```py\nx```", "a block of code", entities(entity("pre", 0, 1, language="py"))),
    no_text("4097 characters within markers", "message is too long",
            text=f"*{LONG}x*", parse_mode="MarkdownV2"),
    no_markdown("1.", "an unescaped dot",
                "Character '.' is reserved and must be escaped with the preceding '\\'"),
    no_markdown("я*b", "a marker that stays open",
                "Can't find end of Bold entity at byte offset 2"),
    no_markdown("`x", "code that stays open", "Can't find end of Code entity at byte offset 0"),
    no_markdown("[l](https://e.com", "an address that stays open",
                "Can't find end of a URL at byte offset 2"),
]  # fmt: skip

KEYBOARDS = [
    text("1 byte of callback data", {"reply_markup": calling("x")}, reply_markup=calling("x")),
    text("64 bytes of callback data", reply_markup=calling("я" * 32)),
    text("100 buttons", reply_markup=inline(*[BUTTON] * 100)),
    text("styles", reply_markup=inline({"text": "a", "callback_data": "x", "style": "danger"})),
    text("a Mini App over https",
         reply_markup=inline({"text": "a", "web_app": {"url": "https://e.com"}})),
    text("256 characters to copy",
         reply_markup=inline({"text": "a", "copy_text": {"text": "x" * 256}})),
    text("a keyboard below", reply_markup={"keyboard": [[{"text": "yes"}]],
                                           "input_field_placeholder": "x" * 64}),
    text("a removed keyboard", reply_markup={"remove_keyboard": True}),
    text("a forced reply", reply_markup={"force_reply": True}),
    no_text("65 bytes of callback data", "BUTTON_DATA_INVALID", reply_markup=calling("x" * 65)),
    no_text("66 bytes in 33 characters", "BUTTON_DATA_INVALID", reply_markup=calling("я" * 33)),
    no_text("101 buttons", "reply markup is too long",
            reply_markup=inline(*[BUTTON] * 101)),
    no_text("a button that does nothing", "text buttons are unallowed in the inline keyboard",
            reply_markup=inline({"text": "a"})),
    no_text("a button that does two things", "BUTTON_TYPE_INVALID",
            reply_markup=inline({"text": "a", "callback_data": "x", "url": "https://e.com"})),
    no_text("a Mini App over http",
            "inline keyboard button Web App URL 'http://e.com' is invalid: "
            "Only HTTPS links are allowed",
            reply_markup=inline({"text": "a", "web_app": {"url": "http://e.com"}})),
    no_text("a Mini App in a group", "BUTTON_TYPE_INVALID", chat_id=GROUP,
            reply_markup=inline({"text": "a", "web_app": {"url": "https://e.com"}})),
    no_text("an address that is none",
            "inline keyboard button URL 'javascript:x' is invalid: Wrong HTTP URL",
            reply_markup=with_url("javascript:x")),
    no_text("257 characters to copy", "BUTTON_COPY_TEXT_INVALID",
            reply_markup=inline({"text": "a", "copy_text": {"text": "x" * 257}})),
    no_text("a placeholder of 65 characters", "input field placeholder is too long",
            reply_markup={"force_reply": True, "input_field_placeholder": "x" * 65}),
    no_text("a keyboard that is no JSON", "can't parse reply_markup: JSON object expected",
            reply_markup="{"),
]  # fmt: skip

HEART = {"type": "emoji", "emoji": "❤"}


def reaction(*marks: dict[str, str], message: object = TEXT) -> dict[str, Any]:
    return {"chat_id": ALICE, "message_id": message, "reaction": list(marks)}


def draft(**fields: Any) -> dict[str, Any]:
    return {"chat_id": ALICE, "draft_id": 7, "text": "so far", **fields}


OTHERS = [
    takes("sendMessageDraft", "a text so far", shows=True, **draft()),
    takes("sendMessageDraft", "4096 characters", shows=True, **draft(text=LONG)),
    takes("sendMessageDraft", "markup", **draft(text="<b>x</b>", parse_mode="HTML")),
    refuses("sendMessageDraft", "4097 characters", "message is too long",
            **draft(text=LONG + "x")),
    refuses("sendMessageDraft", "the draft 0", "RANDOM_ID_INVALID", **draft(draft_id=0)),
    refuses("sendMessageDraft", "a group", "TEXTDRAFT_PEER_INVALID", **draft(chat_id=GROUP)),
    refuses("sendMessageDraft", "an unknown chat", "chat not found", **draft(chat_id=NOBODY)),
    *(
        takes("sendChatAction", action, shows=True, chat_id=ALICE, action=action)
        for action in ("typing", "upload_photo", "upload_document", "record_video")
    ),
    refuses("sendChatAction", "dancing", "wrong parameter action in request",
            chat_id=ALICE, action="dancing"),
    refuses("sendChatAction", "no action", "wrong parameter action in request", chat_id=ALICE),
    refuses("sendChatAction", "an unknown chat", "chat not found", chat_id=NOBODY,
            action="typing"),
    takes("setMessageReaction", "a heart", shows=True, **reaction(HEART)),
    takes("setMessageReaction", "none, which takes it away", shows=True, **reaction()),
    refuses("setMessageReaction", "two", "REACTIONS_TOO_MANY", **reaction(HEART, HEART)),
    refuses("setMessageReaction", "a letter", "REACTION_INVALID",
            **reaction({"type": "emoji", "emoji": "x"})),
    refuses("setMessageReaction", "what is gone", "message to react not found",
            **reaction(HEART, message=DELETED)),
]  # fmt: skip

CASES = [*TEXTS, *MARKUP, *KEYBOARDS, *OTHERS]


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_texts_are_taken_and_refused_as_by_telegram(case: Case, api: Api) -> None:
    await case.check(api)

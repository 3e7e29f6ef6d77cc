"""Inline mode, as a bot and as a person meet it."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.playground.client import ALICE, MARIA, Api, begin, button, keyboard, picture
from tests.playground.conftest import Clock
from tests.playground.films import gif, mp4

BOT = 12345
TOO_OLD = "Bad Request: query is too old and response timeout expired or query ID is invalid"


def article(name: str = "a", text: str = "chosen", **more: object) -> dict[str, Any]:
    content = {"message_text": text}
    return {"type": "article", "id": name, "title": name, "input_message_content": content, **more}


async def asked(api: Api, text: str = "cat", chat: str | None = None, **fields: Any) -> Any:
    """Let Alice type behind the bot's name; returns the update's inline_query."""
    await api.act(chat=chat, inline={"bot": BOT, "query": text, **fields})
    return (await api.updates())[0]["inline_query"]


async def found(api: Api, query: str) -> Any:
    """What the page shows of an answer."""
    response = await api.http.get(f"{api.base}/page/inline", params={"query": query})
    assert response.status_code == 200, response.text
    return response.json()


async def answered(api: Api, *results: dict[str, Any], **fields: Any) -> str:
    """Ask and answer; returns the query's id."""
    query: str = (await asked(api))["id"]
    assert await api.call("answerInlineQuery", inline_query_id=query, results=results, **fields)
    return query


async def test_what_is_typed_behind_the_bots_name_reaches_it(api: Api) -> None:
    query = await asked(api, "a red cat", chat="group", offset="10")
    assert (query["query"], query["offset"]) == ("a red cat", "10")
    assert (query["from"]["id"], query["chat_type"]) == (ALICE, "supergroup")
    assert (await asked(api, "x"))["chat_type"] == "sender"
    assert (await api.call("getMe"))["supports_inline_queries"] is True


async def test_the_page_waits_for_the_answer_and_shows_it(api: Api) -> None:
    query = await asked(api)
    waiting = begin(found(api, query["id"]))
    row = article("one", "text " * 60, description="about")
    start = {"text": "Settings", "start_parameter": "inline"}
    await api.call(
        "answerInlineQuery",
        inline_query_id=query["id"],
        results=[row],
        next_offset="1",
        button=start,
    )
    answer = await waiting
    assert (answer["next_offset"], answer["timed_out"]) == ("1", False)
    assert answer["button"] == start
    [shown] = answer["results"]
    assert (shown["type"], shown["title"], shown["description"]) == ("article", "one", "about")
    assert shown["text"] == ("text " * 60)[:200]


async def test_a_chosen_result_is_the_persons_message_via_the_bot(api: Api) -> None:
    query = await asked(api, chat="group")
    rows = keyboard([button("more", "again")])
    results = [article("plain"), article("with keys", "<b>hi</b>", reply_markup=rows)]
    results[1]["input_message_content"]["parse_mode"] = "HTML"
    await api.call("answerInlineQuery", inline_query_id=query["id"], results=results)
    sent = await api.act(chat="group", choose={"query": query["id"], "result": "with keys"})
    shown = sent["messages"][0]
    assert (shown["from"]["id"], shown["via_bot"]["id"]) == (ALICE, BOT)
    message, chosen = await api.updates()
    assert message["message"]["via_bot"]["id"] == BOT
    assert message["message"]["entities"][0]["type"] == "bold"
    told = chosen["chosen_inline_result"]
    assert (told["result_id"], told["query"], told["from"]["id"]) == ("with keys", "cat", ALICE)
    assert told["inline_message_id"]
    await api.act(chat="group", choose={"query": query["id"], "result": "plain"})
    assert "inline_message_id" not in (await api.updates())[-1]["chosen_inline_result"]


async def inline_message(api: Api, **result: Any) -> str:
    """Let Alice send a result with a keyboard into the group; returns its inline id."""
    query = (await asked(api, chat="group"))["id"]
    row = {**article(), **result, "reply_markup": keyboard([button("go", "go")])}
    await api.call("answerInlineQuery", inline_query_id=query, results=[row], cache_time=0)
    await api.act(chat="group", choose={"query": query, "result": row["id"]})
    number: str = (await api.updates())[-1]["chosen_inline_result"]["inline_message_id"]
    return number


async def in_group(api: Api) -> Any:
    """The newest message of the group as the page sees it."""
    state = (await api.http.get(f"{api.base}/playground/control/state")).json()
    return next(chat for chat in state["chats"] if chat["key"] == "group")["messages"][-1]


async def test_an_inline_message_is_edited_by_its_id(api: Api) -> None:
    number = await inline_message(api)
    rows = keyboard([button("again")])
    assert (
        await api.call("editMessageText", inline_message_id=number, text="done", reply_markup=rows)
        is True
    )
    shown = await in_group(api)
    assert (shown["text"], shown["keyboard"][0][0]["text"]) == ("done", "again")
    assert await api.call("editMessageReplyMarkup", inline_message_id=number) is True
    assert (await in_group(api))["keyboard"] is None
    refusal = await api.refused("editMessageText", inline_message_id="x", text="y")
    assert refusal == "Bad Request: MESSAGE_ID_INVALID"


async def test_an_inline_message_takes_a_known_file_and_no_upload(api: Api) -> None:
    files = {"photo": ("a.png", picture())}
    photo = (await api.call("sendPhoto", files, chat_id=ALICE))["photo"][-1]["file_id"]
    number = await inline_message(api)
    media = {"type": "photo", "media": photo, "caption": "here"}
    assert await api.call("editMessageMedia", inline_message_id=number, media=media) is True
    shown = await in_group(api)
    assert (shown["media"]["kind"], shown["text"]) == ("photo", "here")
    assert await api.call("editMessageCaption", inline_message_id=number, caption="new") is True
    media["media"] = "attach://f"
    refusal = await api.refused(
        "editMessageMedia", {"f": ("a.png", picture())}, inline_message_id=number, media=media
    )
    assert refusal == "Bad Request: invalid message content specified"


async def test_a_button_under_an_inline_message_names_it(api: Api) -> None:
    number = await inline_message(api)
    shown = await in_group(api)
    await api.act(person=MARIA, chat="group", press={"message_id": shown["id"]})
    query = (await api.updates())[0]["callback_query"]
    assert query["inline_message_id"] == number
    assert "message" not in query
    assert query["from"]["id"] == MARIA
    assert await api.call("answerCallbackQuery", callback_query_id=query["id"], text="yes")


async def test_files_the_bot_knows_are_results(api: Api) -> None:
    uploads = {"photo": picture(), "video": mp4(), "animation": gif(), "document": b"text"}
    ids = {}
    for kind, content in uploads.items():
        sent = await api.call(f"send{kind.title()}", {kind: ("a", content)}, chat_id=ALICE)
        found_kind = sent[kind][-1] if kind == "photo" else sent[kind]
        ids[kind] = found_kind["file_id"]
    results = [
        {"type": "photo", "id": "1", "photo_file_id": ids["photo"], "caption": "seen"},
        {"type": "video", "id": "2", "video_file_id": ids["video"], "title": "film"},
        {"type": "gif", "id": "3", "gif_file_id": ids["animation"]},
        {"type": "mpeg4_gif", "id": "4", "mpeg4_file_id": ids["animation"]},
        {"type": "document", "id": "5", "document_file_id": ids["document"], "title": "file"},
        {
            "type": "photo",
            "id": "6",
            "photo_file_id": ids["photo"],
            "input_message_content": {"message_text": "instead"},
        },
    ]
    query = await answered(api, *results)
    rows = (await found(api, query))["results"]
    assert rows[0]["preview"].startswith("/page/file/photos/")
    assert (rows[0]["width"], rows[0]["text"]) == (64, "seen")
    kinds = []
    for result in results:
        [shown] = (await api.act(choose={"query": query, "result": result["id"]}))["messages"]
        kinds.append(shown["media"] and shown["media"]["kind"])
    assert kinds == ["photo", "video", "animation", "animation", "document", None]
    updates = await api.updates()
    assert updates[0]["message"]["caption"] == "seen"


@pytest.fixture
async def own_server() -> AsyncIterator[str]:
    """A web server of the bot's own, beside the playground."""

    async def serve(_request: web.Request) -> web.Response:
        return web.Response(body=picture(200, 100), content_type="image/png")

    app = web.Application()
    app.router.add_get("/a.png", serve)
    running = TestServer(app)
    await running.start_server()
    yield str(running.make_url("/a.png"))
    await running.close()


async def test_a_picture_by_address_comes_from_this_machine_alone(
    api: Api, own_server: str
) -> None:
    here = {"type": "photo", "id": "1", "photo_url": own_server, "thumbnail_url": own_server}
    far = "https://example.com/a.jpg"
    there = {"type": "photo", "id": "2", "photo_url": far, "thumbnail_url": far}
    query = await answered(api, here, there)
    rows = (await found(api, query))["results"]
    response = await api.http.get(api.base + rows[0]["preview"])
    assert response.headers["Content-Type"] == "image/png"
    [shown] = (await api.act(choose={"query": query, "result": "1"}))["messages"]
    assert shown["media"]["width"] == 200
    refused = await api.control("send", choose={"query": query, "result": "2"})
    assert "wrong file identifier/HTTP URL specified" in refused.json()["description"]


@pytest.mark.parametrize(
    ("results", "sentence"),
    [
        ([article(str(n)) for n in range(51)], "RESULTS_TOO_MUCH"),
        ([article(), article()], "RESULT_ID_DUPLICATE"),
        ([article("x" * 65)], "RESULT_ID_INVALID"),
        ([article("я" * 33)], "RESULT_ID_INVALID"),
        ([article(title=" ")], "ARTICLE_TITLE_EMPTY"),
        ([article(text="x" * 4097)], "message is too long"),
        ([article(text=" ")], "message text is empty"),
        (
            [article(reply_markup=keyboard([{"text": "a", "web_app": {"url": "https://e.com"}}]))],
            "BUTTON_TYPE_INVALID",
        ),
        (
            [{"type": "photo", "id": "1", "photo_file_id": "x"}],
            "wrong remote file identifier specified: Wrong string length",
        ),
        (
            [{"type": "photo", "id": "1", "photo_url": "x", "thumbnail_url": "x"}],
            "PHOTO_CONTENT_URL_EMPTY",
        ),
        (
            [{"type": "location", "id": "1", "latitude": 1, "longitude": 1, "title": "x"}],
            "the playground does not show inline results of type location",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_wrong_result_is_refused(
    api: Api, results: list[dict[str, Any]], sentence: str
) -> None:
    query = (await asked(api))["id"]
    refusal = await api.refused("answerInlineQuery", inline_query_id=query, results=results)
    assert refusal == f"Bad Request: {sentence}"


async def test_fifty_results_and_long_ids_are_taken(api: Api) -> None:
    rows = [article(f"{n:064}") for n in range(50)]
    query = await answered(api, *rows, next_offset="я" * 32)
    assert len((await found(api, query))["results"]) == 50


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"next_offset": "я" * 33}, "NEXT_OFFSET_INVALID"),
        ({"button": {"text": "x"}}, "BUTTON_TYPE_INVALID"),
        ({"button": {"text": " ", "start_parameter": "x"}}, "BUTTON_TEXT_EMPTY"),
        ({"button": {"text": "x", "start_parameter": "a b"}}, "START_PARAM_INVALID"),
        (
            {"button": {"text": "x", "web_app": {"url": "http://e.com"}}},
            "inline query button Web App URL 'http://e.com' is invalid: "
            "Only HTTPS links are allowed",
        ),
    ],
)
async def test_a_wrong_answer_is_refused(api: Api, fields: Any, sentence: str) -> None:
    query = (await asked(api))["id"]
    refusal = await api.refused("answerInlineQuery", inline_query_id=query, results=[], **fields)
    assert refusal == f"Bad Request: {sentence}"


async def test_an_answer_comes_within_thirty_seconds(api: Api, clock: Clock) -> None:
    query = (await asked(api))["id"]
    clock.now += 31
    fields: dict[str, Any] = {"results": [article()]}
    assert await api.refused("answerInlineQuery", inline_query_id=query, **fields) == TOO_OLD
    assert await api.refused("answerInlineQuery", inline_query_id="1", **fields) == TOO_OLD
    async with Api(api.base, "777:other") as other:
        mine = (await asked(api))["id"]
        assert await other.refused("answerInlineQuery", inline_query_id=mine, **fields) == TOO_OLD


async def test_an_answer_is_kept_for_its_cache_time(api: Api, clock: Clock) -> None:
    await answered(api, article(), cache_time=10)
    again = (await api.act(inline={"bot": BOT, "query": "cat"}))["query"]
    assert (await found(api, again))["results"]
    assert not await api.updates()
    clock.now += 11
    await api.act(inline={"bot": BOT, "query": "cat"})
    assert await api.updates()


async def test_a_personal_answer_is_one_persons(api: Api) -> None:
    await answered(api, article(), is_personal=True)
    await api.act(person=MARIA, text="/start")
    await api.updates()
    await api.act(person=MARIA, inline={"bot": BOT, "query": "cat"})
    assert await api.updates()


async def test_inline_mode_can_be_off_and_say_nothing(api: Api) -> None:
    await api.control("inline", bot=BOT, feedback=False)
    query = await answered(api, article())
    await api.act(choose={"query": query, "result": "a"})
    assert [list(update)[1] for update in await api.updates()] == ["message"]
    await api.control("inline", bot=BOT, enabled=False)
    refused = await api.control("send", inline={"bot": BOT, "query": "x"})
    assert refused.json()["description"] == "Bad Request: BOT_INLINE_DISABLED"
    assert (await api.call("getMe"))["supports_inline_queries"] is False


@pytest.mark.parametrize(
    "act",
    [
        {"inline": {"bot": BOT, "query": "x" * 257}},
        {"inline": {"bot": 1, "query": "x"}},
        {"inline": "nothing"},
        {"choose": {"query": "1", "result": "a"}},
    ],
)
async def test_a_wrong_act_is_refused(api: Api, act: dict[str, Any]) -> None:
    assert (await api.control("send", **act)).status_code == 400


async def test_a_result_goes_where_it_was_asked_for_and_by_whom(api: Api) -> None:
    query = await answered(api, article())
    for fields in ({"chat": "group"}, {"person": MARIA}):
        refused = await api.control("send", choose={"query": query, "result": "a"}, **fields)
        assert refused.json()["description"] == "Bad Request: QUERY_ID_INVALID"
    refused = await api.control("send", choose={"query": query, "result": "b"})
    assert refused.json()["description"] == "Bad Request: RESULT_ID_INVALID"

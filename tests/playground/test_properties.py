"""Whatever is called with whatever: an answer in the envelope, and a world that stays in order."""

import asyncio
import json
import os
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiohttp.test_utils import TestServer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from playground.api.table import METHODS
from playground.errors import ApiError
from playground.files import FileStore
from playground.markup import formatted
from playground.rates import Limits
from playground.server import Playground, build_app
from playground.text import utf16_length
from playground.world import DEFAULT_TOKEN, Settings, World, populate
from tests.playground.client import ALICE, GROUP, MARIA

# In CI the same examples every time; elsewhere new ones, so that every run looks further.
FIXED = settings(
    max_examples=60,
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
STATUSES = {200, 400, 403, 404, 409, 413}

Call = tuple[str, dict[str, Any]]

SOME = ["x", "", " ", "<b>x</b>", "*x*", "attach://f", "HTML", "https://e.com", "\0", "я" * 70]
words = st.sampled_from(SOME)
numbers = st.sampled_from([0, 1, -1, 100, 2**31, 2**63, 10**40]) | st.integers()
texts = words | st.text(st.characters(), max_size=40)  # lone surrogates included
leaves = st.none() | st.booleans() | numbers | st.floats() | texts
junk = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)
places = st.sampled_from([ALICE, GROUP, MARIA, str(ALICE), "@nobody", 0])
actions = {"callback_data": texts, "url": texts, "web_app": junk, "style": words}
buttons = st.fixed_dictionaries({"text": words}, optional=actions)
rows = st.lists(st.lists(buttons, max_size=2), max_size=2)
markups = st.fixed_dictionaries({"inline_keyboard": rows})
entities = st.lists(
    st.fixed_dictionaries(
        {
            "type": st.sampled_from(["bold", "pre", "text_link", "x"]),
            "offset": st.integers(-3, 50),
            "length": st.integers(-3, 50),
        }
    ),
    max_size=4,
)
media = st.lists(
    st.fixed_dictionaries(
        {"type": st.sampled_from(["photo", "video", "document", "x"]), "media": words}
    ),
    max_size=3,
)
sensible: dict[str, st.SearchStrategy[Any]] = {
    "chat_id": places,
    "from_chat_id": places,
    "user_id": places,
    "message_id": st.sampled_from(["newest", "oldest"]) | numbers,
    "text": texts | st.integers(4090, 4100).map(lambda length: "x" * length),
    "caption": texts | st.integers(1020, 1030).map(lambda length: "😀" * length),
    "parse_mode": words,
    "reply_markup": markups,
    "entities": entities,
    "caption_entities": entities,
    "media": media,
    "draft_id": numbers,
    "action": st.sampled_from(["typing", "upload_photo", "x"]),
}


@st.composite
def calls(draw: st.DrawFn) -> Call:
    """A method with some of its arguments, half of them of the right kind."""
    name = draw(st.sampled_from(sorted(METHODS)))
    known = sorted(METHODS[name][0].model_fields)
    # An argument that is not sensible at all would end most calls before they do anything.
    fields: dict[str, Any] = {
        field: draw(sensible[field])
        for field in known
        if field in sensible and draw(st.integers(0, 9))
    }
    has_junk: bool = draw(st.booleans())
    if known and has_junk:
        fields[draw(st.sampled_from(known))] = draw(junk)
    return name, harmless(name, fields)


def harmless(name: str, fields: dict[str, Any]) -> dict[str, Any]:
    """No waiting, and no calls to addresses that chance has made up."""
    if name == "getupdates":
        return {**fields, "timeout": 0}
    return {**fields, "url": ""} if name == "setwebhook" else fields


class Telegram:
    """A playground over real HTTP, on a loop of its own that outlives every example."""

    def __init__(self, folder: Path) -> None:
        unlimited = Settings(messages_per_chat=50, limits=Limits(enabled=False))
        world = World(FileStore(folder), unlimited)
        populate(world, DEFAULT_TOKEN)
        self.playground = Playground(world)
        self.runner = asyncio.Runner()
        self.server = TestServer(build_app(self.playground))
        self.runner.run(self.server.start_server())
        self.http = httpx.AsyncClient(base_url=str(self.server.make_url("")), timeout=30)
        self.runner.run(self.people_write())

    def close(self) -> None:
        self.runner.run(self.http.aclose())
        self.runner.run(self.server.close())
        self.runner.close()

    async def people_write(self) -> None:
        for person in (ALICE, MARIA):
            fields = {"person": person, "text": "/start"}
            answer = await self.http.post("/playground/control/send", json=fields)
            assert answer.status_code == 200

    async def call(self, name: str, fields: dict[str, Any]) -> httpx.Response:
        chat = self.playground.world.chats[f"12345-{ALICE}"]
        known = {"newest": max(chat.messages), "oldest": min(chat.messages)}
        number = fields.get("message_id")
        if isinstance(number, str) and number in known:
            fields = {**fields, "message_id": known[number]}
        return await self.http.post(
            f"/bot{DEFAULT_TOKEN}/{name}",
            content=json.dumps(fields),  # NaN, half surrogate pairs and all
            headers={"Content-Type": "application/json"},
        )


@pytest.fixture(scope="module")
def telegram(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Telegram]:
    running = Telegram(tmp_path_factory.mktemp("files"))
    yield running
    running.close()


def assert_in_order(telegram: Telegram) -> None:
    """Ids rise, within every chat and every bot's queue; everything can still be shown."""
    world = telegram.playground.world
    for chat in world.chats.values():
        ids = list(chat.messages)
        assert ids == sorted(set(ids))
        assert all(number < chat.next_message_id for number in ids)
    for seat in world.seats.values():
        ids = [update.id for update in seat.updates._pending]
        assert all(later > sooner for sooner, later in pairwise(ids))
    state = telegram.runner.run(telegram.http.get("/playground/control/state"))
    assert state.status_code == 200
    state.json()


@FIXED
@given(st.lists(calls(), min_size=1, max_size=8))
def test_every_call_is_answered_noted_once_and_keeps_order(
    telegram: Telegram, wanted: list[Call]
) -> None:
    transcript = telegram.playground.transcript
    transcript.clear()
    telegram.runner.run(telegram.people_write())
    answers = []
    for name, fields in wanted:
        response = telegram.runner.run(telegram.call(name, fields))
        answer = response.json()
        assert response.status_code in STATUSES, (name, fields, answer)
        assert answer["ok"] is (response.status_code == 200)
        assert answer.get("error_code", 200) == response.status_code
        answers.append((name, response.status_code))
    noted = transcript.calls()
    assert [(call["method"], call["status"]) for call in noted] == answers
    numbers = [call["number"] for call in noted]
    assert numbers == list(range(numbers[0], numbers[0] + len(wanted)))
    assert_in_order(telegram)


@FIXED
@given(st.binary(max_size=300), st.sampled_from(["form", "multipart", "json", "bare"]))
def test_every_body_is_answered(telegram: Telegram, body: bytes, form: str) -> None:
    kind, around = {
        "form": ("application/x-www-form-urlencoded", b"%s"),
        "multipart": ("multipart/form-data; boundary=x", b"--x\r\n%s\r\n--x--\r\n"),
        "json": ("application/json", b'{"chat_id": 1, "text": "%s"}'),
        "bare": ("multipart/form-data; boundary=x", b"%s"),
    }[form]
    response = telegram.runner.run(
        telegram.http.post(
            f"/bot{DEFAULT_TOKEN}/sendMessage",
            content=around % body,
            headers={"Content-Type": kind},
        )
    )
    assert response.status_code in STATUSES
    assert response.json()["ok"] is False
    assert_in_order(telegram)


MARKS = [
    *"*_~`|[]()<>/\\!=\"'&;\n x@#",
    "||",
    "__",
    "```",
    "<b>",
    "</b>",
    "<a href='",
    "**>",
    "😀",
]
MARKED = st.lists(st.sampled_from(MARKS), max_size=60).map("".join)
MODES = st.sampled_from(["HTML", "MarkdownV2", "Markdown"])


@FIXED
@given(MARKED, MODES)
def test_markup_is_either_refused_or_lies_within_its_text(source: str, mode: str) -> None:
    try:
        result = formatted(source, mode, None)
    except ApiError as error:
        refusal = error.description
        assert refusal.startswith("Bad Request: can't parse entities: ")
        return
    end = utf16_length(result.text)
    assert result.text == result.text.strip()
    for entity in result.entities:
        assert 0 <= entity.offset < entity.offset + entity.length <= end
    offsets = [entity.offset for entity in result.entities]
    assert offsets == sorted(offsets)


@FIXED
@given(st.text(max_size=200))
def test_a_text_without_markup_is_shown_as_it_is(text: str) -> None:
    shown = formatted(text, None, None)
    printable = "".join(" " if ord(char) < 32 and char not in "\n\t\r" else char for char in text)
    assert shown.text == printable.strip().replace("\r", "")

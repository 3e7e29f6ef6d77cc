"""What a conformance case is: a call, and either what it shows or the sentence that refuses it.

The files beside this one hold the cases, one file a group of methods, and `test_every_method`
counts that none is left out. What a case needs to exist first stands in its fields as `Made`.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import aiogram.methods
from aiogram.methods import Response
from pydantic import TypeAdapter

from tests.playground.client import ALICE, Api, button, keyboard, picture

Fields = Mapping[str, Any]
Files = Mapping[str, tuple[str, bytes]] | Callable[[], Mapping[str, tuple[str, bytes]]]

NOT_MODIFIED = (
    "message is not modified: specified new message content and reply markup are exactly the "
    "same as a current content and reply markup of the message"
)
TOO_OLD = "query is too old and response timeout expired or query ID is invalid"


@dataclass(frozen=True, eq=False)
class Made:
    """Stands in a case's fields for something that is made before the call."""

    make: Callable[[Api], Awaitable[Any]]


@dataclass(frozen=True, eq=False)
class Case:
    """One call of a method.

    Attributes:
        what: the call in words; together with the method it names the test.
        files: name and bytes by part; large ones are only made when the case is checked.
        shows: what the result must contain, deeply; everything else about it is free.
        sentence: for a refusal, the whole description behind "Bad Request: ".
        status: of a refusal.
    """

    method: str
    what: str
    fields: Fields = field(default_factory=dict)
    files: Files = field(default_factory=dict)
    shows: Any = None
    sentence: str | None = None
    status: int = 400

    def __str__(self) -> str:
        verb = "takes" if self.sentence is None else "refuses"
        return f"{self.method} {verb} {self.what}"

    async def check(self, api: Api) -> None:
        """Make the call and compare."""
        fields = await _filled(self.fields, api)
        files = self.files() if callable(self.files) else self.files
        response = await api.post(self.method, dict(files) or None, **fields)
        answer = response.json()
        if self.sentence is None:
            assert answer["ok"], answer["description"]
            assert_shows(answer["result"], self.shows)
            _parse_as_aiogram(self.method, answer)
        else:
            assert answer["ok"] is False
            assert answer["description"] == f"{_PREFIX[self.status]}{self.sentence}"
            assert (response.status_code, answer["error_code"]) == (self.status, self.status)


_PREFIX = {400: "Bad Request: ", 403: "Forbidden: ", 409: "Conflict: ", 413: "", 401: ""}


def takes(
    method: str, what: str, files: Files | None = None, shows: Any = None, **fields: Any
) -> Case:
    """A call that is carried out."""
    return Case(method, what, fields, files or {}, shows)


def refuses(
    method: str,
    what: str,
    sentence: str,
    files: Files | None = None,
    status: int = 400,
    **fields: Any,
) -> Case:
    """A call that is not."""
    return Case(method, what, fields, files or {}, sentence=sentence, status=status)


def only(name: str, value: Any) -> dict[str, Any]:
    """One argument whose name is a variable."""
    return {name: value}


def assert_shows(shown: Any, expected: Any) -> None:
    """Whether `expected` is contained: of mappings the named keys, of lists every item."""
    if isinstance(expected, dict):
        for name, value in expected.items():
            assert name in shown, f"no {name} in {shown}"
            assert_shows(shown[name], value)
    elif isinstance(expected, list):
        assert len(shown) == len(expected)
        for part, value in zip(shown, expected, strict=True):
            assert_shows(part, value)
    elif expected is not None:
        assert shown == expected


async def _filled(value: Any, api: Api) -> Any:
    made: dict[Made, Any] = {}

    async def fill(part: Any) -> Any:
        if isinstance(part, Made):
            if part not in made:
                made[part] = await part.make(api)
            return made[part]
        if isinstance(part, Mapping):
            return {name: await fill(inner) for name, inner in part.items()}
        if isinstance(part, list):
            return [await fill(inner) for inner in part]
        return part

    return await fill(value)


@cache
def _methods() -> dict[str, Any]:
    known = (getattr(aiogram.methods, name) for name in aiogram.methods.__all__)
    return {model.__api_method__: model for model in known if hasattr(model, "__api_method__")}


@cache
def _answers(method: str) -> TypeAdapter[Any]:
    return TypeAdapter(Response[_methods()[method].__returning__])  # type: ignore[misc]


def _parse_as_aiogram(method: str, answer: Any) -> None:
    """Whether the most used client library takes the answer, types and all."""
    parsed = _answers(method).validate_json(json.dumps(answer))
    assert parsed.ok


async def _text(api: Api) -> int:
    markup = keyboard([button("a")])
    sent = await api.call("sendMessage", chat_id=ALICE, text="one", reply_markup=markup)
    return int(sent["message_id"])


async def _photo(api: Api) -> int:
    files = {"photo": ("a.png", picture())}
    sent = await api.call("sendPhoto", files, chat_id=ALICE, caption="one")
    return int(sent["message_id"])


async def _album(api: Api) -> int:
    files = {name: (f"{name}.png", picture(color=name)) for name in ("red", "blue")}
    media = [{"type": "photo", "media": f"attach://{name}"} for name in files]
    sent = await api.call("sendMediaGroup", files, chat_id=ALICE, media=media)
    return int(sent[0]["message_id"])


async def _theirs(api: Api) -> int:
    return int((await api.act(text="mine"))["messages"][0]["id"])


async def _deleted(api: Api) -> int:
    number = await _text(api)
    await api.call("deleteMessage", chat_id=ALICE, message_id=number)
    return number


async def _photo_id(api: Api) -> str:
    sent = await api.call("sendPhoto", {"photo": ("a.png", picture(400, 300))}, chat_id=ALICE)
    return str(sent["photo"][0]["file_id"])


async def _document_id(api: Api) -> str:
    sent = await api.call("sendDocument", {"document": ("a.txt", b"text")}, chat_id=ALICE)
    return str(sent["document"]["file_id"])


async def _query(api: Api) -> str:
    press = {"message_id": await _text(api)}
    return str((await api.act(press=press))["query"])


TEXT = Made(_text)  # the number of a message with the text "one" and a button
PHOTO = Made(_photo)  # of one with a photo and the caption "one"
ALBUM = Made(_album)  # of the first of an album of two photos
THEIRS = Made(_theirs)  # of one that Alice wrote
DELETED = Made(_deleted)  # of one that is no more
PHOTO_ID = Made(_photo_id)  # the file_id of the smallest size of a photo
DOCUMENT_ID = Made(_document_id)  # of a document
QUERY = Made(_query)  # a pressed button

"""Photos, documents, videos, animations, sound and albums; and files fetched again."""

from typing import Any

import pytest

from tests.playground.client import ALICE, MARIA, Api, keyboard, picture
from tests.playground.client import button as a_button
from tests.playground.conformance.cases import (
    DOCUMENT_ID,
    PHOTO_ID,
    Case,
    Made,
    only,
    refuses,
    takes,
)

MIB = 1024 * 1024
SENT_ALONE = {
    "sendPhoto": "photo",
    "sendDocument": "document",
    "sendVideo": "video",
    "sendAnimation": "animation",
    "sendAudio": "audio",
    "sendVoice": "voice",
}
CAPTION = "x" * 1024


def photo_of(size_bytes: int) -> bytes:
    """A photo with something behind its end, so that it has just this size."""
    return picture().ljust(size_bytes, b"\0")


def photo(what: str, content: bytes, shows: Any = None, **fields: Any) -> Case:
    files = {"photo": ("a.png", content)}
    return takes("sendPhoto", what, files, shows, chat_id=ALICE, **fields)


def no_photo(what: str, sentence: str, content: bytes, name: str = "a.png") -> Case:
    return refuses("sendPhoto", what, sentence, {"photo": (name, content)}, chat_id=ALICE)


def file(method: str, what: str, shows: Any = None, **fields: Any) -> Case:
    """Any one method, with a small file."""
    kind = SENT_ALONE[method]
    files = {kind: (f"my {kind}.png", picture())}
    return takes(method, what, files, shows, chat_id=ALICE, **fields)


def no_file(method: str, what: str, sentence: str, status: int = 400, **fields: Any) -> Case:
    files = {SENT_ALONE[method]: ("a.png", picture())}
    given = {"chat_id": ALICE, **fields}
    return refuses(method, what, sentence, files, status, **given)


SIZES = [
    photo("10 MiB", photo_of(10 * MIB), {"photo": [{"width": 64, "height": 48}]}),
    photo("width and height of 10000 together", picture(9500, 500)),
    photo("twenty times as wide as high", picture(200, 10)),
    photo(
        "a large picture, in several sizes",
        picture(2000, 1000),
        {"photo": [{"width": width} for width in (90, 320, 800, 1280)]},
    ),
    no_photo(
        "10 MiB and a byte",
        "file of size 10485761 bytes is too big for a photo; the maximum size is 10485760 bytes",
        photo_of(10 * MIB + 1),
    ),
    no_photo("width and height of 10001", "PHOTO_INVALID_DIMENSIONS", picture(9501, 500)),
    no_photo("more than twenty times as wide", "PHOTO_INVALID_DIMENSIONS", picture(201, 10)),
    no_photo("more than twenty times as high", "PHOTO_INVALID_DIMENSIONS", picture(10, 201)),
    no_photo("a torn picture", "IMAGE_PROCESS_FAILED", picture()[:60]),
    no_photo("a text", "PHOTO_EXT_INVALID", b"text", "a.txt"),
    no_photo("nothing", "file must be non-empty", b""),
    takes(
        "sendDocument",
        "50 MiB",
        lambda: {"document": ("a.bin", bytes(50 * MIB))},
        {"document": {"file_size": 50 * MIB, "file_name": "a.bin"}},
        chat_id=ALICE,
    ),
    refuses(
        "sendDocument",
        "50 MiB and a byte",
        "Request Entity Too Large",
        lambda: {"document": ("a.bin", bytes(50 * MIB + 1))},
        413,
        chat_id=ALICE,
    ),
    takes(
        "sendDocument",
        "100 files in one call",
        {"document": ("a.txt", b"x"), **{f"f{n}": ("a.txt", b"x") for n in range(99)}},
        chat_id=ALICE,
    ),
    refuses(
        "sendDocument",
        "101 files in one call",
        "Request Entity Too Large",
        {"document": ("a.txt", b"x"), **{f"f{n}": ("a.txt", b"x") for n in range(100)}},
        413,
        chat_id=ALICE,
    ),
    refuses(
        "sendDocument",
        "more than 1 MiB beside the file",
        "Request Entity Too Large",
        {"document": ("a.txt", b"x")},
        413,
        chat_id=ALICE,
        caption="x" * (MIB + 1),
    ),
]

ALONE = [
    case
    for method, kind in SENT_ALONE.items()
    for case in (
        file(method, "a caption of 1024 characters", {"caption": CAPTION}, caption=CAPTION),
        file(method, "no caption", {kind: None}),
        file(
            method,
            "a caption with markup and buttons",
            {
                "caption": "😀b",
                "caption_entities": [{"type": "bold", "offset": 2, "length": 1}],
                "reply_markup": keyboard([a_button("a")]),
            },
            caption="😀<b>b</b>",
            parse_mode="HTML",
            reply_markup=keyboard([a_button("a")]),
        ),
        takes(
            method,
            "a file under another part's name",
            {"abc": ("a.png", picture())},
            chat_id=ALICE,
            **only(kind, "attach://abc"),
        ),
        no_file(method, "a caption of 1025", "message caption is too long", caption=CAPTION + "x"),
        no_file(method, "an unknown chat", "chat not found", chat_id=4242),
        no_file(method, "no chat", "chat_id is empty", chat_id=""),
        no_file(
            method,
            "one who never wrote",
            "bot can't initiate conversation with a user",
            403,
            chat_id=MARIA,
        ),
        no_file(
            method,
            "a wrong button",
            "BUTTON_DATA_INVALID",
            reply_markup=keyboard([a_button("a", "x" * 65)]),
        ),
        refuses(method, "no file", f"there is no {kind} in the request", chat_id=ALICE),
        refuses(
            method,
            "an address",
            "wrong file identifier/HTTP URL specified",
            chat_id=ALICE,
            **only(kind, "https://e.com/a"),
        ),
        refuses(
            method,
            "an unknown file_id",
            "wrong remote file identifier specified: Wrong string length",
            chat_id=ALICE,
            **only(kind, "AgACAgIAAx"),
        ),
    )
]

AGAIN = [
    takes(
        "sendPhoto",
        "a file_id, and shows all sizes",
        shows={"photo": [{"width": 90}, {"width": 320}, {"width": 400}]},
        chat_id=ALICE,
        photo=PHOTO_ID,
    ),
    takes(
        "sendDocument",
        "a file_id",
        shows={"document": {"file_name": "a.txt", "file_size": 4}},
        chat_id=ALICE,
        document=DOCUMENT_ID,
    ),
    refuses("sendPhoto", "a document's file_id", "can't use file of type Document as Photo",
            chat_id=ALICE, photo=DOCUMENT_ID),
    refuses("sendDocument", "a photo's file_id", "can't use file of type Photo as Document",
            chat_id=ALICE, document=PHOTO_ID),
    takes("getFile", "a file_id", shows={"file_size": 4}, file_id=DOCUMENT_ID),
    refuses("getFile", "an unknown file_id",
            "wrong file_id or the file is temporarily unavailable", file_id="AgACAgIAAx"),
    refuses("getFile", "none", "file_id is not specified"),
]  # fmt: skip


def sized_document(size_bytes: int) -> Made:
    async def make(api: Api) -> str:
        files = {"document": ("a.bin", bytes(size_bytes))}
        sent = await api.call("sendDocument", files, chat_id=ALICE)
        return str(sent["document"]["file_id"])

    return Made(make)


AGAIN += [
    takes("getFile", "20 MiB", file_id=sized_document(20 * MIB)),
    refuses("getFile", "20 MiB and a byte", "file is too big",
            file_id=sized_document(20 * MIB + 1)),
]  # fmt: skip


def album(*kinds: str, **more: Any) -> dict[str, Any]:
    """An album's fields and parts: every file is a small picture."""
    media = [{"type": kind, "media": f"attach://f{n}"} for n, kind in enumerate(kinds)]
    media[0].update({name: str(value) for name, value in more.items()})
    files = {f"f{n}": (f"{n}.png", picture(color="red")) for n in range(len(kinds))}
    return {"files": files, "chat_id": ALICE, "media": media}


def group(what: str, *kinds: str, **more: Any) -> Case:
    return takes("sendMediaGroup", what, shows=[{}] * len(kinds), **album(*kinds, **more))


def no_group(what: str, sentence: str, *kinds: str, **more: Any) -> Case:
    return refuses("sendMediaGroup", what, sentence, **album(*kinds, **more))


ALBUMS = [
    group("2 photos", "photo", "photo"),
    group("10 photos", *["photo"] * 10),
    group("photos and videos together", "photo", "video"),
    group("documents", "document", "document"),
    group("audio", "audio", "audio"),
    group("a caption of 1024 characters", "photo", "photo", caption=CAPTION),
    no_group("11 photos", "too many messages to send as an album", *["photo"] * 11),
    no_group("1 photo", "media group must include 2-10 items", "photo"),
    no_group("a caption of 1025", "message caption is too long", "photo", "photo",
             caption=CAPTION + "x"),
    no_group("a document among photos", "document can't be mixed with other media types",
             "photo", "document"),
    no_group("audio among photos", "audio can't be mixed with other media types",
             "photo", "audio"),
    no_group("audio among documents", "document can't be mixed with other media types",
             "document", "audio"),
    refuses("sendMediaGroup", "nothing", "there are no messages to send", chat_id=ALICE, media=[]),
    refuses("sendMediaGroup", "no media", "there are no messages to send", chat_id=ALICE),
    refuses("sendMediaGroup", "a part that is not there",
            "invalid file HTTP URL specified: Unsupported URL protocol", chat_id=ALICE,
            media=[{"type": "photo", "media": "attach://nowhere"}] * 2),
    refuses("sendMediaGroup", "an unknown chat", "chat not found", **{
        **album("photo", "photo"), "chat_id": 4242}),
]  # fmt: skip

CASES = [*SIZES, *ALONE, *AGAIN, *ALBUMS]


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_files_are_taken_and_refused_as_by_telegram(case: Case, api: Api) -> None:
    await case.check(api)


async def test_a_file_id_is_one_bots_alone_and_the_unique_id_everybodys(api: Api) -> None:
    sent = await api.call("sendDocument", {"document": ("a.txt", b"x")}, chat_id=ALICE)
    async with Api(api.base, "777:another") as other:
        await api.act(chat=f"777-{ALICE}", text="/start") if await other.call("getMe") else None
        theirs = await other.call("sendDocument", {"document": ("a.txt", b"x")}, chat_id=ALICE)
        file_id = sent["document"]["file_id"]
        refusal = await other.refused("sendDocument", chat_id=ALICE, document=file_id)
    assert refusal.startswith("Bad Request: wrong remote file identifier specified")
    assert theirs["document"]["file_id"] != file_id
    assert theirs["document"]["file_unique_id"] == sent["document"]["file_unique_id"]


async def test_a_photo_loses_its_metadata_and_a_document_nothing(api: Api) -> None:
    content = photo_of(5000)
    document = await api.call("sendDocument", {"document": ("a.png", content)}, chat_id=ALICE)
    assert await api.download(document["document"]["file_id"]) == content
    photo = await api.call("sendPhoto", {"photo": ("a.png", content)}, chat_id=ALICE)
    kept = await api.download(photo["photo"][-1]["file_id"])
    assert kept.startswith(b"\xff\xd8\xff")

"""Bodies, paths and numbers that nobody sends by mistake: refused, quickly and in words."""

import asyncio
import gzip
import json
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from playground import arguments
from playground.server import Playground
from tests.playground.client import ALICE, Api, begin

MIB = 1024 * 1024
FORM = "multipart/form-data; boundary=x"
END = b"--x--\r\n"


def part(disposition: str, content: bytes = b"1", *headers: str) -> bytes:
    lines = [f"Content-Disposition: {disposition}", *headers]
    return b"--x\r\n" + "\r\n".join(lines).encode() + b"\r\n\r\n" + content + b"\r\n"


def field(name: str, content: bytes = b"1") -> bytes:
    return part(f'form-data; name="{name}"', content)


CHAT = field("chat_id", str(ALICE).encode())
DOCUMENT = part('form-data; name="document"; filename="a.txt"', b"text")


async def sent(api: Api, body: bytes, kind: str = FORM, method: str = "sendDocument") -> Any:
    address = f"{api.base}/bot{api.token}/{method}"
    return await api.http.post(address, content=body, headers={"Content-Type": kind})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no boundary at all",
        b"--y\r\n\r\n\r\n--y--",
        b"--x",
        b"--x\r\n",
        b"--x\r\nContent-Disposition",
        CHAT + b'--x\r\nContent-Disposition: form-data; name="document"; filename="a"\r\n\r\nto',
        CHAT + DOCUMENT,  # no end
        CHAT + part("form-data", b"nameless") + END,
        CHAT + part("nonsense;;;===", b"nameless") + END,
        CHAT + b"--x\r\nContent-Type: multipart/mixed; boundary=z\r\n\r\n--z--\r\n" + END,
        CHAT + part('form-data; name="a"', b"x", *[f"X-{n}: {n}" for n in range(1000)]) + END,
        CHAT + part(f'form-data; name="{"n" * 100_000}"') + END,
    ],
)
@pytest.mark.filterwarnings("ignore::aiohttp.BadContentDispositionHeader")
@pytest.mark.filterwarnings("ignore::aiohttp.BadContentDispositionParam")
async def test_a_body_that_is_not_what_it_claims_to_be_is_a_bad_request(
    api: Api, body: bytes
) -> None:
    response = await sent(api, body)
    assert response.status_code == 400, response.text
    assert response.json()["ok"] is False
    assert await api.call("getMe")


@pytest.mark.parametrize(
    "kind",
    [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=" + "y" * 500,
        'multipart/form-data; boundary="',
        "application/json",
        "application/json; charset=utf-16",
    ],
)
async def test_a_content_type_that_lies_is_a_bad_request(api: Api, kind: str) -> None:
    response = await sent(api, CHAT + DOCUMENT + END, kind)
    assert response.status_code == 400
    assert response.json()["ok"] is False


@pytest.mark.parametrize(
    "header",
    [
        "Content-Length: -5",
        "Content-Length: 99999",
        "Content-Length: x",
        "Content-Encoding: gzip",
        "Content-Transfer-Encoding: base64",
    ],
)
async def test_lengths_and_encodings_within_a_part_are_passed_over(api: Api, header: str) -> None:
    """As RFC 7578, section 4.8, wants it: the boundary alone ends a part."""
    document = part('form-data; name="document"; filename="a"', b"text", header)
    response = await sent(api, CHAT + document + END)
    assert await api.download(response.json()["result"]["document"]["file_id"]) == b"text"


@pytest.mark.parametrize("size", ["10000000000000", "104857601000"])
async def test_a_body_that_announces_too_much_is_not_read_at_all(api: Api, size: str) -> None:
    host, port = "127.0.0.1", _port(api)
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(
        f"POST /bot{api.token}/sendDocument HTTP/1.1\r\nHost: {host}:{port}\r\n"
        f"Content-Type: {FORM}\r\nContent-Length: {size}\r\n\r\n".encode()
    )
    status = await asyncio.wait_for(reader.readline(), 2)
    assert b"413" in status
    writer.close()


async def _without_end(chunk: bytes, count: list[int]) -> AsyncIterator[bytes]:
    yield CHAT + b'--x\r\nContent-Disposition: form-data; name="document"; filename="a"\r\n\r\n'
    while count[0] < 4096:
        count[0] += 1
        yield chunk


async def test_a_body_without_an_end_is_cut_off_at_the_limit(api: Api) -> None:
    chunks = [0]
    body = _without_end(bytes(MIB), chunks)
    address = f"{api.base}/bot{api.token}/sendDocument"
    try:
        response = await api.http.post(address, content=body, headers={"Content-Type": FORM})
    except httpx.TransportError:
        return  # the server hung up while we still sent: that is cutting, too
    assert response.status_code == 413
    assert chunks[0] < 4096


async def test_ten_thousand_fields_or_parts_are_cut_off(api: Api) -> None:
    for one in (field("f"), part('form-data; name="f"; filename="a"')):
        response = await sent(api, one * 10_000 + END)
        assert response.status_code == 413
    form = "application/x-www-form-urlencoded"
    assert (await sent(api, b"a=1&" * 10_000, form)).status_code == 400


async def test_a_field_of_two_megabytes_is_cut_off(api: Api) -> None:
    for body, kind in (
        (CHAT + field("caption", b"x" * 2 * MIB) + END, FORM),
        (b"text=" + b"x" * 2 * MIB, "application/x-www-form-urlencoded"),
        (b'{"text": "' + b"x" * 2 * MIB + b'"}', "application/json"),
    ):
        assert (await sent(api, body, kind)).status_code == 413


async def test_a_small_archive_of_a_large_body_is_cut_off(api: Api) -> None:
    body = gzip.compress(bytes(100 * MIB), 1)
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    address = f"{api.base}/bot{api.token}/sendMessage"
    tracemalloc.start()
    response = await api.http.post(address, content=body, headers=headers)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert response.status_code == 413
    assert peak_bytes < 20 * MIB


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_a_torn_archive_is_a_bad_request(api: Api, encoding: str) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": encoding}
    address = f"{api.base}/bot{api.token}/sendMessage"
    response = await api.http.post(address, content=b"\x1f\x8b no archive", headers=headers)
    assert response.status_code == 400
    assert response.json()["ok"] is False


async def test_a_body_that_dribbles_is_not_waited_for(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arguments, "BODY_TIMEOUT_S", 0.2)

    reader, writer = await asyncio.open_connection("127.0.0.1", _port(api))
    writer.write(
        f"POST /bot{api.token}/sendMessage HTTP/1.1\r\nHost: 127.0.0.1:{_port(api)}\r\n"
        'Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"text":'.encode()
    )
    status = await asyncio.wait_for(reader.readline(), 5)
    assert b"408" in status
    await asyncio.wait_for(reader.read(), 5)  # to the end: the server hangs up
    writer.close()


@pytest.mark.parametrize(
    "source",
    [
        '{"a":' * 5000 + "1" + "}" * 5000,
        "[" * 100_000,
        '{"text": NaN}',
        '{"text": 1e999}',
        '{"chat_id": -Infinity}',
        '{"chat_id": ' + "9" * 5000 + "}",
        '"text"',
        "null",
        "",
        "\x00",
        '{"text": "\\ud800"}',
    ],
)
async def test_json_that_is_none_is_a_bad_request(api: Api, source: str) -> None:
    response = await sent(api, source.encode(), "application/json", "sendMessage")
    assert response.status_code == 400
    assert response.json()["ok"] is False


@pytest.mark.parametrize("depth", [101, 500, 100_000])
async def test_json_in_json_without_end_is_a_bad_request(api: Api, depth: int) -> None:
    nested = '{"inline_keyboard": ' + "[" * depth + "]" * depth + "}"
    refusal = await api.refused("sendMessage", chat_id=ALICE, text="x", reply_markup=nested)
    assert refusal == "Bad Request: can't parse reply_markup: JSON object expected"


@pytest.mark.parametrize(
    "number", ["9" * 400, "-" + "9" * 4000, "1e400", "0x10", "٣", "1.5", "--1"]
)
async def test_numbers_of_any_size_are_answered(api: Api, number: str) -> None:
    for method, name in (
        ("sendMessage", "chat_id"),
        ("deleteMessage", "message_id"),
        ("getUpdates", "offset"),
        ("getUpdates", "limit"),
        ("sendMessageDraft", "draft_id"),
    ):
        given: dict[str, Any] = {"chat_id": ALICE, "text": "x", name: number}
        response = await api.post(method, **given)
        assert response.status_code in {200, 400, 403}, (method, name, response.text)
        response.json()


async def test_null_characters_stay_out_of_texts(api: Api) -> None:
    shown = await api.call("sendMessage", chat_id=ALICE, text="a\0b\x07c")
    assert shown["text"] == "a b c"
    files = {"document": ("a\0b.txt", b"x")}
    sent = await api.call("sendDocument", files, chat_id=ALICE)
    assert "\0" not in sent["document"]["file_name"]


NAMES = [
    "../../../etc/passwd",
    "..\\..\\windows\\system32",
    "/etc/passwd",
    "....//....//x",
    "%2e%2e%2fx",
    "con.txt\u202egpj",
    "a" * 5000,
    "..",
    ".",
    " ",
]


def folders_in(folder: Path) -> set[Path]:
    return {path.parent for path in folder.rglob("*")}


@pytest.mark.parametrize("name", NAMES)
async def test_a_path_for_a_name_stays_a_name(api: Api, tmp_path: Path, name: str) -> None:
    document = part(f'form-data; name="document"; filename="{name}"', b"text")
    shown = (await sent(api, CHAT + document + END)).json()["result"]["document"]
    assert not {"/", "\\", "\0", "\u202e"} & set(shown["file_name"])
    assert 1 <= len(shown["file_name"]) <= 128
    assert await api.download(shown["file_id"]) == b"text"
    assert folders_in(tmp_path) == {tmp_path}


PATHS = [
    "../conftest.py",
    "..%2f..%2fetc%2fpasswd",
    "%2e%2e/%2e%2e/etc/passwd",
    "documents/../../x",
    "documents%00",
    "/etc/passwd",
    "documents\\..\\x",
]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("place", ["file/bot12345:playground", "page/file", "static"])
async def test_no_path_leads_out(api: Api, place: str, path: str) -> None:
    host, port = "127.0.0.1", _port(api)
    reader, writer = await asyncio.open_connection(host, port)  # a client would tidy the path up
    writer.write(f"GET /{place}/{path} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
    status = await asyncio.wait_for(reader.readline(), 5)
    assert status.split()[1] in {b"400", b"403", b"404"}
    writer.close()


async def test_another_bots_file_path_leads_nowhere(api: Api) -> None:
    sent = await api.call("sendDocument", {"document": ("a.txt", b"x")}, chat_id=ALICE)
    path = (await api.call("getFile", file_id=sent["document"]["file_id"]))["file_path"]
    response = await api.http.get(f"{api.base}/file/bot777:other/{path}")
    assert response.status_code == 404


async def test_a_bot_that_hangs_up_leaves_nothing_behind(api: Api, playground: Playground) -> None:
    for _ in range(20):
        poll = begin(api.post("getUpdates", timeout=20))
        await asyncio.sleep(0.01)
        poll.cancel()
    await api.act(text="still here")
    assert [update["message"]["text"] for update in await api.updates()] == ["still here"]
    assert json.dumps(playground.transcript.calls("getUpdates"))


def _port(api: Api) -> int:
    return int(api.base.rpartition(":")[2])

import json
import time

import pytest

from playground.arguments import MAX_FIELD_BYTES
from playground.server import Playground
from tests.playground.client import ALICE, Api, button, keyboard


@pytest.mark.parametrize("method", ["sendMessage", "SENDMESSAGE", "sendmessage"])
async def test_a_call_may_come_in_any_form(api: Api, method: str) -> None:
    address = f"{api.base}/bot{api.token}/{method}"
    fields = {"chat_id": ALICE, "text": "x"}
    text = {name: str(value) for name, value in fields.items()}
    multipart = {name: (None, value) for name, value in text.items()}
    for response in (
        await api.http.get(address, params=text),
        await api.http.post(address, params=text),
        await api.http.post(address, data=text),
        await api.http.post(address, json=fields),
        await api.http.post(address, files=multipart),
    ):
        assert response.json()["result"]["text"] == "x", response.text


@pytest.mark.parametrize(
    ("token", "sentence"),
    [
        ("nonsense", "Unauthorized: invalid token specified"),
        ("12345:", "Unauthorized: invalid token specified"),
        ("12345:another", "Unauthorized"),
    ],
)
async def test_a_wrong_token_is_refused(api: Api, token: str, sentence: str) -> None:
    async with Api(api.base, token) as stranger:
        response = await stranger.post("getMe")
    assert response.status_code == 401
    assert response.json() == {"ok": False, "error_code": 401, "description": sentence}


async def test_an_unknown_method_is_loud(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    assert await api.refused("makeCoffee") == "Not Found: method not found"
    refusal = await api.refused("sendDice", chat_id=ALICE)
    assert refusal == "Not Found: the playground does not know the method sendDice yet"
    assert "sendDice" in caplog.text


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"{", "application/json"),
        (b"[1]", "application/json"),
        (b"[" * 100_000, "application/json"),
        (b"\xff=1", "application/x-www-form-urlencoded"),
        (b"&".join(b"a=1" for _ in range(2000)), "application/x-www-form-urlencoded"),
        (b"no boundary", "multipart/form-data"),
        (b"--x\r\n\r\ntorn", "multipart/form-data; boundary=x"),
        (
            b"--x\r\nContent-Type: text/plain\r\n\r\nnameless\r\n--x--",
            "multipart/form-data; boundary=x",
        ),
        (b"garbage", "multipart/form-data; boundary=x"),
    ],
)
async def test_a_broken_body_is_a_bad_request(api: Api, body: bytes, kind: str) -> None:
    address = f"{api.base}/bot{api.token}/sendMessage"
    response = await api.http.post(address, content=body, headers={"Content-Type": kind})
    assert response.status_code == 400
    assert response.json()["ok"] is False


async def test_too_much_is_cut_off(api: Api) -> None:
    response = await api.post("sendMessage", chat_id=ALICE, text="x" * MAX_FIELD_BYTES)
    assert response.status_code == 413
    many = {f"f{n}": (f"{n}.txt", b"x") for n in range(101)}
    response = await api.post("sendMessage", many, chat_id=ALICE, text="x")
    assert response.status_code == 413


async def test_ten_thousand_fields_are_cut_off(api: Api) -> None:
    part = '--x\r\nContent-Disposition: form-data; name="f{}"\r\n\r\n1\r\n'
    body = "".join(part.format(number) for number in range(10_000)) + "--x--\r\n"
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    address = f"{api.base}/bot{api.token}/getMe"
    response = await api.http.post(address, content=body.encode(), headers=headers)
    assert response.status_code == 413


async def test_arguments_of_a_wrong_type_are_named(api: Api) -> None:
    refusal = await api.refused("sendMessage", chat_id=ALICE, text="x", entities={"a": 1})
    assert refusal.startswith("Bad Request: can't parse parameter entities")


async def test_arguments_nobody_knows_are_passed_over(api: Api) -> None:
    assert await api.call("sendMessage", chat_id=ALICE, text="x", nonsense="y")


async def test_half_a_surrogate_pair_is_no_text(api: Api) -> None:
    markup = json.dumps(keyboard([button("a", "\ud800")]))
    for method, fields in (
        ("sendMessage", {"chat_id": ALICE, "text": "\ud800"}),
        ("sendMessage", {"chat_id": ALICE, "text": "<b>\udfff", "parse_mode": "HTML"}),
        ("sendMessage", {"chat_id": ALICE, "text": "x", "reply_markup": markup}),
    ):
        content = json.dumps(fields)
        headers = {"Content-Type": "application/json"}
        address = f"{api.base}/bot{api.token}/{method}"
        response = await api.http.post(address, content=content, headers=headers)
        assert response.status_code == 400
        description = response.json()["description"]
        assert description == "Bad Request: strings must be encoded in UTF-8"
    page = await api.http.post(f"{api.base}/page/act?text=%FF")
    assert page.status_code in {200, 400}
    assert (await api.http.get(f"{api.base}/page/state")).status_code == 200


async def test_a_failure_of_the_playground_itself_is_said_in_its_envelope(
    api: Api,
    playground: Playground,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(playground.world, "chat_for", None)
    monkeypatch.setattr(playground.world, "people", None)
    response = await api.post("sendMessage", chat_id=ALICE, text="x")
    page = await api.http.get(f"{api.base}/page/state")
    for answer in (response, page):
        assert answer.status_code == 500
        assert answer.json() == {
            "ok": False,
            "error_code": 500,
            "description": "Internal Server Error",
        }
    assert "sendMessage failed" in caplog.text
    assert "GET /page/state failed" in caplog.text
    assert (await api.transcript("sendMessage"))[0]["status"] == 500


async def test_a_person_cannot_write_without_end(api: Api) -> None:
    began = time.monotonic()
    response = await api.control("send", text="#a " * 300_000)
    assert response.json()["description"] == "Bad Request: text is too long"
    assert time.monotonic() - began < 2

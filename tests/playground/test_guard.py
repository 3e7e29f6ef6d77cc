import pytest
from aiohttp.test_utils import make_mocked_request

from playground.guard import Guard
from tests.playground.client import Api

EVERYWHERE = "0.0.0.0"  # noqa: S104 - never bound here
FOREIGN = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Host": "evil.example"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Origin": "http://["},
    {"Host": "[::1"},
]


@pytest.mark.parametrize("headers", FOREIGN)
@pytest.mark.parametrize("path", ["/page/state", "/playground/control/state", "/bot1:a/getMe"])
async def test_foreign_pages_and_names_are_refused(
    api: Api, path: str, headers: dict[str, str]
) -> None:
    response = await api.http.get(f"{api.base}{path}", headers=headers)
    assert response.status_code == 403


async def test_the_own_page_may_talk(api: Api) -> None:
    headers = {"Origin": api.base, "Sec-Fetch-Site": "same-origin"}
    response = await api.http.get(f"{api.base}/page/state", headers=headers)
    assert response.status_code == 200


async def test_the_page_may_be_opened_from_a_link_and_runs_nothing_foreign(api: Api) -> None:
    response = await api.http.get(f"{api.base}/", headers={"Sec-Fetch-Site": "cross-site"})
    assert response.status_code == 200
    assert "script-src 'self'" in response.headers["Content-Security-Policy"]
    assert response.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("bound", "host", "allowed"),
    [
        ("127.0.0.1", "localhost:81", True),
        ("127.0.0.1", "10.0.0.5", False),
        (EVERYWHERE, "10.0.0.5:8081", True),
        (EVERYWHERE, "evil.example", False),
        ("127.0.0.1", "playground:8081", True),
    ],
)
def test_names_follow_what_the_server_listens_on(bound: str, host: str, allowed: bool) -> None:
    guard = Guard(bound, frozenset({"playground"}))
    request = make_mocked_request("GET", "/page/state", headers={"Host": host})
    assert (guard.refusal(request) is None) is allowed


@pytest.mark.parametrize("path", ["/static/../server.py", "/static/%2e%2e/server.py", "/static/"])
async def test_nothing_outside_static_is_served(api: Api, path: str) -> None:
    response = await api.http.get(f"{api.base}{path}")
    assert response.status_code in {403, 404}

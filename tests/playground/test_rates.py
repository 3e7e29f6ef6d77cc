from collections.abc import Callable

import pytest

from playground.errors import ApiError
from playground.rates import Allowance, Limits, RateLimiter
from playground.server import Playground
from tests.playground.client import ALICE, GROUP, Api
from tests.playground.conftest import Clock


@pytest.fixture
def limiter(clock: Clock) -> RateLimiter:
    return RateLimiter(Limits(), clock)


def refused_for(act: Callable[[], None]) -> int:
    with pytest.raises(ApiError) as caught:
        act()
    assert caught.value.parameters
    wait_s: int = caught.value.parameters["retry_after"]
    return wait_s


def test_a_chat_takes_a_burst_and_then_one_a_second(limiter: RateLimiter, clock: Clock) -> None:
    for _ in range(5):
        limiter.spend(1, "a", is_group=False)
    assert refused_for(lambda: limiter.spend(1, "a", is_group=False)) == 1
    limiter.spend(1, "b", is_group=False)
    clock.now += 1
    limiter.spend(1, "a", is_group=False)


def test_a_group_takes_twenty_a_minute(clock: Clock) -> None:
    limiter = RateLimiter(Limits(chat=Allowance(1000, 1000)), clock)
    for _ in range(20):
        limiter.spend(1, "g", is_group=True)
    assert refused_for(lambda: limiter.spend(1, "g", is_group=True)) == 3


def test_thirty_a_second_go_out_overall(limiter: RateLimiter) -> None:
    for chat in range(30):
        limiter.spend(1, str(chat), is_group=False)
    assert refused_for(lambda: limiter.spend(1, "more", is_group=False)) == 1
    limiter.spend(2, "another bot", is_group=False)


def test_an_album_is_sent_whole_and_paid_afterwards(limiter: RateLimiter, clock: Clock) -> None:
    limiter.spend(1, "a", is_group=False, messages=10)
    wait_s = refused_for(lambda: limiter.spend(1, "a", is_group=False))
    assert wait_s == 6
    clock.now += wait_s
    limiter.spend(1, "a", is_group=False)


async def test_too_many_calls_are_told_how_long_to_wait(
    api: Api, playground: Playground, clock: Clock
) -> None:
    playground.world.rates.replace(Limits())
    sent = await api.call("sendMessage", chat_id=ALICE, text="0")
    where = {"chat_id": ALICE, "message_id": sent["message_id"]}
    for number in range(4):
        await api.call("editMessageText", **where, text=f"edit {number}")
    response = await api.post("sendMessage", chat_id=ALICE, text="one too many")
    assert response.status_code == 429
    assert response.headers["Retry-After"] == "1"
    assert response.json() == {
        "ok": False,
        "error_code": 429,
        "description": "Too Many Requests: retry after 1",
        "parameters": {"retry_after": 1},
    }
    clock.now += 1
    assert await api.call("sendMessage", chat_id=ALICE, text="after waiting")


async def test_limits_can_be_set_and_lifted(api: Api) -> None:
    await api.control("rates", chat_burst=1, group_per_minute=1, overall_per_second=100)
    await api.call("sendMessage", chat_id=GROUP, text="1")
    assert "Too Many" in await api.refused("sendMessage", chat_id=GROUP, text="2")
    await api.control("rates", enabled=False)
    for number in range(40):
        await api.call("sendMessage", chat_id=GROUP, text=str(number))
    assert (await api.control("rates", enabled="perhaps")).status_code == 400

from collections.abc import AsyncIterator

from playground.events import Event, EventLog
from tests.playground.client import ALICE, Api, begin


async def take(events: AsyncIterator[Event | None], count: int) -> list[Event | None]:
    return [await anext(events) for _ in range(count)]


async def test_a_follower_gets_what_it_missed_and_what_comes() -> None:
    log = EventLog()
    log.add("one")
    log.add("two")
    following = log.follow(1, idle_s=5)
    assert await take(following, 1) == [Event(2, {"kind": "two"})]
    waiting = begin(take(following, 1))
    log.add("three", chat="c")
    assert await waiting == [Event(3, {"kind": "three", "chat": "c"})]


async def test_a_gap_is_named_instead_of_hidden() -> None:
    log = EventLog(size=2)
    for number in range(5):
        log.add(str(number))
    for known in (1, 99):
        following = log.follow(known, idle_s=5)
        assert await take(following, 1) == [Event(5, {"kind": "reload"})]


async def test_a_gap_is_named_also_while_following() -> None:
    log = EventLog(size=2)
    following = log.follow(0, idle_s=5)
    log.add("seen")
    assert await take(following, 1) == [Event(1, {"kind": "seen"})]
    for number in range(5):
        log.add(str(number))
    assert await take(following, 1) == [Event(6, {"kind": "reload"})]
    log.add("next")
    assert await take(following, 1) == [Event(7, {"kind": "next"})]


async def test_silence_is_filled_with_a_sign_of_life() -> None:
    assert await take(EventLog().follow(0, idle_s=0.01), 2) == [None, None]


async def test_a_closed_log_lets_everybody_go() -> None:
    log = EventLog()

    async def follow_to_the_end() -> int:
        return len([event async for event in log.follow(0, idle_s=60)])

    following = begin(follow_to_the_end())
    log.add("one")
    await begin(take(log.follow(0, idle_s=5), 1))
    log.close()
    assert await following == 1


async def test_the_page_hears_events_over_http_and_again_after_a_loss(api: Api) -> None:
    state = (await api.http.get(f"{api.base}/page/state")).json()
    await api.call("sendMessage", chat_id=ALICE, text="heard")
    for headers in ({}, {"Last-Event-ID": str(state["event"])}):
        after = 0 if headers else state["event"]
        address = f"{api.base}/page/events?after={after}"
        async with api.http.stream("GET", address, headers=headers) as response:
            assert response.headers["Content-Type"] == "text/event-stream"
            lines = response.aiter_lines()
            data = [line async for line in _until_data(lines)]
        assert "heard" in data[-1]
        assert f"id: {state['event'] + 1}" in data


async def _until_data(lines: AsyncIterator[str]) -> AsyncIterator[str]:
    async for line in lines:
        yield line
        if line.startswith("data:"):
            return

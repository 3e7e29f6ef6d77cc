import asyncio
from collections.abc import Sequence

import pytest

from bot.jobs.board import SIZE, Board
from bot.jobs.estimates import Outlook
from bot.jobs.ports import Waiting
from bot.tasks import Tasks
from tests.jobs.conftest import Rig
from tests.jobs.fakes import Sketch, asker, until, until_told
from tests.storage.stock import put, put_many


async def no_outlook() -> Outlook:
    return Outlook(paces={}, running_s=0, slots=1)


def board_of(rig: Rig, over: Sequence[int] = ()) -> Board:
    return Board(
        jobs=rig.jobs, delivery=rig.delivery, outlook=no_outlook, is_over=over.__contains__
    )


async def test_cards_follow_the_queue(rig: Rig) -> None:
    rig.engine.slots = 0
    service = await rig.started(batch_pictures=1)
    for user_id in (1, 2, 3):
        await service.submit(asker(user_id), "sketch", Sketch())
    rig.engine.slots = 1
    await service.submit(asker(4), "sketch", Sketch())
    await until_told(rig.jobs, 1, 2, 3, 4)
    places = rig.delivery.places(4)
    assert places[0] == 3
    assert places == sorted(places, reverse=True), "a place only falls"


async def test_a_place_that_has_not_changed_is_not_repeated(rig: Rig) -> None:
    board = board_of(rig)
    for user_id in (1, 2, 3):
        await put(rig.jobs, f"{user_id}", user_id=user_id)
    await board.refresh()
    await board.refresh()
    assert [rig.delivery.places(job_id) for job_id in (1, 2, 3)] == [[0], [1], [2]]
    await rig.jobs.claim(1)
    await board.refresh()
    assert [rig.delivery.places(job_id) for job_id in (1, 2, 3)] == [[0], [1, 0], [2, 1]]


async def test_an_estimate_that_has_changed_much_is_shown_again(rig: Rig) -> None:
    running_s = 100.0

    async def outlook() -> Outlook:
        return Outlook(paces={}, running_s=running_s, slots=1)

    board = Board(
        jobs=rig.jobs,
        delivery=rig.delivery,
        outlook=outlook,
        is_over=lambda _: False,
        every_s=0.005,
    )
    await put(rig.jobs, "a")
    tasks = Tasks()
    tasks.start(board.run(), name="board")
    await until(lambda: len(rig.delivery.shown) == 1)
    running_s = 80  # of the 120 seconds shown 100 are left: near enough
    await asyncio.sleep(0.03)
    running_s = 70
    await until(lambda: len(rig.delivery.shown) == 2)
    await asyncio.sleep(0.03)
    await tasks.stop()
    assert rig.delivery.shown == [(1, Waiting(0, 120)), (1, Waiting(0, 90))]


async def test_a_job_that_returns_to_the_queue_is_shown_again(rig: Rig) -> None:
    board = board_of(rig)
    await put(rig.jobs, "a")
    await board.refresh()
    await rig.jobs.claim(1)
    await board.refresh()
    await rig.jobs.requeue(1, crashed=True)
    await board.refresh()
    assert rig.delivery.places(1) == [0, 0]


async def test_only_the_nearest_cards_are_refreshed(rig: Rig) -> None:
    await put_many(rig.db, 10 * SIZE, users=3 * SIZE)
    await board_of(rig).refresh()
    assert [job_id for job_id, _ in rig.delivery.shown] == list(range(1, SIZE + 1))


async def test_an_ended_job_is_not_painted_over(rig: Rig) -> None:
    await put(rig.jobs, "a", user_id=1)
    await put(rig.jobs, "b", user_id=2)
    await board_of(rig, over=[1]).refresh()
    assert [job_id for job_id, _ in rig.delivery.shown] == [2]


async def test_a_cancel_before_them_moves_the_others_up(rig: Rig) -> None:
    rig.engine.gate.clear()
    service = await rig.started(batch_pictures=1)
    for user_id in (1, 2, 3):
        await service.submit(asker(user_id), "sketch", Sketch())
    await until(lambda: rig.delivery.places(3)[-1:] == [1])
    await service.cancel(2, 2)
    await until(lambda: rig.delivery.places(3)[-1:] == [0])


async def test_a_refresh_that_fails_is_logged_and_the_next_one_works(
    rig: Rig, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.engine.slots = 0
    service = await rig.started()
    await put(rig.jobs, "a")
    front = rig.jobs.front
    monkeypatch.setattr(service._board._jobs, "front", None)
    service._board.moved()
    await until(lambda: "cannot be refreshed" in caplog.text)
    monkeypatch.setattr(service._board._jobs, "front", front)
    service._board.moved()
    await until(lambda: rig.delivery.places(1) == [0])

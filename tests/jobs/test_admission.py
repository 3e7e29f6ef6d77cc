import asyncio
from collections import Counter
from pathlib import Path

import pytest

from bot.jobs.job import DailyQuotaSpent, QueueFull, Rejected, TooManyAtOnce, TooSoon
from storage import quotas
from storage.database import Database
from tests.jobs.conftest import Rig
from tests.jobs.fakes import FakeLimits, Sketch, asker
from tests.storage.stock import FakeClock

DAY_S = quotas.DAY_S


async def books(rig: Rig) -> list[tuple[object, ...]]:
    """Everything that submitting changes."""
    found: list[tuple[object, ...]] = []
    for table in ("jobs", "turns", "depths", "buckets", "daily_units"):
        found += [tuple(row) for row in await rig.db.rows(f"SELECT * FROM {table}")]  # noqa: S608
    return found


async def test_a_request_becomes_a_job(rig: Rig) -> None:
    service = rig.service()
    job = await service.submit(asker(5, chat_id=-7), "sketch", Sketch(seed=3, n=2))
    job = await rig.jobs.get(job.id)
    assert (job.user_id, job.chat_id, job.mode, job.state) == (5, -7, "sketch", "queued")
    assert (job.pictures, job.cost, job.batch_key) == (2, 4, "small")
    assert Sketch.model_validate_json(job.request) == Sketch(seed=3, n=2)
    assert rig.delivery.places(job.id) == [0]


async def test_a_full_queue_refuses_everybody(rig: Rig) -> None:
    service = rig.service(FakeLimits(queue_size=2))
    await service.submit(asker(1), "sketch", Sketch())
    await service.submit(asker(2), "sketch", Sketch())
    with pytest.raises(QueueFull) as refusal:
        await service.submit(asker(3), "sketch", Sketch())
    assert refusal.value.params["size"] == 2
    assert float(refusal.value.params["wait_s"]) > 0
    await rig.jobs.claim(1)
    await service.submit(asker(3), "sketch", Sketch())


async def test_jobs_in_flight_are_those_that_wait_and_those_that_run(rig: Rig) -> None:
    service = rig.service(FakeLimits(in_flight_per_user=2))
    first = await service.submit(asker(1), "sketch", Sketch())
    await service.submit(asker(1), "sketch", Sketch())
    await rig.jobs.claim(1)
    with pytest.raises(TooManyAtOnce) as refusal:
        await service.submit(asker(1), "sketch", Sketch())
    assert refusal.value.params == {"limit": 2}
    await service.submit(asker(2), "sketch", Sketch())
    await rig.jobs.fail(first.id, "error-generation-failed")
    await service.submit(asker(1), "sketch", Sketch())


async def test_the_bucket_says_when_the_next_token_comes_and_keeps_its_word(rig: Rig) -> None:
    service = rig.service(FakeLimits(burst=2, refill_per_minute=6))
    for _ in range(2):
        await service.submit(asker(1), "sketch", Sketch())
    with pytest.raises(TooSoon) as refusal:
        await service.submit(asker(1), "sketch", Sketch())
    wait_s = refusal.value.params["wait_s"]
    assert wait_s == pytest.approx(10)
    rig.clock.now += 9.9
    with pytest.raises(TooSoon):
        await service.submit(asker(1), "sketch", Sketch())
    rig.clock.now += 0.2
    await service.submit(asker(1), "sketch", Sketch())
    await service.submit(asker(2), "sketch", Sketch())


async def test_a_rest_refills_no_more_than_a_burst(rig: Rig) -> None:
    service = rig.service(FakeLimits(burst=2, refill_per_minute=60))
    await service.submit(asker(1), "sketch", Sketch())
    rig.clock.now += 3600
    for _ in range(2):
        await service.submit(asker(1), "sketch", Sketch())
    with pytest.raises(TooSoon):
        await service.submit(asker(1), "sketch", Sketch())


async def test_the_daily_quota_is_renewed_at_midnight(rig: Rig) -> None:
    service = rig.service(FakeLimits(daily_units=5))
    rig.clock.now = 1000 * DAY_S + DAY_S - 60
    await service.submit(asker(1), "sketch", Sketch(n=2))
    with pytest.raises(DailyQuotaSpent) as refusal:
        await service.submit(asker(1), "sketch", Sketch())
    assert refusal.value.params == {"cost": 2, "left": 1, "limit": 5, "wait_s": 60}
    rig.clock.now += 61
    await service.submit(asker(1), "sketch", Sketch(n=2))


@pytest.mark.parametrize(
    "limits",
    [
        FakeLimits(queue_size=2),
        FakeLimits(in_flight_per_user=2),
        FakeLimits(burst=2, refill_per_minute=1),
        FakeLimits(daily_units=4),
    ],
    ids=["queue", "in flight", "bucket", "quota"],
)
async def test_a_refusal_costs_nothing(rig: Rig, limits: FakeLimits) -> None:
    service = rig.service(limits)
    for _ in range(2):
        await service.submit(asker(1), "sketch", Sketch())
    before = await books(rig)
    for _ in range(3):
        with pytest.raises(Rejected):
            await service.submit(asker(1), "sketch", Sketch())
    assert await books(rig) == before


async def test_the_same_origin_twice_is_one_job_paid_once(rig: Rig) -> None:
    service = rig.service(FakeLimits(burst=1, refill_per_minute=1, daily_units=2))
    first = await service.submit(asker(1, "message 5"), "sketch", Sketch(seed=1))
    before = await books(rig)
    again = await service.submit(asker(1, "message 5"), "sketch", Sketch(seed=2))
    assert again == first
    assert await books(rig) == before
    assert len(rig.delivery.shown) == 1
    await rig.jobs.claim(1)
    await rig.jobs.fail(first.id, "error-generation-failed")
    again = await service.submit(asker(1, "message 5"), "sketch", Sketch())
    assert (again.id, again.state) == (first.id, "failed")


async def test_a_hundred_submits_at_once_never_exceed_a_limit(rig: Rig) -> None:
    service = rig.service(FakeLimits(in_flight_per_user=7, burst=50, refill_per_minute=0.001))
    outcomes = await asyncio.gather(
        *(service.submit(asker(1), "sketch", Sketch()) for _ in range(100)),
        return_exceptions=True,
    )
    kinds = Counter(type(outcome).__name__ for outcome in outcomes)
    assert kinds == {"Job": 7, "TooManyAtOnce": 93}
    assert len(await rig.jobs.of_user(1, ["queued"])) == 7


async def test_a_hundred_times_the_same_press_at_once_is_one_job(rig: Rig) -> None:
    service = rig.service()
    jobs = await asyncio.gather(
        *(service.submit(asker(1, "press 9"), "sketch", Sketch()) for _ in range(100))
    )
    assert len({job.id for job in jobs}) == 1


async def test_buckets_and_quotas_survive_a_restart(tmp_path: Path) -> None:
    clock = FakeClock()
    limits = FakeLimits(burst=1, refill_per_minute=1)
    db = await Database.open(tmp_path / "bot.sqlite")
    await Rig(tmp_path, db, clock).service(limits).submit(asker(1), "sketch", Sketch())
    await db.close()
    db = await Database.open(tmp_path / "bot.sqlite")
    rig = Rig(tmp_path, db, clock)
    with pytest.raises(TooSoon):
        await rig.service(limits).submit(asker(1), "sketch", Sketch())
    clock.now += 61
    with pytest.raises(DailyQuotaSpent):
        await rig.service(FakeLimits(daily_units=3)).submit(asker(1), "sketch", Sketch())
    await db.close()


@pytest.mark.parametrize("step_s", [-1.0, -3600.0, -400 * DAY_S])
async def test_a_clock_set_back_locks_nobody_out_for_long(rig: Rig, step_s: float) -> None:
    service = rig.service(FakeLimits(burst=1, refill_per_minute=1, daily_units=4))
    await service.submit(asker(1), "sketch", Sketch())
    rig.clock.now += step_s
    waited_s = 0.0
    while waited_s < 125:
        try:
            await service.submit(asker(1), "sketch", Sketch())
            break
        except TooSoon as refusal:
            waited_s += float(refusal.params["wait_s"])
            rig.clock.now += float(refusal.params["wait_s"])
    assert waited_s < 125


async def test_a_clock_that_jumps_about_gives_no_more_than_a_burst(rig: Rig) -> None:
    service = rig.service(FakeLimits(burst=3, refill_per_minute=1))
    await service.submit(asker(1), "sketch", Sketch())
    rig.clock.now -= 3600
    for _ in range(3):
        await service.submit(asker(1), "sketch", Sketch())
    with pytest.raises(TooSoon):
        await service.submit(asker(1), "sketch", Sketch())


async def test_a_cancelled_job_may_be_asked_again_on_the_same_day(rig: Rig) -> None:
    service = rig.service(FakeLimits(daily_units=2))
    job = await service.submit(asker(1), "sketch", Sketch())
    with pytest.raises(DailyQuotaSpent):
        await service.submit(asker(1), "sketch", Sketch())
    assert await service.cancel(job.id, 1)
    await service.submit(asker(1), "sketch", Sketch())

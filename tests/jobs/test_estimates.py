import pytest

from bot.jobs.estimates import FIRST_GUESS, Estimates, Outlook
from storage.paces import ALL_KINDS, Pace, Paces
from tests.jobs.conftest import Rig
from tests.storage.stock import put


def estimates_of(rig: Rig, slots: int = 1) -> Estimates:
    return Estimates(
        jobs=rig.jobs, paces=Paces(rig.db, rig.clock), slots=lambda: slots, clock=rig.clock
    )


async def test_before_anything_is_measured_it_is_a_guess(rig: Rig) -> None:
    job = await put(rig.jobs, "a", pictures=3)
    outlook = await estimates_of(rig).outlook()
    assert outlook.wait_s(job, ahead=0) == 3 * FIRST_GUESS.picture_s


async def test_the_wait_is_what_is_ahead_and_the_job_itself(rig: Rig) -> None:
    job = await put(rig.jobs, "a", pictures=2)
    paces = {("sketch", "small"): Pace(picture_s=3, job_s=4), ALL_KINDS: Pace(5, 10)}
    assert Outlook(paces, running_s=7, slots=1).wait_s(job, ahead=2) == 7 + 2 * 10 + 2 * 3
    assert Outlook(paces, running_s=8, slots=2).wait_s(job, ahead=2) == 4 + 2 * 5 + 2 * 3


async def test_a_kind_never_measured_is_taken_for_an_average_one(rig: Rig) -> None:
    job = await put(rig.jobs, "a", batch_key="huge")
    assert Outlook({ALL_KINDS: Pace(5, 10)}, running_s=0, slots=1).wait_s(job, 0) == 5


async def test_what_runs_counts_for_what_is_left_of_it(rig: Rig) -> None:
    await Paces(rig.db, rig.clock).record("sketch", "small", seconds=10, jobs=1, pictures=1)
    for user_id in (1, 2):
        await put(rig.jobs, f"{user_id}", user_id=user_id)
    await rig.jobs.claim(4)
    estimates = estimates_of(rig)
    assert (await estimates.outlook()).running_s == pytest.approx(20)
    rig.clock.now += 15
    assert (await estimates.outlook()).running_s == pytest.approx(5)
    rig.clock.now += 100
    assert (await estimates.outlook()).running_s == 0
    rig.clock.now -= 1000
    assert (await estimates.outlook()).running_s == pytest.approx(20)


async def test_an_engine_without_slots_is_no_division_by_zero(rig: Rig) -> None:
    assert (await estimates_of(rig, slots=0).outlook()).turn_s == FIRST_GUESS.job_s

import asyncio

import pytest

from bot.jobs.housekeeping import Keeping, chores_of, keep_house
from bot.tasks import Tasks
from storage import quotas
from storage.conversations import Conversations
from storage.inbox import Inbox
from tests.jobs.conftest import Rig
from tests.jobs.fakes import until
from tests.storage.stock import put

DAY_S = 86_400


async def test_every_chore_throws_away_what_is_old(rig: Rig) -> None:
    keeping = Keeping()
    chores = chores_of(keeping, rig.jobs, rig.blobs, rig.clock)
    job = await put(rig.jobs, "a")
    await rig.jobs.cancel(job.id)
    await rig.jobs.mark_told(job.id)
    await rig.blobs.put(b"a picture")
    inbox = Inbox(rig.db, rig.clock)
    await inbox.put(1, "an update")
    await inbox.done(1)
    await Conversations(rig.db, rig.clock).set_data("key", {"prompt": "a cat"})
    async with rig.db.transaction() as connection:
        await quotas.spend(connection, 1, 5, rig.clock.now)
        await quotas.take_token(connection, 1, rig.clock.now, burst=3, refill_per_s=1)
        await connection.execute("INSERT INTO paces VALUES ('sketch', 'small', 1, 1, 1)")
    rig.clock.now += 60 * DAY_S
    assert {name: await chore() for name, chore in chores.items()} == dict.fromkeys(chores, 1)
    assert {name: await chore() for name, chore in chores.items()} == dict.fromkeys(chores, 0)


async def test_a_chore_that_fails_holds_up_no_other_and_is_tried_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    done: list[str] = []

    async def fail() -> int:
        done.append("fail")
        await asyncio.sleep(0)
        raise OSError("disk")

    async def sweep() -> int:
        done.append("sweep")
        await asyncio.sleep(0)
        return 2

    tasks = Tasks()
    tasks.start(keep_house({"pictures": fail, "dust": sweep}, every_s=0.01), name="house")
    await until(lambda: len(done) >= 4)
    await tasks.stop()
    assert done[:4] == ["fail", "sweep", "fail", "sweep"]
    assert "old pictures cannot be thrown away" in caplog.text


async def test_a_started_service_keeps_house(rig: Rig) -> None:
    job = await put(rig.jobs, "a")
    await rig.jobs.cancel(job.id)
    await rig.jobs.mark_told(job.id)
    rig.clock.now += 60 * DAY_S
    await rig.started()
    async with asyncio.timeout(10):
        while await rig.db.rows("SELECT 1 FROM jobs"):  # noqa: ASYNC110 - as an outsider
            await asyncio.sleep(0.002)

import asyncio
import hashlib
import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest

from storage.blobs import SETTLING_S, BlobGone, Blobs
from storage.conversations import Conversations
from storage.database import Database
from storage.jobs import JobResult, Jobs, ResultPicture
from tests.storage.stock import FakeClock, files_under, put

DAY_S = 86_400


@pytest.fixture
def blobs(tmp_path: Path, db: Database, clock: FakeClock) -> Blobs:
    return Blobs(tmp_path / "blobs", db, lifetime_s=DAY_S, max_bytes=1000, clock=clock)


async def test_bytes_come_back_under_the_hash_of_their_content(blobs: Blobs) -> None:
    key = await blobs.put(b"a picture")
    assert key == hashlib.sha256(b"a picture").hexdigest()
    assert await blobs.get(key) == b"a picture"


async def test_the_same_bytes_are_kept_once(blobs: Blobs, tmp_path: Path) -> None:
    keys = await asyncio.gather(*(blobs.put(b"a picture") for _ in range(10)))
    assert len(set(keys)) == 1
    assert len(files_under(tmp_path / "blobs")) == 1


@pytest.mark.parametrize("key", ["0" * 64, "", "../bot.sqlite", "é" * 64])
async def test_what_is_not_kept_is_gone(blobs: Blobs, key: str) -> None:
    with pytest.raises(BlobGone):
        await blobs.get(key)


async def test_a_blob_ends_with_its_lifetime_and_putting_it_again_renews_it(
    blobs: Blobs, clock: FakeClock, tmp_path: Path
) -> None:
    renewed, old = await blobs.put(b"renewed"), await blobs.put(b"old")
    clock.now += DAY_S
    await blobs.put(b"renewed")
    clock.now += 2 * SETTLING_S
    assert await blobs.collect() == 1
    assert await blobs.get(renewed) == b"renewed"
    with pytest.raises(BlobGone):
        await blobs.get(old)
    assert [path.name for path in files_under(tmp_path / "blobs")] == [renewed]


async def test_the_oldest_go_while_the_whole_is_too_large(blobs: Blobs, clock: FakeClock) -> None:
    keys = []
    for number in range(5):
        keys.append(await blobs.put(bytes([number]) * 300))
        clock.now += 2 * SETTLING_S
    assert await blobs.collect() == 2
    for key in keys[:2]:
        with pytest.raises(BlobGone):
            await blobs.get(key)
    for key in keys[2:]:
        assert len(await blobs.get(key)) == 300
    assert await blobs.collect() == 0


async def test_while_there_is_room_only_the_expired_are_looked_at(
    blobs: Blobs, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at: list[int] = []
    rows = blobs._db.rows

    async def count(sql: str, parameters: Sequence[object] = ()) -> list[sqlite3.Row]:
        found = await rows(sql, parameters)
        looked_at.append(len(found))
        return found

    monkeypatch.setattr(blobs._db, "rows", count)
    await blobs.put(b"old")
    clock.now += DAY_S
    for number in range(3):
        await blobs.put(bytes([number]))
    clock.now += 2 * SETTLING_S
    assert await blobs.collect() == 1
    assert looked_at == [1]


async def test_a_blob_just_put_is_left_alone(blobs: Blobs) -> None:
    key = await blobs.put(b"x" * 2000)
    assert await blobs.collect() == 0
    assert await blobs.get(key)


async def test_pictures_nobody_has_seen_yet_stay_however_old(
    blobs: Blobs, jobs: Jobs, clock: FakeClock
) -> None:
    png, jpeg, other = [await blobs.put(word * 400) for word in (b"png", b"jpg", b"oth")]
    job = await put(jobs, "a")
    await jobs.claim(1)
    await jobs.finish(job.id, JobResult((ResultPicture(png, jpeg, 1, 64, 64),), 1.0))
    clock.now += 10 * DAY_S
    assert await blobs.collect() == 1
    assert await blobs.get(png)
    assert await blobs.get(jpeg)
    with pytest.raises(BlobGone):
        await blobs.get(other)
    await jobs.mark_told(job.id)
    assert await blobs.collect() == 2


def starting_from(*keys: str) -> str:
    return json.dumps({"images": [{"key": key} for key in keys]})


async def test_what_unfinished_jobs_start_from_stays_however_old(
    blobs: Blobs, jobs: Jobs, clock: FakeClock
) -> None:
    running, waiting, other = [await blobs.put(word * 400) for word in (b"run", b"wai", b"oth")]
    first = await put(jobs, "a", request=starting_from(running))
    await put(jobs, "b", request=starting_from(waiting, running))
    await put(jobs, "c", request="{}")
    [claimed] = await jobs.claim(1)
    assert claimed.id == first.id
    clock.now += 10 * DAY_S
    assert await blobs.collect() == 1
    for key in (running, waiting):
        assert await blobs.get(key)
    with pytest.raises(BlobGone):
        await blobs.get(other)


@pytest.mark.parametrize("state", ["failed", "cancelled"])
async def test_what_a_job_started_from_goes_once_it_is_over(
    blobs: Blobs, jobs: Jobs, clock: FakeClock, state: str
) -> None:
    key = await blobs.put(b"a cat")
    job = await put(jobs, "a", request=starting_from(key))
    await jobs.claim(1)
    await (jobs.fail(job.id, "error-x") if state == "failed" else jobs.cancel(job.id))
    clock.now += 10 * DAY_S
    assert await blobs.collect() == 1


async def test_what_a_draft_has_gathered_stays_for_its_lifetime_however_full_it_is(
    blobs: Blobs, db: Database, clock: FakeClock
) -> None:
    drafted, loose = [await blobs.put(word * 400) for word in (b"dra", b"loo")]
    draft = {"pictures": [{"image": {"key": drafted}, "width_px": 64}], "words": "a cat"}
    await Conversations(db, clock).set_data("7:7", draft)
    clock.now += 2 * SETTLING_S
    await blobs.put(b"x" * 900)
    clock.now += 2 * SETTLING_S
    await blobs.collect()
    assert await blobs.get(drafted)
    with pytest.raises(BlobGone):
        await blobs.get(loose)
    clock.now += DAY_S
    await blobs.collect()
    with pytest.raises(BlobGone):
        await blobs.get(drafted)


async def test_a_renewed_blob_lives_on_and_one_that_is_gone_cannot_be_renewed(
    blobs: Blobs, clock: FakeClock
) -> None:
    key = await blobs.put(b"a cat")
    clock.now += DAY_S - 1
    await blobs.renew(key)
    clock.now += DAY_S - 1
    assert await blobs.collect() == 0
    clock.now += DAY_S
    assert await blobs.collect() == 1
    with pytest.raises(BlobGone):
        await blobs.renew(key)
    with pytest.raises(BlobGone):
        await blobs.renew("../bot.sqlite")


async def test_what_a_crash_left_half_written_is_overwritten(blobs: Blobs, tmp_path: Path) -> None:
    key = hashlib.sha256(b"whole").hexdigest()
    half = tmp_path / "blobs" / key[:2] / f"{key}.part"
    half.parent.mkdir(parents=True)
    half.write_bytes(b"wh")
    with pytest.raises(BlobGone):
        await blobs.get(key)
    assert await blobs.put(b"whole") == key
    assert await blobs.get(key) == b"whole"
    assert not half.exists()


async def test_a_disk_that_cannot_be_written_is_an_error_and_may_be_mended(
    blobs: Blobs, tmp_path: Path
) -> None:
    (tmp_path / "blobs").write_text("in the way of the folder")
    with pytest.raises(NotADirectoryError):
        await blobs.put(b"a picture")
    (tmp_path / "blobs").unlink()
    key = await blobs.put(b"a picture")
    assert await blobs.get(key) == b"a picture"

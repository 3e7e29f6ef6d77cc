"""Jobs that start from pictures, and what came from what."""

import pytest

from bot.jobs.job import PictureGone
from pipelines.contracts import ImageBlob, ImageRequest, Output, Work
from storage import quotas
from storage.blobs import SETTLING_S
from tests.jobs.conftest import Rig
from tests.jobs.fakes import Collage, Sketch, asker, drawn, until, until_told


async def collage(rig: Rig, *pictures: bytes) -> Collage:
    """A request as a flow builds it: with the keys of what is kept, and no bytes."""
    return Collage(images=tuple([ImageBlob(key=await rig.blobs.put(p)) for p in pictures]))


async def test_the_engine_gets_the_bytes_and_the_table_only_their_keys(rig: Rig) -> None:
    seen: list[bytes] = []

    def look(work: Work) -> Output:
        assert isinstance(work.request, ImageRequest)
        seen.extend(image.data for image in work.request.images)
        return drawn(work)

    rig.engine.fate = look
    service = await rig.started()
    job = await service.submit(asker(), "collage", await collage(rig, b"a cat", b"a dog"))
    await until_told(rig.jobs, job.id)
    assert seen == [b"a cat", b"a dog"]
    assert "data" not in (await rig.jobs.get(job.id)).request


async def test_a_picture_that_is_gone_when_its_job_runs_fails_that_job_alone(rig: Rig) -> None:
    service = rig.service()
    [gone, kept] = [await collage(rig, b"gone"), await collage(rig, b"kept")]
    for user_id, request in ((1, gone), (2, kept)):
        await service.submit(asker(user_id), "collage", request)
    (rig.folder / "blobs" / gone.images[0].key[:2] / gone.images[0].key).unlink()
    await service.start()
    await until_told(rig.jobs, 1, 2)
    assert rig.delivery.states() == {1: "failed", 2: "done"}
    assert (await rig.jobs.get(1)).error_code == "error-picture-gone"
    async with rig.db.transaction() as connection:
        assert await quotas.spent_today(connection, 1, rig.clock()) == 0


async def test_what_starts_from_a_picture_that_is_gone_is_refused_and_costs_nothing(
    rig: Rig,
) -> None:
    service = await rig.started()
    request = Collage(images=(ImageBlob(key="0" * 64),))
    with pytest.raises(PictureGone):
        await service.submit(asker(1), "collage", request)
    assert await service.totals() == (0, 0)
    async with rig.db.transaction() as connection:
        assert await quotas.spent_today(connection, 1, rig.clock()) == 0


async def test_a_picture_that_is_used_again_is_kept_for_another_lifetime(rig: Rig) -> None:
    service = await rig.started()
    request = await collage(rig, b"a cat")
    rig.clock.now += 0.9e6
    job = await service.submit(asker(), "collage", request)
    await until_told(rig.jobs, job.id)
    rig.clock.now += 0.9e6
    await rig.blobs.collect()
    assert await rig.blobs.get(request.images[0].key) == b"a cat"
    rig.clock.now += 0.2e6
    await rig.blobs.collect()
    with pytest.raises(PictureGone):
        await service.submit(asker(), "collage", request)


async def test_what_a_job_starts_from_stays_while_the_job_waits_or_runs(rig: Rig) -> None:
    rig.engine.gate.clear()
    service = await rig.started(batch_pictures=1)
    for user_id, picture in ((1, b"runs"), (2, b"waits")):
        await service.submit(asker(user_id), "collage", await collage(rig, picture))
    await until(lambda: bool(rig.engine.batches))
    rig.clock.now += 1e9
    assert await rig.blobs.collect() == 0
    rig.engine.gate.set()
    await until_told(rig.jobs, 1, 2)
    rig.clock.now += 1e9 + SETTLING_S
    assert await rig.blobs.collect() >= 2


async def test_a_job_knows_what_it_went_on_from(rig: Rig) -> None:
    service = await rig.started()
    parent = await service.submit(asker(), "sketch", Sketch())
    child = await service.submit(asker(), "sketch", Sketch(), parent_id=parent.id)
    assert (parent.parent_id, child.parent_id) == (None, parent.id)
    await until_told(rig.jobs, parent.id, child.id)


async def test_a_child_outlives_its_parent(rig: Rig) -> None:
    service = await rig.started()
    parent = await service.submit(asker(), "sketch", Sketch())
    await until_told(rig.jobs, parent.id)
    rig.clock.now += 100
    child = await service.submit(asker(), "sketch", Sketch(), parent_id=parent.id)
    await until_told(rig.jobs, child.id)
    assert await rig.jobs.forget_older_than(50) == 1
    assert (await rig.jobs.get(child.id)).parent_id is None
    orphan = await service.submit(asker(), "sketch", Sketch(), parent_id=parent.id)
    assert orphan.parent_id is None
    await until_told(rig.jobs, orphan.id)

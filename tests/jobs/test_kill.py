import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from storage.blobs import Blobs
from storage.database import Database
from storage.jobs import Jobs
from tests.storage.stock import assert_sums_are_right

KILLS = 20
ROOT = Path(__file__).parents[2]


def victim(folder: Path, seed: int, *more: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "tests.jobs.victim", str(folder), str(seed), *more], cwd=ROOT
    )


def size_of(log: Path) -> int:
    return log.stat().st_size if log.exists() else 0


def live_and_be_killed(folder: Path, seed: int, chance: random.Random) -> None:
    """Let it accept something, then kill it at a moment it does not choose."""
    before = size_of(folder / "accepted.log")
    child = victim(folder, seed)
    deadline = time.monotonic() + 60
    while size_of(folder / "accepted.log") == before:
        assert child.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.002)
    time.sleep(chance.random() * 0.3)
    child.send_signal(signal.SIGKILL)
    assert child.wait(timeout=10) == -signal.SIGKILL


@pytest.mark.slow
async def test_killed_twenty_times_no_job_is_lost_and_none_ends_twice(tmp_path: Path) -> None:
    """The one window that is left lies inside a delivery: between a send and its note."""
    chance = random.Random(2026)
    for seed in range(KILLS):
        live_and_be_killed(tmp_path, seed, chance)
    assert victim(tmp_path, KILLS, "--finish").wait(timeout=150) == 0

    accepted = [int(line) for line in (tmp_path / "accepted.log").read_text().split()]
    delivered = [line.split() for line in (tmp_path / "delivered.log").read_text().splitlines()]
    db = await Database.open(tmp_path / "bot.sqlite")
    blobs = Blobs(tmp_path / "blobs", db, lifetime_s=1e6, max_bytes=10**9)
    stored = {row["id"]: row["state"] for row in await db.rows("SELECT id, state FROM jobs")}
    try:
        assert len(accepted) > KILLS
        assert set(accepted) <= set(stored)
        assert Counter(int(job_id) for job_id, _ in delivered) == dict.fromkeys(stored, 1)
        assert set(stored.values()) <= {"delivered", "failed", "cancelled"}
        assert Counter(stored.values())["delivered"] > KILLS
        assert {
            int(job_id): state.replace("done", "delivered") for job_id, state in delivered
        } == (stored)
        for job_id in [job_id for job_id, state in stored.items() if state == "delivered"]:
            result = (await Jobs(db).get(job_id)).result
            assert result is not None
            for picture in result.pictures:
                assert f"for job {job_id}".encode() in await blobs.get(picture.png_key)
        await assert_sums_are_right(db)
    finally:
        await db.close()

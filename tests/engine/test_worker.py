import logging
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.contracts import ImageBlob
from pipelines.engine.wire import Configure, Garbled, RunBatch, Stop, Task, Withdraw, pack
from pipelines.engine.worker import Orders, _log_level
from pipelines.profiles import Profile

ROOT = Path(__file__).parents[2]


def batch(number: int, *job_ids: int) -> RunBatch:
    tasks = [Task(job_id=job, mode="m", request={}) for job in job_ids]
    return RunBatch(batch=number, tasks=tasks)


class Link:
    """The parent's end of the pipe, and the orders at the other."""

    def __init__(self) -> None:
        self.ours, self.theirs = socket.socketpair()
        self.orders = Orders(self.theirs.makefile("rb"))

    def send(self, *frames: bytes) -> None:
        self.ours.sendall(b"".join(frames))


@pytest.fixture
def link(profile: Profile) -> Iterator[Link]:
    link = Link()
    link.send(pack(Configure(profile=profile)))
    assert link.orders.configuration() == Configure(profile=profile)
    yield link
    link.send(pack(Stop()))
    while link.orders.next_batch():
        pass
    for listener in [t for t in threading.enumerate() if t.name == "orders"]:
        listener.join()
    link.orders._stream.close()
    link.ours.close()
    link.theirs.close()


def test_batches_come_in_order(link: Link) -> None:
    link.send(pack(batch(1, 11)), pack(batch(2, 12, 13)))
    assert [link.orders.next_batch(), link.orders.next_batch()] == [batch(1, 11), batch(2, 12, 13)]


def test_the_bytes_of_a_batch_are_there_until_it_is_forgotten(link: Link) -> None:
    picture = ImageBlob.of(b"a cat")
    order = batch(1, 11).model_copy(update={"pictures": [picture.key]})
    link.send(pack(order, [picture.data]), pack(batch(2, 12)))
    first, second = link.orders.next_batch(), link.orders.next_batch()
    assert first is not None
    assert second is not None
    assert link.orders.pictures(first) == {picture.key: b"a cat"}
    assert link.orders.pictures(second) == {}
    link.orders.forget(first)
    assert link.orders.pictures(first) == {}


def test_a_withdrawal_is_known_while_the_batch_runs(link: Link) -> None:
    link.send(pack(batch(1, 11, 12)))
    link.orders.next_batch()
    link.send(pack(Withdraw(batch=1, job_id=12)), pack(batch(2, 13)))
    link.orders.next_batch()
    assert [link.orders.is_withdrawn(1, job) for job in (11, 12)] == [False, True]
    assert not link.orders.is_withdrawn(2, 13)


def test_a_job_ordered_again_is_wanted_again_and_its_older_batch_is_not(link: Link) -> None:
    link.send(pack(batch(1, 11)), pack(Withdraw(batch=1, job_id=11)), pack(batch(2, 11)))
    first, _ = link.orders.next_batch(), link.orders.next_batch()
    assert link.orders.is_withdrawn(1, 11)
    assert not link.orders.is_withdrawn(2, 11)
    assert first
    link.send(pack(Withdraw(batch=2, job_id=11)), pack(batch(3, 12)))
    link.orders.next_batch()
    link.orders.forget(first)
    assert link.orders.is_withdrawn(2, 11)


def test_what_is_over_is_forgotten_and_what_is_said_of_it_later_is_too(link: Link) -> None:
    link.send(pack(batch(1, 11)), pack(Withdraw(batch=1, job_id=11)), pack(batch(2, 12)))
    first, second = link.orders.next_batch(), link.orders.next_batch()
    assert first
    assert second
    link.orders.forget(first)
    link.orders.forget(second)
    link.send(pack(Withdraw(batch=1, job_id=11)), pack(batch(3, 13)))
    link.orders.next_batch()
    assert not link.orders.is_withdrawn(1, 11)
    assert link.orders._withdrawn == {3: set()}


def test_to_stop_is_to_withdraw_everything(link: Link) -> None:
    link.send(pack(batch(1, 11)), pack(batch(2, 12)), pack(Stop()))
    deadline_s = time.monotonic() + 5
    while not link.orders.is_withdrawn(1, 11) and time.monotonic() < deadline_s:
        time.sleep(0.001)
    assert link.orders.is_withdrawn(1, 11)
    assert link.orders.next_batch() is None


def test_the_first_order_must_be_the_configuration() -> None:
    link = Link()
    link.send(pack(Stop()))
    with link.ours, link.theirs, link.orders._stream, pytest.raises(Garbled):
        link.orders.configuration()


def run_worker(*frames: bytes, parent_pid: int | None = None) -> subprocess.CompletedProcess[str]:
    """Start a worker by hand, say something and hang up."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(b"".join(frames))
        ours.shutdown(socket.SHUT_WR)
        descriptor, pid = str(theirs.fileno()), str(parent_pid or os.getpid())
        return subprocess.run(
            [sys.executable, "-m", "pipelines.engine.worker", descriptor, pid],
            pass_fds=[theirs.fileno()],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )


def test_a_worker_leaves_when_nobody_is_there(profile: Profile) -> None:
    assert run_worker().returncode == 0
    assert run_worker(pack(Configure(profile=profile))).returncode == 0


@pytest.mark.parametrize(
    "frames", [[b"GET / HTTP/1.1\r\n\r\n"], [pack(Stop())]], ids=["garbage", "out of turn"]
)
def test_a_worker_leaves_when_it_is_told_nonsense(frames: list[bytes]) -> None:
    done = run_worker(*frames)
    assert done.returncode == 1
    assert "worker: ERROR" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_worker_leaves_when_nonsense_comes_later(profile: Profile) -> None:
    done = run_worker(pack(Configure(profile=profile)), b"\x00" * 12)
    assert done.returncode == 1
    assert "does not speak our language" in done.stderr


def test_a_worker_whose_parent_died_before_it_began_leaves(profile: Profile) -> None:
    frames = [pack(Configure(profile=profile))]
    assert run_worker(*frames, parent_pid=2**22).returncode == 0


@pytest.mark.parametrize(
    ("name", "level"),
    [("debug", logging.DEBUG), ("loud", logging.INFO), ("", logging.INFO)],
)
def test_a_misspelt_log_level_costs_no_worker(name: str, level: int) -> None:
    assert _log_level(name) == level

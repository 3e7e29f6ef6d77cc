"""The process that owns a device: ``python -m pipelines.engine.worker SOCKET PARENT``.

It speaks :mod:`pipelines.engine.wire` over the socket it inherits. One thread reads orders, so
that a withdrawal is known while the main thread computes; the main thread runs batches and is the
only one that writes. The process never outlives its parent: the kernel kills it with the parent
(Linux), and everywhere the end of the socket ends it.
"""

import ctypes
import logging
import os
import queue
import signal
import socket
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import BinaryIO, Final

from pipelines.engine.wire import (
    HEAD,
    BatchEnded,
    Configure,
    Garbled,
    Order,
    Report,
    RunBatch,
    Stop,
    Withdraw,
    pack,
    sizes,
    unpack,
)
from pipelines.prompting.looking import look_soon
from pipelines.registry import discover_modes

_PR_SET_PDEATHSIG: Final = 1
_LOG: Final = logging.getLogger(__name__)


class Orders:
    """What the other side wants, read by a thread of its own."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._batches: queue.SimpleQueue[RunBatch | None] = queue.SimpleQueue()
        self._withdrawn: dict[int, set[int]] = {}  # jobs, by the batch they belong to
        self._pictures: dict[int, Mapping[str, bytes]] = {}  # likewise, what they start from
        self._stopping = False

    def configuration(self) -> Configure:
        """Read the first order, which says which models to use, then listen for the others."""
        first, _ = self._read()
        if not isinstance(first, Configure):
            msg = f"expected the configuration, got {first.kind}"
            raise Garbled(msg)
        threading.Thread(target=self._listen, name="orders", daemon=True).start()
        return first

    @property
    def is_waiting(self) -> bool:
        """Whether a batch, or the order to stop, is there to be taken."""
        return not self._batches.empty()

    def next_batch(self) -> RunBatch | None:
        """Wait for the next batch; none means stop."""
        batch = self._batches.get()
        return None if self._stopping else batch

    def is_withdrawn(self, batch: int, job_id: int) -> bool:
        """Whether nobody wants this job any more; true of all jobs when it is time to stop."""
        return self._stopping or job_id in self._withdrawn.get(batch, ())

    def pictures(self, batch: RunBatch) -> Mapping[str, bytes]:
        """Return the bytes of what a batch's requests start from, by their keys."""
        return self._pictures.get(batch.batch, {})

    def forget(self, batch: RunBatch) -> None:
        """Drop what is known of a batch's jobs, and what may still be said of them."""
        self._withdrawn.pop(batch.batch, None)
        self._pictures.pop(batch.batch, None)

    def _listen(self) -> None:
        try:
            while not self._stopping:
                self._take(*self._read())
        except (EOFError, OSError):
            # Nobody is left to draw for, and the main thread may be deep in a computation.
            os._exit(0)
        except Garbled:
            _LOG.exception("the other side does not speak our language")
            os._exit(1)

    def _take(self, order: Order, parts: list[bytes]) -> None:
        match order:
            case RunBatch():
                self._withdrawn[order.batch] = set()
                self._pictures[order.batch] = order.data(parts)
                self._batches.put(order)
            case Withdraw():
                self._withdrawn.get(order.batch, set()).add(order.job_id)
            case Stop():
                self._stopping = True
                self._batches.put(None)
            case Configure():
                msg = "configured twice"
                raise Garbled(msg)

    def _read(self) -> tuple[Order, list[bytes]]:
        envelope_bytes, parts_bytes = sizes(self._exactly(HEAD.size))
        message, parts = unpack(self._exactly(envelope_bytes), self._exactly(parts_bytes))
        if not isinstance(message, Order):
            msg = f"{message.kind} is no order"
            raise Garbled(msg)
        return message, parts

    def _exactly(self, size_bytes: int) -> bytes:
        read = self._stream.read(size_bytes)
        if len(read) < size_bytes:
            raise EOFError
        return read


def serve(link: socket.socket) -> None:
    """Run batches until told to stop."""
    orders = Orders(link.makefile("rb"))
    configuration = orders.configuration()

    def send(report: Report, parts: Sequence[bytes]) -> None:
        link.sendall(pack(report, parts))

    # Importing torch takes seconds; by now orders are being read.
    from pipelines.engine.batch import Device  # noqa: PLC0415

    modes = discover_modes()
    device = Device(
        configuration.profile,
        modes,
        send,
        orders.is_withdrawn,
        configuration.prompting,
        configuration.workers,
    )
    device.open()
    if configuration.prompting:
        look_soon(configuration.prompting)
    for mode in modes:
        if orders.is_waiting:
            break
        device.warm_up(mode)
    while batch := orders.next_batch():
        device.run(batch, orders.pictures(batch))
        send(BatchEnded(batch=batch.batch), ())
        orders.forget(batch)


def _die_with(parent_pid: int) -> None:
    """Ask Linux to kill this process when its parent dies."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:  # it died before it could be said
        sys.exit(0)


def _log_level(name: str) -> int:
    """Read a level; the parent has told whoever misspelt it."""
    return logging.getLevelNamesMapping().get(name.upper(), logging.INFO)


def main() -> None:
    """Take the socket and serve."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which then stops us
    descriptor, parent_pid = map(int, sys.argv[1:])
    _die_with(parent_pid)
    os.set_inheritable(descriptor, False)
    logging.basicConfig(
        level=_log_level(os.environ.get("LOG_LEVEL", "")),
        format="worker: %(levelname)s %(name)s: %(message)s",
    )
    with socket.socket(fileno=descriptor) as link:
        try:
            serve(link)
        except (EOFError, BrokenPipeError, ConnectionResetError):
            _LOG.info("the parent is gone")
        except Garbled as error:
            _LOG.error("%s", error)
            sys.exit(1)
        except Exception:  # a lost CUDA context, say; whoever waits hears it by the socket's end
            _LOG.exception("the worker cannot go on")
            os._exit(1)
    # An interpreter with torch in it takes seconds to come apart, and the kernel frees it all.
    os._exit(0)


if __name__ == "__main__":
    main()

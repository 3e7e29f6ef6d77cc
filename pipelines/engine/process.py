"""The bot's end of one worker process: kept alive, talked to, ended."""

import asyncio
import contextlib
import logging
import os
import socket
import sys
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pipelines.contracts import (
    Cancelled,
    EngineStopped,
    Event,
    Failed,
    Finished,
    OutOfDeviceMemory,
    Progressed,
    Rewording,
    Worded,
    Work,
    WorkerDied,
)
from pipelines.engine.wire import (
    HEAD,
    BatchBegan,
    BatchEnded,
    BatchProgress,
    BatchRewording,
    Configure,
    Garbled,
    JobFailed,
    JobFinished,
    JobWorded,
    Message,
    Order,
    Readiness,
    RunBatch,
    Stop,
    TooLarge,
    Withdraw,
    pack,
    sizes,
    unpack,
)
from pipelines.profiles import Profile
from pipelines.prompting.settings import PromptingSettings

COMMAND: Final = (sys.executable, "-m", "pipelines.engine.worker")
GRACE_S: Final = 3.0
"""How long a worker may take to leave by itself; a denoising step is shorter."""

TERMINATE_S: Final = 1.0
RESTART_DELAYS_S: Final = (0.0, 0.0, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Waited before a restart, by how often the worker died without having become ready between."""

_GIVE_UP_HOPE: Final = 3
_LOG: Final = logging.getLogger(__name__)


@dataclass(eq=False)
class _Batch:
    number: int
    works: Sequence[Work]
    open: set[int]
    """Jobs whose outcome is not known yet."""
    is_sent: bool = False
    has_begun: bool = False
    events: asyncio.Queue[Event | Exception] = field(default_factory=asyncio.Queue)

    def report(self, event: Event) -> None:
        """Pass an event on, unless its job has had its last."""
        if event.job_id not in self.open:
            return
        if isinstance(event, Finished | Failed):
            self.open.discard(event.job_id)
        self.events.put_nowait(event)

    def go_on(
        self,
        message: BatchBegan | BatchRewording | JobWorded | BatchProgress,
        parts: list[bytes],
    ) -> None:
        """Take in what is no job's end."""
        match message:
            case BatchBegan():
                self.has_begun = True
            case BatchRewording():
                for job_id in message.jobs:
                    self.report(Rewording(job_id))
            case JobWorded():
                self.report(Worded(message.job_id, message.drawn))
            case BatchProgress():
                previews = dict(zip(message.shown, parts, strict=True))
                for job_id in message.jobs:
                    preview = previews.get(job_id)
                    self.report(Progressed(job_id, message.index, message.total, preview))


class WorkerProcess:
    """One device's process. It is started again whenever it dies, with growing pauses."""

    def __init__(
        self, profile: Profile, prompting: PromptingSettings | None = None, workers: int = 1
    ) -> None:
        self._profile = profile
        self._prompting = prompting
        self._workers = workers
        self._batches: dict[int, _Batch] = {}
        self._batch_count = 0
        self._deaths = 0
        self._readiness = Readiness(state="starting")
        self._process: asyncio.subprocess.Process | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._stopping = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None
        self._owed: set[int] = set()
        """Batches the worker has and is not done with, wanted or not."""
        self._watchdog: asyncio.Timeout | None = None

    @property
    def readiness(self) -> Readiness:
        """How the worker is."""
        return self._readiness

    @property
    def pid(self) -> int | None:
        """The process, if there is one now."""
        return self._process.pid if self._process else None

    @property
    def load(self) -> int:
        """How many batches it has."""
        return len(self._batches)

    def start(self) -> None:
        """Bring the process up and keep it so; returns at once."""
        self._keeper = asyncio.create_task(  # noqa: TID251 - the one task here; stop() awaits it
            self._keep_alive(), name="worker keeper"
        )

    async def stop(self) -> None:
        """End the process: ask, then insist. Batches raise :class:`EngineStopped`."""
        self._stopping.set()
        for batch in self._batches.values():
            batch.events.put_nowait(EngineStopped())
        self._send(Stop())
        if self._keeper is None:
            return
        for urge, patience_s in (("terminate", GRACE_S), ("kill", TERMINATE_S), (None, None)):
            done, _ = await asyncio.wait({self._keeper}, timeout=patience_s)
            if done:
                break
            if urge and self._process:
                with contextlib.suppress(ProcessLookupError):
                    getattr(self._process, urge)()
        self._keeper.result()

    def run(self, works: Sequence[Work]) -> AsyncGenerator[Event, None]:
        """Take a batch at once and report on it; see :class:`bot.jobs.ports.Engine`."""
        self._batch_count += 1
        ids = {work.job_id for work in works}
        batch = _Batch(self._batch_count, works, ids)
        self._batches[batch.number] = batch
        if self._stopping.is_set():
            batch.events.put_nowait(EngineStopped())
        else:
            self._hand_over(batch)
        return self._events(batch)

    async def _events(self, batch: _Batch) -> AsyncGenerator[Event, None]:
        try:
            while batch.open or not batch.events.empty():
                event = await batch.events.get()
                if isinstance(event, Exception):
                    batch.open.clear()
                    raise event
                yield event
        finally:
            for job_id in batch.open:  # whoever listened has left
                self._send(Withdraw(batch=batch.number, job_id=job_id))
            self._batches.pop(batch.number, None)

    def withdraw(self, job_id: int) -> None:
        """Take a job back: its outcome is told at once, the device drops it at its next step."""
        for batch in self._batches.values():
            if job_id in batch.open:
                self._send(Withdraw(batch=batch.number, job_id=job_id))
                batch.report(Failed(job_id, Cancelled.code))

    async def _keep_alive(self) -> None:
        while not self._stopping.is_set():
            delay_s = RESTART_DELAYS_S[min(self._deaths, len(RESTART_DELAYS_S) - 1)]
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), delay_s)
                return
            try:
                await self._live()
            except Exception:  # keeping alive must not end by a surprise
                _LOG.exception("the worker could not be started")
                self._lose("the worker could not be started")

    async def _live(self) -> None:
        """One life of the process, from its start to its burial."""
        ours, theirs = socket.socketpair()
        with ours, theirs:
            self._process = await asyncio.create_subprocess_exec(
                *COMMAND,
                *(str(theirs.fileno()), str(os.getpid())),
                pass_fds=[theirs.fileno()],
                stdin=asyncio.subprocess.DEVNULL,
                env=_environment(),
                process_group=0,  # a Ctrl-C at the terminal is not for it
            )
            theirs.close()
            reader, self._writer = await asyncio.open_unix_connection(sock=ours)
            configuration = Configure(
                profile=self._profile, prompting=self._prompting, workers=self._workers
            )
            self._send(configuration)
            for batch in self._batches.values():
                self._hand_over(batch)
            if self._stopping.is_set():
                self._send(Stop())
            reason = "the worker died"
            try:
                reason = await self._listen(reader, self._process)
            finally:
                await self._bury(self._process, self._writer, reason)

    async def _listen(
        self, reader: asyncio.StreamReader, process: asyncio.subprocess.Process
    ) -> str:
        """Hear the worker out; return what ended it."""
        try:
            async with asyncio.timeout(None) as self._watchdog:
                self._watch()
                while True:
                    self._hear(*await _receive(reader))
                    self._watch()
        except (asyncio.IncompleteReadError, ConnectionError):
            return "the worker died"  # its end of the socket is closed: it is dead, or about to be
        except TimeoutError:
            _LOG.error("the worker has been silent over a batch for too long and is ended")
            process.kill()
            return "the worker hung"
        except (Garbled, ValueError):
            _LOG.exception("the worker speaks nonsense and is ended")
            process.kill()
            return "the worker died"
        finally:
            self._watchdog = None
            self._owed.clear()

    def _watch(self) -> None:
        """Count the worker's silence from now on, while it owes an answer."""
        if self._watchdog and not self._watchdog.expired():
            now_s = asyncio.get_running_loop().time()
            until_s = now_s + self._profile.hang_timeout_s if self._owed else None
            self._watchdog.reschedule(until_s)

    async def _bury(
        self, process: asyncio.subprocess.Process, writer: asyncio.StreamWriter, reason: str
    ) -> None:
        """Tell those who wait, and leave neither an open socket nor a zombie."""
        self._writer = None
        if not self._stopping.is_set():
            self._lose(reason)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        try:
            status = await asyncio.wait_for(process.wait(), GRACE_S)
        except TimeoutError:
            process.kill()
            status = await process.wait()
        self._process = None
        if not self._stopping.is_set():
            _LOG.warning("worker %d ended with status %d; starting another", process.pid, status)

    def _lose(self, reason: str) -> None:
        self._deaths += 1
        is_hopeless = self._deaths >= _GIVE_UP_HOPE
        self._readiness = Readiness(state="broken" if is_hopeless else "starting", reason=reason)
        for batch in self._batches.values():
            if batch.is_sent:  # the others wait for the next worker
                batch.events.put_nowait(WorkerDied(reason, had_begun=batch.has_begun))

    def _hand_over(self, batch: _Batch) -> None:
        if self._writer and not batch.is_sent:
            batch.is_sent = True
            works = [work for work in batch.works if work.job_id in batch.open]
            if works:
                try:
                    self._send(*RunBatch.of(batch.number, works))
                except TooLarge as error:
                    self._turn_away(batch, works, error)
                    return
                is_idle = not self._owed
                self._owed.add(batch.number)
                if is_idle:
                    self._watch()

    def _turn_away(self, batch: _Batch, works: Sequence[Work], error: TooLarge) -> None:
        _LOG.error("jobs %s: %s", [work.job_id for work in works], error)
        for work in works:
            batch.report(Failed(work.job_id, OutOfDeviceMemory.code))

    def _send(self, order: Order, parts: Sequence[bytes] = ()) -> None:
        if self._writer:
            self._writer.write(pack(order, parts))

    def _hear(self, message: Message, parts: list[bytes]) -> None:
        match message:
            case Readiness():
                self._readiness = message
                self._deaths = 0
            case BatchEnded():
                self._owed.discard(message.batch)
            case BatchBegan() | BatchRewording() | JobWorded() | BatchProgress():
                if batch := self._batches.get(message.batch):
                    batch.go_on(message, parts)
            case JobFinished() if batch := self._batches.get(message.batch):
                batch.report(Finished(message.job_id, message.output(parts)))
            case JobFailed() if batch := self._batches.get(message.batch):
                batch.report(Failed(message.job_id, message.code))


async def _receive(reader: asyncio.StreamReader) -> tuple[Message, list[bytes]]:
    envelope_bytes, parts_bytes = sizes(await reader.readexactly(HEAD.size))
    return unpack(await reader.readexactly(envelope_bytes), await reader.readexactly(parts_bytes))


def _environment() -> dict[str, str]:
    """Ours, with this very package importable wherever the program was started."""
    root = str(Path(__file__).parents[2])
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}

"""Runs the server, and with it a bot as a child process that never outlives it."""

import asyncio
import ctypes
import errno
import os
import shlex
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aiohttp import web

from playground.errors import StateError
from playground.guard import LINGERING_S, Guard
from playground.nursery import first_of
from playground.world import Settings

if TYPE_CHECKING:
    from playground.server import Playground

CANNOT_LISTEN: Final = 2
CANNOT_KEEP: Final = 2
MISUSED: Final = 2  # as command lines say it: wrong arguments or configuration
CANNOT_START: Final = 127  # as a shell says it
GRACE_S: Final = 6.0  # a bot gets it to stop; all of it is over within ten seconds
_PR_SET_PDEATHSIG: Final = 1


@dataclass(frozen=True)
class Options:
    """What the command line says."""

    host: str
    port: int
    token: str
    bot: str | None
    allowed_hosts: frozenset[str]
    settings: Settings
    state: Path | None = None


def run(options: Options) -> int:
    """Serve until a signal, or until the bot ends by itself; returns the exit code."""
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    try:
        listener = socket.create_server((options.host, options.port), family=family)
    except OSError as error:
        _say(_why_not(options, error))
        return CANNOT_LISTEN
    with listener, tempfile.TemporaryDirectory(prefix="playground-") as folder:
        try:
            return asyncio.run(_serve(options, listener, Path(folder)))
        except StateError as error:
            _say(str(error))
            return CANNOT_KEEP


def _why_not(options: Options, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {options.port} on {options.host} is in use. Choose another with --port."
    return f"Cannot listen on {options.host} port {options.port}: {error.strerror}"


async def _serve(options: Options, listener: socket.socket, folder: Path) -> int:
    """Start the bot first: what it asks waits in the socket while the server is still loading."""
    stop = _Stop()
    address = f"http://{_shown(options.host)}:{listener.getsockname()[1]}"
    if options.bot is None:
        async with _serving(options, listener, folder):
            _say(f"Open {address}/", f"Bots: API base {address}, token {options.token}")
            await stop.requested.wait()
        return 0
    try:
        child = await _start(options.bot, options.token, address)
    except OSError as error:
        _say(f"Cannot start the bot: {error.strerror}: {error.filename}")
        return CANNOT_START
    try:
        async with _serving(options, listener, folder) as playground:
            polled = playground.world.seat(options.token).updates.first_poll
            playground.nursery.start(_announce(polled, address), "announcing")
            return await _supervise(child, stop, polled)
    finally:
        _signal_group(child.pid, signal.SIGKILL)
        await child.wait()


@asynccontextmanager
async def _serving(
    options: Options, listener: socket.socket, folder: Path
) -> AsyncIterator["Playground"]:
    """Serve on a socket that already listens."""
    playground, app = await asyncio.to_thread(_build, options, folder)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=2, lingering_time=LINGERING_S)
    await runner.setup()
    await web.SockSite(runner, listener).start()
    try:
        yield playground
    finally:
        await runner.cleanup()


def _build(options: Options, folder: Path) -> tuple["Playground", web.Application]:
    # Loading all models of the Bot API takes seconds; the bot loads beside it.
    from playground.server import build_app, new_playground  # noqa: PLC0415
    from playground.state import StateFile  # noqa: PLC0415

    guard = Guard(options.host, options.allowed_hosts)
    state = StateFile(options.state) if options.state else None
    playground = new_playground(folder, options.token, options.settings, guard, options.bot, state)
    return playground, build_app(playground)


async def _announce(polled: asyncio.Event, address: str) -> None:
    await polled.wait()
    _say(f"Open {address}/")


class _Stop:
    """SIGINT and SIGTERM as something to wait for; `signal` is the first that came."""

    def __init__(self) -> None:
        self.requested = asyncio.Event()
        self.insisted = asyncio.Event()
        self.signal = signal.SIGTERM
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._receive, number)

    def _receive(self, number: signal.Signals) -> None:
        if self.requested.is_set():
            self.insisted.set()
        else:
            self.signal = number
            self.requested.set()


async def _start(command: str, token: str, address: str) -> asyncio.subprocess.Process:
    environment = {**os.environ, "BOT_TOKEN": token, "BOT_API_BASE": address}
    return await asyncio.create_subprocess_exec(
        *shlex.split(command),
        env=environment,
        start_new_session=True,
        preexec_fn=_end_with_parent(os.getpid()),
    )


def _end_with_parent(parent: int) -> Callable[[], None] | None:
    """On Linux, have the kernel end the bot when the playground dies, even by kill -9."""
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None, use_errno=True)

    def prepare() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it died before the line above
            os._exit(1)

    return prepare


async def _supervise(child: asyncio.subprocess.Process, stop: _Stop, polled: asyncio.Event) -> int:
    """Wait for the bot to end, or hand it the signal that came and give it time.

    Whatever is left of it afterwards is killed at once, before the server takes its own time.
    """
    await first_of(child.wait(), stop.requested.wait())
    if child.returncode is None:
        _signal_group(child.pid, stop.signal)
        await first_of(child.wait(), stop.insisted.wait(), timeout_s=GRACE_S)
        _signal_group(child.pid, signal.SIGKILL)
        return 0
    _signal_group(child.pid, signal.SIGKILL)
    code = child.returncode if child.returncode >= 0 else 128 - child.returncode
    # A bot that refuses its configuration has said so itself: no second line after that one.
    if code != MISUSED or polled.is_set():
        _say(f"The bot ended by itself with exit code {code}.")
    return code


def _signal_group(leader: int, number: signal.Signals) -> None:
    # The leader was started as the head of its own group, so its id is the group's.
    with suppress(ProcessLookupError):
        os.killpg(leader, number)


def _shown(host: str) -> str:
    if host in {"0.0.0.0", "::"}:  # noqa: S104 - compared, not bound
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


def _say(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()

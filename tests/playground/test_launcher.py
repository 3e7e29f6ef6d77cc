import re
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic, sleep

import httpx
import pytest

from playground.__main__ import parse
from playground.launcher import GRACE_S
from tests.playground.client import ALICE

Start = Callable[..., subprocess.Popen[str]]

POLLING_BOT = """
import json, os, signal, sys, time, urllib.request
from pathlib import Path
folder = Path(sys.argv[1])
(folder / "pid").write_text(str(os.getpid()))
def stop(number, frame):
    (folder / "signal").write_text(signal.Signals(number).name)
    if "stubborn" not in sys.argv:
        sys.exit(0)
signal.signal(signal.SIGINT, stop)
signal.signal(signal.SIGTERM, stop)
address = os.environ["BOT_API_BASE"] + "/bot" + os.environ["BOT_TOKEN"] + "/getUpdates?timeout=1"
time.sleep(0.3)
(folder / "polls").touch()
while True:
    urllib.request.urlopen(address).read()
"""


# The command as it would be if bots had an hour to stop.
PATIENT = """
from playground import launcher
from playground.__main__ import main
launcher.GRACE_S = 3600.0
main()
"""


@pytest.fixture
def start() -> Iterator[Start]:
    """Start the command; whatever still runs at the end is killed."""
    running: list[subprocess.Popen[str]] = []

    def begin(
        *arguments: str, program: tuple[str, str] = ("-m", "playground")
    ) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, *program, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        running.append(process)
        return process

    yield begin
    for process in running:
        process.kill()
        process.communicate()


@pytest.fixture
def polling_bot(tmp_path: Path) -> str:
    script = tmp_path / "polling_bot.py"
    script.write_text(POLLING_BOT)
    return shlex.join([sys.executable, str(script), str(tmp_path)])


def read_address(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    line = process.stdout.readline()
    match = re.fullmatch(r"Open (http://127\.0\.0\.1:\d+)/\n", line)
    assert match, line
    return match[1]


def wait_for(path: Path, within_s: float = 30) -> None:
    end = monotonic() + within_s
    while not path.exists():
        assert monotonic() < end, f"{path.name} never came"
        sleep(0.02)


def is_alive(pid: int) -> bool:
    try:
        return "(zombie)" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def gone(pid: int, within_s: float = 30) -> bool:
    end = monotonic() + within_s
    while is_alive(pid) and monotonic() < end:
        sleep(0.02)
    return not is_alive(pid)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_reaches_the_bot_and_ends_both(
    start: Start, polling_bot: str, tmp_path: Path, number: signal.Signals
) -> None:
    process = start("--port", "0", "--bot", polling_bot)
    address = read_address(process)
    assert (tmp_path / "polls").exists(), "the address comes once the bot listens"
    assert httpx.get(f"{address}/").status_code == 200
    process.send_signal(number)
    assert process.wait(60) == 0
    assert (tmp_path / "signal").read_text() == number.name
    assert gone(int((tmp_path / "pid").read_text()))


def test_insisting_ends_a_bot_that_will_not_stop(
    start: Start, polling_bot: str, tmp_path: Path
) -> None:
    process = start("--port", "0", "--bot", f"{polling_bot} stubborn", program=("-c", PATIENT))
    read_address(process)
    process.send_signal(signal.SIGINT)
    wait_for(tmp_path / "signal")
    assert process.poll() is None, "it waits for the bot"
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0
    assert gone(int((tmp_path / "pid").read_text()))


@pytest.mark.slow
def test_a_bot_that_ignores_signals_is_over_within_ten_seconds(
    start: Start, polling_bot: str, tmp_path: Path
) -> None:
    process = start("--port", "0", "--bot", f"{polling_bot} stubborn")
    read_address(process)
    process.send_signal(signal.SIGINT)
    began = monotonic()
    assert process.wait(60) == 0
    assert GRACE_S - 1 < monotonic() - began < 10
    assert gone(int((tmp_path / "pid").read_text()), within_s=0)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children of a parent's end")
def test_a_killed_playground_leaves_no_orphan(
    start: Start, polling_bot: str, tmp_path: Path
) -> None:
    process = start("--port", "0", "--bot", polling_bot)
    read_address(process)
    process.kill()
    assert gone(int((tmp_path / "pid").read_text()))


def test_a_bot_that_ends_takes_the_playground_with_it(start: Start) -> None:
    command = shlex.join([sys.executable, "-c", "raise SystemExit(3)"])
    process = start("--port", "0", "--bot", command)
    assert process.wait(60) == 3
    assert process.stdout
    assert process.stdout.read() == "The bot ended by itself with exit code 3.\n"


def test_a_bot_that_refuses_its_configuration_has_the_last_word(start: Start) -> None:
    command = shlex.join([sys.executable, "-c", "print('no such model'); raise SystemExit(2)"])
    process = start("--port", "0", "--bot", command)
    assert process.wait(60) == 2
    assert process.stdout
    assert process.stdout.read() == "no such model\n"


def test_a_command_that_cannot_start_is_one_clear_line(start: Start) -> None:
    process = start("--port", "0", "--bot", "/no/such/bot --flag")
    assert process.wait(60) == 127
    assert process.stdout
    assert (
        process.stdout.read() == "Cannot start the bot: No such file or directory: /no/such/bot\n"
    )


def test_a_port_in_use_is_one_clear_line(start: Start) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        process = start("--port", str(port))
        assert process.wait(60) == 2
    assert process.stdout
    assert process.stdout.read() == (
        f"Port {port} on 127.0.0.1 is in use. Choose another with --port.\n"
    )


def test_without_a_bot_it_says_how_to_connect_one(start: Start) -> None:
    process = start("--port", "0", "--token", "42:mine")
    address = read_address(process)
    assert process.stdout
    assert process.stdout.readline() == f"Bots: API base {address}, token 42:mine\n"
    sent = httpx.post(f"{address}/playground/control/send", json={"person": ALICE, "text": "hi"})
    assert sent.status_code == 200
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("--port", "x", "a port is a number"),
        ("--port", "65536", "a port is a number"),
        ("--token", "x", "a token looks like"),
        ("--bot", "", "a command is needed"),
        ("--bot", "  ", "a command is needed"),
        ("--bot", "python 'bot.py", "no closing quotation"),
    ],
)
def test_a_wrong_option_is_refused(
    name: str, value: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        parse([name, value])
    assert sentence in capsys.readouterr().err


def test_limits_are_on_unless_lifted() -> None:
    assert parse([]).settings.limits.enabled
    assert not parse(["--no-limits"]).settings.limits.enabled


def test_telegrams_rules_hold_on_this_machine_alone_unless_told_otherwise() -> None:
    usual = parse([])
    assert (usual.host, usual.settings.allow_http) == ("127.0.0.1", False)
    assert parse(["--allow-http"]).settings.allow_http
    assert parse(["--host", "0.0.0.0"]).host == "0.0.0.0"  # noqa: S104 - parsed, not bound

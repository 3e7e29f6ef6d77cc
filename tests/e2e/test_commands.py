"""``make run`` as an operator meets it: one address, one clear line when something is wrong."""

import os
import signal
import socket
import time
from pathlib import Path

import httpx
import pytest

from tests.e2e.town import PYTHON, Program, descendants, eventually, is_alive


def run(tmp_path: Path, **environment: str) -> Program:
    return Program(PYTHON, "launch.py", DATA_DIR=str(tmp_path), **environment)


@pytest.mark.slow
def test_ctrl_c_stops_every_process_within_ten_seconds(tmp_path: Path) -> None:
    program = run(tmp_path, PORT="0")
    try:
        address = program.line(r"^Open (http://\S+)")[1]
        assert httpx.get(address).status_code == 200
        family = eventually(
            lambda: (found := descendants(program.process.pid))[1:] and found,
            "the bot and its worker",
        )
        began = time.monotonic()
        code = program.stop(signal.SIGINT)
        assert time.monotonic() - began < 10
        assert code == 0
        assert [pid for pid in family if is_alive(pid)] == []
    finally:
        program.close()


@pytest.mark.slow
def test_a_killed_playground_leaves_no_orphan(tmp_path: Path) -> None:
    program = run(tmp_path, PORT="0")
    try:
        program.line(r"^Open (http://\S+)")
        family = eventually(
            lambda: (found := descendants(program.process.pid))[1:] and found,
            "the bot and its worker",
        )
        os.kill(program.process.pid, signal.SIGKILL)
        eventually(
            lambda: not [pid for pid in family if is_alive(pid)], "the end of the family", 12
        )
    finally:
        program.close()


def test_a_port_in_use_is_one_clear_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        program = run(tmp_path, PORT=port)
        assert program.process.wait(20) != 0
        program.close()
    assert len(program.lines) == 1
    assert port in program.lines[0]


def test_a_bad_token_is_one_clear_line(tmp_path: Path) -> None:
    program = run(tmp_path, BOT_TOKEN="not a token")
    assert program.process.wait(20) != 0
    program.close()
    assert len(program.lines) == 1
    assert "token" in program.lines[0]


def test_a_broken_config_is_one_clear_line(tmp_path: Path) -> None:
    broken = tmp_path / "config.yaml"
    broken.write_text("limits: {burst: -1}\n", encoding="utf-8")
    program = run(tmp_path, BOT_TOKEN="12345:playground", CONFIG=str(broken))
    assert program.process.wait(20) != 0
    program.close()
    assert len(program.lines) == 1
    assert str(broken.name) in program.lines[0]

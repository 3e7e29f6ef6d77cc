"""The whole product as a person and an operator meet it: real processes, real HTTP."""

import io
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx
from PIL import Image

ROOT = Path(__file__).parents[2]
TOKEN = "12345:playground"
PYTHON = sys.executable
Found = TypeVar("Found")


class NeverHappened(AssertionError):
    """Waited for something that did not come."""


def eventually(look: Callable[[], Found | None], what: str, timeout_s: float = 60) -> Found:
    """Look again and again until there is something."""
    ends_at = time.monotonic() + timeout_s
    while time.monotonic() < ends_at:
        found = look()
        if found:
            return found
        time.sleep(0.05)
    raise NeverHappened(f"{what}: not within {timeout_s} s")


class Program:
    """A child process whose output is kept, line by line."""

    def __init__(self, *arguments: str, **environment: str) -> None:
        self.lines: list[str] = []
        clean = {key: value for key, value in os.environ.items() if key != "BOT_TOKEN"}
        self.process = subprocess.Popen(
            arguments,
            cwd=ROOT,
            env={**clean, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    @property
    def said(self) -> str:
        return "\n".join(self.lines)

    def line(self, pattern: str, timeout_s: float = 60) -> re.Match[str]:
        """Wait for a line of output."""

        def look() -> re.Match[str] | None:
            if self.process.poll() is not None:
                self._reader.join(timeout=5)
            found = re.search(pattern, self.said, flags=re.MULTILINE)
            if found is None and self.process.poll() is not None:
                raise NeverHappened(f"{pattern!r}: the program ended and said:\n{self.said}")
            return found

        return eventually(look, f"{pattern!r} in the output", timeout_s)

    def stop(self, number: signal.Signals = signal.SIGINT, timeout_s: float = 15) -> int:
        """Send a signal and wait for the end."""
        self.process.send_signal(number)
        try:
            return self.process.wait(timeout_s)
        finally:
            self.close()

    def close(self) -> None:
        """Leave nothing behind, whatever happened."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)
        self._reader.join(timeout=5)
        if self.process.stdout is not None:
            self.process.stdout.close()


def descendants(pid: int) -> list[int]:
    """All living processes below this one, nearest first."""
    children = [
        int(child)
        for tasks in Path(f"/proc/{pid}/task").glob("*/children")
        for child in tasks.read_text().split()
    ]
    return children + [below for child in children for below in descendants(child)]


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that waits to be reaped does not."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except (FileNotFoundError, ProcessLookupError):
        return ""


@dataclass
class Town:
    """A playground, seen by the people in it."""

    address: str
    chat: str = ""
    client: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=20))

    def state(self) -> dict[str, Any]:
        answer = self.client.get(f"{self.address}/playground/control/state")
        answer.raise_for_status()
        return dict(answer.json())

    def messages(self, chat: str = "") -> list[dict[str, Any]]:
        """Every message of a chat, by default of the first private one."""
        wanted = chat or self.chat
        chats = self.state()["chats"]
        private = [place for place in chats if place["kind"] == "private"]
        [found] = [place for place in chats if place["key"] == wanted] if wanted else private[:1]
        return list(found["messages"])

    def from_bot(self) -> list[dict[str, Any]]:
        return [message for message in self.messages() if message["from"]["is_bot"]]

    def pictures(self) -> list[dict[str, Any]]:
        """The bot's finished pictures: media with a caption that names the seed."""
        return [
            message
            for message in self.from_bot()
            if message["media"] and re.search(r"\bseed \d", message["text"])
        ]

    def says(self, text: str, **fields: Any) -> int:
        answer = self._control("send", {"text": text, **fields})
        return int(answer["messages"][0]["id"])

    def presses(self, message: dict[str, Any], label: str) -> None:
        """Press the first button whose text contains ``label``."""
        for row, buttons in enumerate(message["keyboard"] or []):
            for column, button in enumerate(buttons):
                if label.lower() in button["text"].lower():
                    press = {"message_id": message["id"], "row": row, "column": column}
                    self._control("send", {"press": press})
                    return
        raise AssertionError(f"no button {label!r} under {message['text']!r}")

    def message(self, message_id: int) -> dict[str, Any] | None:
        return next((m for m in self.messages() if m["id"] == message_id), None)

    def fault(self, **fields: Any) -> None:
        self._control("faults", fields)

    def calls(self, method: str) -> list[dict[str, Any]]:
        answer = self.client.get(
            f"{self.address}/playground/control/transcript", params={"method": method}
        )
        return list(answer.json()["calls"])

    def image(self, message: dict[str, Any]) -> Image.Image:
        answer = self.client.get(self.address + message["media"]["url"])
        answer.raise_for_status()
        return Image.open(io.BytesIO(answer.content)).convert("RGB")

    def _control(self, what: str, fields: dict[str, Any]) -> dict[str, Any]:
        answer = self.client.post(f"{self.address}/playground/control/{what}", json=fields)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())


@contextmanager
def playground(*options: str, **environment: str) -> Iterator[tuple[Program, Town]]:
    """Run a playground; without ``--bot`` among the options nobody answers in it."""
    program = Program(PYTHON, "-m", "playground", "--port", "0", *options, **environment)
    try:
        address = program.line(r"^Open (http://\S+?)/?$")[1]
        town = Town(address)
        yield program, town
        town.client.close()
    finally:
        program.close()


def bot(town: Town, data_dir: Path, **environment: str) -> Program:
    """Start the bot against a playground."""
    return Program(
        PYTHON,
        "-m",
        "bot",
        BOT_TOKEN=TOKEN,
        BOT_API_BASE=town.address,
        DATA_DIR=str(data_dir),
        **environment,
    )

"""A hub on this machine: the part of the protocol a fetch speaks, over real HTTP."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from types import MappingProxyType
from typing import Any, Final

import pytest
import yaml

from tests.pipelines.kandinsky3.published import REPOSITORY, hub_section
from tests.pipelines.micro import make_profile

COMMIT: Final = "0123456789abcdef0123456789abcdef01234567"
_CHUNK_BYTES: Final = 4096


class LocalHub:
    """Repositories, each made of a folder's files.

    Attributes:
        url: what HF_ENDPOINT is set to.
        requests: path and first byte of every file asked for.
        sent: contents to send in place of what is announced, by path.
        announced_bytes: sizes to announce in place of the real ones, by path.
        halt_at: where the sending of a file stops for good, by path; ``halted`` is set then.
    """

    def __init__(self, folders: Mapping[str, Path], port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.requests: list[tuple[str, int]] = []
        self.sent: dict[str, bytes] = {}
        self.announced_bytes: dict[str, int] = {}
        self.halt_at: dict[str, int] = {}
        self.halted = Event()
        self.released = Event()
        self._repositories = {name: _contents(folder) for name, folder in folders.items()}

    def listing(self, repository: str) -> dict[str, Any] | None:
        """Answer `GET /api/models/REPOSITORY/revision/REVISION?blobs=True`."""
        files = self._repositories.get(repository)
        if files is None:
            return None
        siblings = [self._sibling(path, contents) for path, contents in files.items()]
        return {"id": repository, "sha": COMMIT, "siblings": siblings}

    def contents(self, path: str, repository: str = REPOSITORY) -> bytes | None:
        """Say what to send as a file."""
        return self.sent.get(path, self._repositories.get(repository, {}).get(path))

    def _sibling(self, path: str, contents: bytes) -> dict[str, Any]:
        size = self.announced_bytes.get(path, len(contents))
        blob = hashlib.sha1(b"blob %d\0" % size + contents, usedforsecurity=False).hexdigest()
        sibling: dict[str, Any] = {"rfilename": path, "size": size, "blobId": blob}
        if path.endswith((".pt", ".pth", ".bin", ".safetensors")):
            digest = hashlib.sha256(contents).hexdigest()
            sibling["lfs"] = {"size": size, "sha256": digest, "pointerSize": 134}
        return sibling


def write_config(folder: Path, addons: Mapping[str, Any] = MappingProxyType({})) -> Path:
    """Write a config.yaml whose profile names the local hub's repository."""
    profile = make_profile(Path("weights")).model_dump(mode="json", exclude={"name"})
    path = folder / "config.yaml"
    published = {"hub": hub_section(), "addons": dict(addons)}
    profiles = {"tiny": profile | published, "own": profile}
    path.write_text(yaml.safe_dump({"profile": "tiny", "profiles": profiles}))
    return path


@contextmanager
def serving(folder: Path, others: Mapping[str, Path] = MappingProxyType({})) -> Iterator[LocalHub]:
    """Serve a folder as a repository of a hub, and others beside it by their names."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    hub = LocalHub({REPOSITORY: folder, **others}, server.server_port)
    server.hub = hub  # type: ignore[attr-defined]
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.released.set()
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def answering(
    repository: Path,
    monkeypatch: pytest.MonkeyPatch,
    others: Mapping[str, Path] = MappingProxyType({}),
) -> Iterator[LocalHub]:
    """Serve folders as what HF_ENDPOINT names; in this process it has been read already."""
    with serving(repository, others) as hub, monkeypatch.context() as patched:
        template = f"{hub.url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        patched.setattr("huggingface_hub.constants.ENDPOINT", hub.url)
        patched.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)
        yield hub


def _contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        hub: LocalHub = self.server.hub  # type: ignore[attr-defined]
        asked = re.match(r"/api/models/(.+)/revision/main\?", self.path)
        if asked and (listing := hub.listing(asked[1])):
            self._answer(200, json.dumps(listing).encode())
            return
        repository, _, path = self.path.removeprefix("/").partition(f"/resolve/{COMMIT}/")
        contents = hub.contents(path, repository)
        if contents is None:
            self._answer(404, b"")
            return
        span = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
        begin = int(span[1]) if span else 0
        hub.requests.append((path, begin))
        self._send_file(hub, path, contents, begin)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - inherited
        """Say nothing."""

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _send_file(self, hub: LocalHub, path: str, contents: bytes, begin: int) -> None:
        self.send_response(206 if begin else 200)
        self.send_header("Content-Length", str(len(contents) - begin))
        self.send_header("ETag", f'"{hashlib.sha256(contents).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT)
        if begin:
            span = f"bytes {begin}-{len(contents) - 1}/{len(contents)}"
            self.send_header("Content-Range", span)
        self.end_headers()
        for at in range(begin, len(contents), _CHUNK_BYTES):
            if at >= hub.halt_at.get(path, len(contents)):
                self.wfile.flush()
                hub.halted.set()
                hub.released.wait()
                return
            self.wfile.write(contents[at : at + _CHUNK_BYTES])

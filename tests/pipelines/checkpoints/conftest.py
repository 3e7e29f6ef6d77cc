import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipelines.__main__ import main
from pipelines.profiles import Profile, load_profile
from tests.pipelines.checkpoints.addons import Complain, World
from tests.pipelines.checkpoints.hub import LocalHub, answering, serving, write_config
from tests.pipelines.kandinsky3 import published_addons
from tests.pipelines.kandinsky3.published import write_repository

ROOT = Path(__file__).parents[3]
PATIENCE_S = 600
"""With the command, which imports its libraries first: a busy machine takes minutes over that."""


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_repository(tmp_path_factory.mktemp("repository"))


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write_config(tmp_path)


@pytest.fixture
def profile(config: Path) -> Profile:
    return load_profile(config, "tiny")


@contextmanager
def started(config: Path, hub: LocalHub, *arguments: str) -> "Iterator[subprocess.Popen[str]]":
    """Start the real command; it ends with the block, however that ends."""
    with subprocess.Popen(
        [sys.executable, "-m", "pipelines", "fetch", "tiny", "--config", str(config), *arguments],
        cwd=ROOT,
        env={**os.environ, "HF_ENDPOINT": hub.url, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as command:
        try:
            yield command
        finally:
            command.kill()


def run(config: Path, hub: LocalHub, *arguments: str) -> str:
    """Run the real command to its good end, and return what it said."""
    with started(config, hub, *arguments) as command:
        said, complaint = command.communicate(timeout=PATIENCE_S)
    assert command.returncode == 0, complaint
    return said


@pytest.fixture(scope="session")
def fetched(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Profile:
    """All of the repository, brought by the real command."""
    config = write_config(tmp_path_factory.mktemp("fetched"))
    with serving(repository) as hub:
        said = run(config, hub)
    assert "text_encoder, movq, base, flash, inpainting: ready" in said
    return load_profile(config, "tiny")


@pytest.fixture(scope="session")
def base(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The base model, fetched."""
    config = write_config(tmp_path_factory.mktemp("base"))
    with pytest.MonkeyPatch.context() as patch, answering(repository, patch):
        main(["fetch", "tiny", "--only", "base", "--config", str(config), "--discard-originals"])
    return config.parent


@pytest.fixture
def world(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Complain) -> World:
    """Add to a copy of it; no file of a weights folder is ever written to, so links are copies."""
    shutil.copytree(base / "weights", tmp_path / "weights", copy_function=os.link)
    return World(write_config(tmp_path, published_addons.addons()), monkeypatch, capsys)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    return published_addons.write_ip_repository(tmp_path / "pictures")

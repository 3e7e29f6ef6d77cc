import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from pipelines.profiles import Profile, load_profile
from tests.pipelines.checkpoints.hub import LocalHub, serving
from tests.pipelines.kandinsky3.published import hub_section, write_repository
from tests.pipelines.micro import make_profile

ROOT = Path(__file__).parents[3]
PATIENCE_S = 600
"""With the command, which imports its libraries first: a busy machine takes minutes over that."""


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_repository(tmp_path_factory.mktemp("repository"))


@contextmanager
def answering(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalHub]:
    """Serve a folder as what HF_ENDPOINT names; in this process it has been read already."""
    with serving(repository) as hub, monkeypatch.context() as patched:
        template = f"{hub.url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        patched.setattr("huggingface_hub.constants.ENDPOINT", hub.url)
        patched.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)
        yield hub


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write_config(tmp_path)


@pytest.fixture
def profile(config: Path) -> Profile:
    return load_profile(config, "tiny")


def write_config(folder: Path) -> Path:
    """Write a config.yaml whose profile names the local hub's repository."""
    profile = make_profile(Path("weights")).model_dump(mode="json", exclude={"name"})
    path = folder / "config.yaml"
    profiles = {"tiny": profile | {"hub": hub_section()}, "own": profile}
    path.write_text(yaml.safe_dump({"profile": "tiny", "profiles": profiles}))
    return path


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

"""What the documents say is so."""

import re
import tomllib
from pathlib import Path
from typing import TypeGuard, get_args

import pytest
import yaml
from pydantic import BaseModel

from bot.config import ENVIRONMENT, Config
from pipelines.profiles import Profile, QualitySettings

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LOCKS = sorted((ROOT / "requirements").glob("*.lock"))
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def locked(path: Path) -> dict[str, str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    pins = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {name.lower(): version for name, version in pins}


def keys_of(section: type[BaseModel], prefix: str = "") -> list[str]:
    """Every key of a section, and of the sections in it."""
    found = []
    for name, field in section.model_fields.items():
        found.append(f"{prefix}{name}")
        below = [
            part for part in (field.annotation, *get_args(field.annotation)) if is_section(part)
        ]
        for part in below:
            found += keys_of(part, f"{prefix}{name}.")
    return found


def is_section(part: object) -> TypeGuard[type[BaseModel]]:
    return isinstance(part, type) and issubclass(part, BaseModel) and part is not Profile


def test_the_newest_change_is_this_version() -> None:
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.findall(r"^## \[(\d+\.\d+\.\d+)\]", changes, flags=re.MULTILINE)
    assert versions[0] == PROJECT["version"]


def test_every_direct_dependency_is_locked_as_it_is_pinned() -> None:
    everything = locked(ROOT / "requirements/cpu.lock") | locked(ROOT / "requirements/dev.lock")
    wanted = PROJECT["dependencies"] + PROJECT["optional-dependencies"]["dev"]
    for requirement in wanted:
        name, version = requirement.split("==")
        assert everything[name.lower()] == version


@pytest.mark.parametrize("path", LOCKS, ids=lambda p: p.name)
def test_no_lock_holds_both_onnx_runtimes(path: Path) -> None:
    assert not {"onnxruntime", "onnxruntime-gpu"} <= set(locked(path))


def test_both_locks_agree_on_everything_but_cuda() -> None:
    cpu, cuda = locked(ROOT / "requirements/cpu.lock"), locked(ROOT / "requirements/cuda.lock")
    assert {name: cuda[name] for name in cpu} == cpu


def test_every_setting_is_documented() -> None:
    documented = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
    keys = [*keys_of(Config), *Profile.model_fields, *QualitySettings.model_fields, *ENVIRONMENT]
    assert "telegram.webhook.secret" in keys
    assert [key for key in keys if f"`{key}`" not in documented] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: p.name)
def test_every_make_target_a_document_names_exists(path: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    named = set(re.findall(r"`make ([a-z-]+)", path.read_text(encoding="utf-8")))
    assert named <= targets


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: p.name)
def test_every_link_to_a_file_leads_somewhere(path: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", path.read_text(encoding="utf-8"))
    assert [link for link in links if not (path.parent / link).exists()] == []


def test_the_image_holds_what_it_runs_and_not_what_it_does_not() -> None:
    lines = re.findall(r"^COPY (.+) \S+$", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    copied = {source for line in lines for source in line.split()}
    assert {"bot", "pipelines", "faceswap", "storage", "quick_aiogram.py"} <= copied
    assert {"config.yaml", "weights/micro"} <= copied
    assert not {"tests", "training", "playground", ".", "benchmarks"} & copied
    assert [source for source in copied if not (ROOT / source).exists()] == []


def test_compose_builds_this_image_reserves_a_gpu_and_keeps_the_data() -> None:
    service = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]["bot"]
    assert service["build"] == "."
    assert service["restart"] == "unless-stopped"
    devices = service["deploy"]["resources"]["reservations"]["devices"]
    assert devices == [{"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}]
    assert {volume.split(":")[1] for volume in service["volumes"]} >= {"/data", "/weights"}

"""What every mode must bring. Parametrised over what is discovered, not over a list."""

import ast
import tomllib
from pathlib import Path

import pytest

import pipelines
from bot.flows import discover_flows
from bot.texts import ROOT as TEXTS
from pipelines.contracts import Request
from pipelines.registry import discover_modes

MODES = discover_modes()
FLOWS = discover_flows()
TESTS = Path(__file__).parents[1]
LANGUAGES = sorted(
    path for path in TEXTS.iterdir() if path.is_dir() and path.name != "__pycache__"
)


def test_something_was_discovered() -> None:
    assert MODES
    assert FLOWS
    assert [language.name for language in LANGUAGES] == ["en", "ru"]


def test_every_mode_has_exactly_one_flow() -> None:
    assert sorted(flow.mode for flow in FLOWS) == sorted(MODES)


def test_no_two_flows_share_a_command() -> None:
    commands = [flow.command for flow in FLOWS]
    assert len(commands) == len(set(commands))


@pytest.mark.parametrize("name", sorted(MODES))
def test_a_mode_brings_its_texts_and_tests(name: str) -> None:
    needed = [
        TESTS / "pipelines" / f"test_{name}.py",
        TESTS / "flows" / f"test_{name}.py",
        *(language / f"{name}.ftl" for language in LANGUAGES),
    ]
    assert [str(path) for path in needed if not path.exists()] == []


@pytest.mark.parametrize("name", sorted(MODES))
def test_a_mode_takes_a_frozen_request_and_costs_something(name: str) -> None:
    mode = MODES[name]
    assert mode.name == name
    assert mode.cost > 0
    assert issubclass(mode.request_type, Request)
    assert mode.request_type.model_config["frozen"] is True
    assert mode.request_type.model_config["extra"] == "forbid"


@pytest.mark.parametrize("name", sorted(MODES))
def test_a_recipe_knows_no_other(name: str) -> None:
    source = (Path(pipelines.__path__[0]) / f"{name}.py").read_text(encoding="utf-8")
    imported = {
        f"{node.module}.{alias.name}"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    others = {f"pipelines.{other}." for other in MODES if other != name}
    assert [path for path in imported if path.startswith(tuple(others))] == []


def test_every_recipe_has_its_place_among_the_layers() -> None:
    contracts = tomllib.loads((TESTS.parent / "pyproject.toml").read_text(encoding="utf-8"))[
        "tool"
    ]
    layers = [
        layer
        for contract in contracts["importlinter"]["contracts"]
        for layer in contract.get("layers", [])
    ]
    placed = {module.strip() for layer in layers for module in layer.split("|")}
    assert {f"pipelines.{name}" for name in MODES} <= placed

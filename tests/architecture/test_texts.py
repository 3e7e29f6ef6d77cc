"""Texts and code agree, in every language."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fluent.syntax import FluentParser
from fluent.syntax import ast as fluent

from bot.jobs.job import Rejected
from bot.texts import ROOT as TEXTS
from pipelines.contracts import GenerationError

PROGRAM = Path(__file__).parents[2]
SOURCES = sorted(path for name in ("bot", "pipelines") for path in (PROGRAM / name).rglob("*.py"))
LANGUAGES = sorted(path.name for path in TEXTS.iterdir() if (path / "common.ftl").exists())
A_CODE = re.compile(r"error(-[a-z]+)+")


def variables(node: object) -> set[str]:
    """The names of every ``$variable`` in a piece of a Fluent file."""
    if isinstance(node, fluent.VariableReference):
        return {node.id.name}
    if isinstance(node, fluent.BaseNode):
        return variables(list(vars(node).values()))
    if isinstance(node, list):
        return set().union(*map(variables, node))
    return set()


def sentences(language: str) -> dict[str, set[str]]:
    """Every key of a language, with the variables its sentence needs."""
    found = {}
    for path in sorted((TEXTS / language).glob("*.ftl")):
        for entry in FluentParser().parse(path.read_text(encoding="utf-8")).body:
            if isinstance(entry, fluent.Message):
                found[entry.id.name] = variables(entry)
    return found


def calls() -> Iterator[tuple[str, set[str], str]]:
    """Every ``texts("key", name=...)`` in the bot: key, parameter names, and where."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(
                    func=ast.Name(id="texts"), args=[ast.Constant(value=str(key))], keywords=given
                ):
                    names = {keyword.arg or "**" for keyword in given}
                    yield key, names, f"{path.relative_to(PROGRAM)}:{node.lineno}"


def codes_in_sources() -> set[str]:
    """Every string of the program that is an error code."""
    return {
        node.value
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and A_CODE.fullmatch(node.value)
    }


def codes_of(base: type[Rejected] | type[GenerationError]) -> set[str]:
    return {base.code}.union(*(codes_of(child) for child in base.__subclasses__()))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_call_finds_its_sentence_and_fills_it(language: str) -> None:
    known = sentences(language)
    found = list(calls())
    assert len(found) > 20
    for key, given, where in found:
        assert key in known, f"{where}: no {key} in {language}"
        if "**" not in given:
            assert known[key] == given, f"{where}: {key} in {language}"


def test_languages_agree_on_keys_and_variables() -> None:
    first, *others = (sentences(language) for language in LANGUAGES)
    assert others
    for other in others:
        assert other == first


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_error_code_has_words(language: str) -> None:
    codes = codes_of(Rejected) | codes_of(GenerationError) | codes_in_sources()
    # A database that cannot be opened is told to the operator, at the start, in English.
    codes.discard("error-database-unusable")
    assert len(codes) > 10
    assert codes - set(sentences(language)) == set()

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
from fluent.syntax import FluentParser
from fluent.syntax import ast as ftl

import bot
from bot.flows import discover_flows
from bot.jobs.job import Rejected
from bot.texts import ROOT, Languages, Texts, TextsError
from pipelines.contracts import GenerationError
from pipelines.image_variations import Likeness
from pipelines.profiles import QUALITIES
from pipelines.style_transfer import Hold
from pipelines.styles import STYLES
from pipelines.text_image_fusion import Balance

LANGUAGES = Languages()
EN, RU = LANGUAGES["en"], LANGUAGES["ru"]
ANSWER_LIMIT = 200
"""Most characters Telegram shows in an answer to a press."""

SOURCES = sorted(Path(bot.__file__).parent.rglob("*.py"))


def sentences(language: str) -> dict[str, set[str]]:
    """Every sentence with the parameters it needs."""
    found = {}
    for path in sorted((ROOT / language).glob("*.ftl")):
        for entry in FluentParser().parse(path.read_text(encoding="utf-8")).body:
            if isinstance(entry, ftl.Message):
                found[entry.id.name] = set(_variables(entry))
    return found


def _variables(node: object) -> Iterator[str]:
    if isinstance(node, ftl.VariableReference):
        yield node.id.name
    elif isinstance(node, ftl.BaseNode):
        for value in vars(node).values():
            yield from _variables(value)
    elif isinstance(node, list):
        for item in node:
            yield from _variables(item)


def calls() -> Iterator[tuple[str, set[str] | None]]:
    """Every ``texts("key", name=...)`` in the bot; no names where some come from a mapping."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(func=ast.Name(id="texts"), args=[ast.Constant(value=str(key))]):
                    names = {keyword.arg for keyword in node.keywords}
                    yield key, None if None in names else {name for name in names if name}


def all_codes(base: type[Rejected] | type[GenerationError]) -> set[str]:
    return {base.code}.union(*(all_codes(child) for child in base.__subclasses__()))


def test_languages_agree_on_sentences_and_what_fills_them() -> None:
    assert sentences("en") == sentences("ru")
    assert len(sentences("en")) > 100


def test_every_call_finds_its_sentence_and_fills_it() -> None:
    known = sentences("en")
    assert len(list(calls())) > 50
    for key, given in calls():
        assert key in known, key
        assert given is None or given == known[key], key


def test_every_sentence_is_used() -> None:
    """Some are named by the recipes, as the code of a failure."""
    recipes = (ROOT.parents[1] / "pipelines").rglob("*.py")
    code = "".join(path.read_text(encoding="utf-8") for path in [*SOURCES, *recipes])
    computed = (
        *("style-", "quality-", "world-", "example-", "language-", "command-", "duration-"),
        *("likeness-", "balance-", "hold-"),
    )
    unused = [
        key
        for key in sentences("en")
        if not re.search(rf"[\"']{key}[\"']", code)
        and not key.startswith(computed)
        and key not in all_codes(Rejected) | all_codes(GenerationError)
        and not key.endswith(("-command", "-help"))
    ]
    assert unused == []


@pytest.mark.parametrize("texts", [EN, RU], ids=["en", "ru"])
def test_everything_computed_has_words(texts: Texts) -> None:
    keys = [
        *(f"style-{style}" for style in STYLES),
        *(f"quality-{quality}" for quality in QUALITIES),
        *(f"likeness-{likeness}" for likeness in get_args(Likeness)),
        *(f"balance-{balance}" for balance in get_args(Balance)),
        *(f"hold-{hold}" for hold in get_args(Hold)),
        *(f"language-{name}" for name in (*LANGUAGES.names, "auto")),
        *(f"{flow.mode.replace('_', '-')}-command" for flow in discover_flows()),
        *all_codes(Rejected),
        *all_codes(GenerationError),
    ]
    assert [key for key in keys if key not in texts] == []


def test_errors_fit_into_the_answer_to_a_press() -> None:
    long: dict[str, str | float] = {
        "known": "x" * 60,
        "value": "y" * 24,
        "option": "--" + "z" * 24,
    }
    usual: dict[str, str | float] = {
        "wait_s": 86_399.0,
        "cost": 4000,
        "left": 3999,
        "limit": 5000,
        "size": 10_000,
    }
    numbers: dict[str, str | float] = {"length": "4096", "lowest": "0", "highest": "4294967295"}
    pictures: dict[str, str | float] = {
        "kind": "video_note",
        "name": "HEIC",
        "count": 10,
        "width_px": "100000",
        "height_px": "100000",
        "limit_px": "32",
        "limit_mp": "50",
        "limit_mb": "20",
    }
    given = {**long, **usual, **numbers, **pictures}
    for texts in (EN, RU):
        for key, names in sentences("en").items():
            if key.startswith(("error-", "toast-")):
                params = {n: v for n, v in given.items() if n in names}
                assert len(texts(key, **params)) <= ANSWER_LIMIT, key


@pytest.mark.parametrize(
    ("seconds", "en", "ru"),
    [
        (0, "1 s", "1 с"),
        (11.2, "12 s", "12 с"),
        (89, "89 s", "89 с"),
        (89.5, "2 min", "2 мин"),
        (180, "3 min", "3 мин"),
        (5399, "90 min", "90 мин"),
        (5400, "2 h", "2 ч"),
        (86_400, "24 h", "24 ч"),
    ],
)
def test_durations_are_said_as_people_do_and_never_too_short(
    seconds: float, en: str, ru: str
) -> None:
    assert EN("error-too-soon", wait_s=seconds).endswith(f"in {en}.")
    assert RU("error-too-soon", wait_s=seconds).endswith(f"через {ru}.")


@pytest.mark.parametrize(
    ("count", "word"), [(1, "картинка"), (2, "картинки"), (5, "картинок"), (21, "картинка")]
)
def test_russian_counts_as_russians_do(count: int, word: str) -> None:
    assert re.search(rf"{count} {word}\b", RU("card-waiting", ahead=count, wait_s=9))


def test_nothing_invisible_is_put_around_what_is_filled_in() -> None:
    assert "\u2068" not in RU("card-style", style="x")


def test_a_missing_sentence_or_parameter_is_a_fault() -> None:
    with pytest.raises(TextsError, match="no sentence"):
        EN("no-such-key")
    with pytest.raises(TextsError, match="wait_s"):
        EN("error-too-soon")


@pytest.mark.parametrize(
    ("chosen", "client", "language"),
    [
        (None, "ru", "ru"),
        (None, "ru-RU", "ru"),
        (None, "de", "en"),
        (None, None, "en"),
        ("en", "ru", "en"),
        ("gone", "ru", "en"),
    ],
)
def test_the_language_is_the_chosen_one_else_that_of_the_client(
    chosen: str | None, client: str | None, language: str
) -> None:
    assert LANGUAGES.of(chosen, client).language == language


@pytest.mark.parametrize(
    ("written", "complaint"),
    [
        ("key = a\nkey = b\n", "is there twice"),
        ("key = { $x\n", "not Fluent"),
        ("", "there are no texts"),
    ],
)
def test_a_broken_file_stops_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str, complaint: str
) -> None:
    (tmp_path / "xx").mkdir()
    (tmp_path / "xx" / "a.ftl").write_text(written)
    monkeypatch.setattr("bot.texts.ROOT", tmp_path)
    with pytest.raises(TextsError, match=complaint):
        Texts("xx")


def test_a_message_without_text_cannot_be_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "xx").mkdir()
    (tmp_path / "xx" / "a.ftl").write_text("key =\n    .label = x\n")
    monkeypatch.setattr("bot.texts.ROOT", tmp_path)
    with pytest.raises(TextsError, match="has no text"):
        Texts("xx")("key")

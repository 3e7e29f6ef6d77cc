from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.config import ENVIRONMENT, Config, ConfigError, load_config
from tests.building import LIMITS, PROFILE
from tests.telegram import TOKEN

ROOT = Path(__file__).parents[2]


@pytest.fixture
def tree() -> dict[str, Any]:
    return {"limits": dict(LIMITS), "profile": "tiny", "profiles": {"tiny": dict(PROFILE)}}


def load(folder: Path, tree: object, **environment: str) -> Config:
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(tree))
    return load_config(path, {"BOT_TOKEN": TOKEN, **environment})


def complaint(folder: Path, tree: object, **environment: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(folder, tree, **environment)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_file_we_ship_is_valid() -> None:
    config = load_config(ROOT / "config.yaml", {"BOT_TOKEN": TOKEN})
    assert config.profile in config.profiles
    assert config.web is None


def test_the_shipped_weights_are_found_from_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    config = load_config(ROOT / "config.yaml", {"BOT_TOKEN": TOKEN})
    assert config.weights.weights_dir.is_dir()


def test_what_is_left_out_has_a_default(tmp_path: Path, tree: dict[str, Any]) -> None:
    config = load(tmp_path, tree)
    assert config.cards.edit_interval_s == 3
    assert config.telegram.webhook is None
    assert config.storage.database == Path("data/bot.sqlite")


def test_the_environment_wins_over_dotenv_and_that_over_the_file(
    tmp_path: Path, tree: dict[str, Any]
) -> None:
    (tmp_path / ".env").write_text("BOT_TOKEN=7:DOT\nDATA_DIR=/from/dotenv\nWEB_PORT=9000\n")
    tree["storage"] = {"data_dir": "/from/file"}
    config = load(tmp_path, tree, BOT_API_BASE="http://127.0.0.1:1")
    assert config.telegram.token.get_secret_value() == TOKEN
    assert config.telegram.api_base == "http://127.0.0.1:1"
    assert config.storage.data_dir == Path("/from/dotenv")
    assert config.web is not None
    assert config.web.port == 9000


def test_a_language_model_needs_no_more_than_the_environment(
    tmp_path: Path, tree: dict[str, Any]
) -> None:
    assert load(tmp_path, tree).prompting is None
    given = {"PROMPTING_URL": "http://localhost:11434/v1", "PROMPTING_MODEL": "neural-chat"}
    prompting = load(tmp_path, tree, **given, PROMPTING_KEY="s3cret").prompting
    assert prompting is not None
    assert prompting.endpoint is not None
    assert (prompting.endpoint.url, prompting.endpoint.model) == tuple(given.values())
    assert prompting.endpoint.key is not None
    assert "s3cret" not in repr(prompting)


def test_a_language_models_weights_lie_beside_the_file(
    tmp_path: Path, tree: dict[str, Any]
) -> None:
    tree["prompting"] = {"weights_dir": "weights/llm"}
    prompting = load(tmp_path, tree).prompting
    assert prompting is not None
    assert prompting.weights_dir == tmp_path / "weights/llm"


def test_a_language_model_is_either_far_or_near(tmp_path: Path, tree: dict[str, Any]) -> None:
    tree["prompting"] = {}
    assert complaint(tmp_path, tree) == (
        "config.yaml: prompting: needs either `endpoint` or `weights_dir`"
    )


def test_another_server_than_telegrams_may_call_without_encryption(
    tmp_path: Path, tree: dict[str, Any]
) -> None:
    tree["web"] = {}
    webhook = "http://127.0.0.1:8080"
    config = load(tmp_path, tree, BOT_API_BASE="http://127.0.0.1:1", WEBHOOK_URL=webhook)
    assert config.telegram.webhook is not None
    assert config.telegram.webhook.url == webhook


def test_the_token_is_never_printed(tmp_path: Path, tree: dict[str, Any]) -> None:
    assert TOKEN not in repr(load(tmp_path, tree))


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        (("limits", "burst"), -1, "limits.burst: must be greater than 0, got -1"),
        (("limits", "burst"), "many", "limits.burst: must be a valid integer"),
        (("limits", "brust"), 1, "limits.brust: is not a known key"),
        (("cards",), {"edit_interval_s": -1}, "cards.edit_interval_s: must be greater than or"),
        (("profile",), "huge", "profile: must be one of the profiles (tiny), got huge"),
        (("telegram",), {"webhook": {"url": "https://x"}}, "telegram.webhook: needs a `web`"),
        (("telegram",), {"webhook": {"url": "x" * 90}, "api_base": 1}, "telegram.api_base: "),
        (
            ("telegram",),
            {"webhook": {"url": "http://x"}},
            "telegram.webhook.url: Telegram calls https:// only",
        ),
        (
            ("telegram",),
            {"webhook": {"url": "https://x", "secret": "päss"}},
            "telegram.webhook.secret: must be 1 to 256 of A-Z a-z 0-9 _ -",
        ),
        (("web",), {"port": 99999}, "web.port: must be less than or equal to 65535, got 99999"),
        (("profiles", "tiny", "sizes"), {"4:3": {}}, "profiles.tiny.sizes.4:3: must be '1:1'"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_key_and_what_it_takes(
    tmp_path: Path, tree: dict[str, Any], path: tuple[str, ...], value: object, says: str
) -> None:
    *above, last = path
    section = tree
    for key in above:
        section = section[key]
    section[last] = value
    if "webhook.url" in says:
        tree["web"] = {}
    assert complaint(tmp_path, tree).startswith(f"config.yaml: {says}")


def test_a_missing_section_is_named(tmp_path: Path, tree: dict[str, Any]) -> None:
    del tree["limits"]
    assert complaint(tmp_path, tree) == "config.yaml: limits: is missing"


def test_a_missing_token_says_where_to_put_it(tmp_path: Path, tree: dict[str, Any]) -> None:
    said = complaint(tmp_path, {**tree, "telegram": {}}, BOT_TOKEN="")
    assert said == (
        "config.yaml: telegram.token: is missing; set BOT_TOKEN in the environment or in .env"
    )


@pytest.mark.parametrize("token", ["nonsense", "4321:", ":xyz", "4321:a b", "4321:a\tb"])
def test_a_token_of_the_wrong_shape_is_refused_unprinted(
    tmp_path: Path, tree: dict[str, Any], token: str
) -> None:
    said = complaint(tmp_path, tree, BOT_TOKEN=token)
    assert (
        said == "config.yaml: telegram.token: must look like 123456:ABC..., as @BotFather gives it"
    )


def test_several_mistakes_are_counted(tmp_path: Path, tree: dict[str, Any]) -> None:
    tree["limits"] = {}
    assert complaint(tmp_path, tree).endswith("(and 4 more)")


@pytest.mark.parametrize(
    ("text", "says"),
    [("a: [", "is not YAML"), ("- 1", "must be a mapping"), ("", "must be a mapping")],
)
def test_what_is_no_configuration_is_said_to_be_none(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=says):
        load_config(path, {})


def test_a_file_that_is_not_there_is_said_not_to_be(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        load_config(tmp_path / "none.yaml", {})


def test_every_variable_names_a_key_there_is(tmp_path: Path, tree: dict[str, Any]) -> None:
    for keys in ENVIRONMENT.values():
        section: Any = Config
        for key in keys:
            assert key in section.model_fields
            kinds = getattr(section.model_fields[key].annotation, "__args__", None)
            section = kinds[0] if kinds else section.model_fields[key].annotation

"""``config.yaml``, typed. The model mirrors the file: a new key there is one new field here."""

import logging
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Self

import yaml
from dotenv import dotenv_values
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails

from pipelines.profiles import Profile
from pipelines.prompting.settings import PromptingSettings

ENVIRONMENT: Final[Mapping[str, tuple[str, ...]]] = {
    "BOT_TOKEN": ("telegram", "token"),
    "BOT_API_BASE": ("telegram", "api_base"),
    "WEBHOOK_URL": ("telegram", "webhook", "url"),
    "WEBHOOK_SECRET": ("telegram", "webhook", "secret"),
    "DATA_DIR": ("storage", "data_dir"),
    "WEB_HOST": ("web", "host"),
    "WEB_PORT": ("web", "port"),
    "PROFILE": ("profile",),
    "PROMPTING_URL": ("prompting", "endpoint", "url"),
    "PROMPTING_MODEL": ("prompting", "endpoint", "model"),
    "PROMPTING_KEY": ("prompting", "endpoint", "key"),
}
"""Environment variables (or lines of ``.env``) that win over the file, and the key each sets."""


def config_path() -> Path:
    """Where the configuration is: ``CONFIG`` in the environment, else beside the program."""
    return Path(os.environ.get("CONFIG") or "config.yaml")


class ConfigError(Exception):
    """The configuration cannot be used; the message is one line for the operator."""


def log_level() -> str:
    """How much is logged, by the worker too: ``LOG_LEVEL`` in the environment.

    Raises:
        ConfigError: there is no such level.
    """
    level = os.environ.get("LOG_LEVEL", "info").upper()
    if level not in logging.getLevelNamesMapping():
        raise ConfigError(f"LOG_LEVEL: must be debug, info, warning or error, got {level.lower()}")
    return level


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class WebhookConfig(_Section):
    """Telegram calls us, instead of us asking. Needs ``web`` as well."""

    url: str = Field(pattern=r"^https?://")
    secret: SecretStr | None = None
    """A fresh random one for every start if left out."""

    @field_validator("secret")
    @classmethod
    def _can_be_a_header(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret and not re.fullmatch(r"[A-Za-z0-9_-]{1,256}", secret.get_secret_value()):
            raise ValueError("must be 1 to 256 of A-Z a-z 0-9 _ -")
        return secret


class TelegramConfig(_Section):
    """How we speak to Telegram."""

    token: SecretStr
    api_base: str | None = Field(default=None, pattern=r"^https?://")
    """Another Bot API server than Telegram's own."""
    webhook: WebhookConfig | None = None

    @field_validator("token")
    @classmethod
    def _has_the_shape_of_a_token(cls, token: SecretStr) -> SecretStr:
        number, _, secret = token.get_secret_value().partition(":")
        if not (number.isdecimal() and secret) or any(map(str.isspace, secret)):
            raise ValueError("must look like 123456:ABC..., as @BotFather gives it")
        return token


class StorageConfig(_Section):
    """Where things are kept, and for how long."""

    data_dir: Path = Path("data")
    blob_lifetime_h: float = Field(default=72, gt=0)
    blobs_max_bytes: int = Field(default=2_000_000_000, gt=0)

    @property
    def database(self) -> Path:
        """The SQLite file: users, settings, jobs, conversations, updates."""
        return self.data_dir / "bot.sqlite"

    @property
    def blobs(self) -> Path:
        """The folder of produced pictures."""
        return self.data_dir / "blobs"


class LimitsConfig(_Section):
    """What one user, and all together, may ask for. See ``config.yaml`` for each."""

    queue_size: int = Field(gt=0)
    in_flight_per_user: int = Field(gt=0)
    burst: int = Field(gt=0)
    refill_per_minute: float = Field(gt=0)
    daily_units: int = Field(gt=0)


class CardsConfig(_Section):
    """How the messages that show jobs behave."""

    edit_interval_s: float = Field(default=3.0, ge=0)


class WebConfig(_Section):
    """Our own HTTP server: ``/healthz``, and ``/webhook`` when Telegram calls us."""

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=1, le=65535)


class Config(_Section):
    """The whole file, with the environment laid over it."""

    telegram: TelegramConfig
    storage: StorageConfig = StorageConfig()
    limits: LimitsConfig
    cards: CardsConfig = CardsConfig()
    web: WebConfig | None = None
    prompting: PromptingSettings | None = None
    profile: str
    profiles: dict[str, Profile]

    @model_validator(mode="after")
    def _names_fit(self) -> Self:
        if self.profile not in self.profiles:
            known = ", ".join(self.profiles) or "none"
            raise ValueError(f"profile: must be one of the profiles ({known}), got {self.profile}")
        webhook = self.telegram.webhook
        if webhook is not None and self.web is None:
            raise ValueError("telegram.webhook: needs a `web` section, where Telegram can call")
        if webhook and not self.telegram.api_base and not webhook.url.startswith("https://"):
            raise ValueError("telegram.webhook.url: Telegram calls https:// only")
        return self

    @property
    def weights(self) -> Profile:
        """The chosen profile."""
        return self.profiles[self.profile]


def load_config(path: Path, environment: Mapping[str, str] | None = None) -> Config:
    """Read ``path`` and lay ``.env`` beside it, then the environment, over it.

    Args:
        path: a YAML file.
        environment: in place of the process's own.

    Raises:
        ConfigError: anything is missing, unknown or out of range.
    """
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as fault:
        raise ConfigError(f"{path}: cannot be read: {fault.strerror}") from fault
    except (yaml.YAMLError, UnicodeDecodeError) as fault:
        reason = " ".join(str(fault).split())
        raise ConfigError(f"{path}: is not YAML: {reason}") from fault
    if not isinstance(tree, dict):
        raise ConfigError(f"{path}: must be a mapping of keys to values")
    beside = dotenv_values(path.parent / ".env")
    for name, keys in ENVIRONMENT.items():
        own = (os.environ if environment is None else environment).get(name)
        if value := own or beside.get(name):
            _put(tree, keys, value)
    try:
        config = Config.model_validate(tree)
    except ValidationError as fault:
        raise ConfigError(_one_line(path.name, fault.errors())) from fault
    prompting = config.prompting.placed(path.parent) if config.prompting else None
    profiles = _placed(config.profiles, path.parent)
    return config.model_copy(update={"profiles": profiles, "prompting": prompting})


def _placed(profiles: Mapping[str, Profile], folder: Path) -> dict[str, Profile]:
    """Let relative folders of weights start from the configuration, wherever we were started."""
    return {name: profile.placed(name, folder) for name, profile in profiles.items()}


def _put(tree: dict[str, Any], keys: tuple[str, ...], value: str) -> None:
    *above, last = keys
    for key in above:
        if not isinstance(tree.get(key), dict):
            tree[key] = {}
        tree = tree[key]
    tree[last] = value


def _one_line(name: str, errors: list[ErrorDetails]) -> str:
    first, *others = errors
    key = ".".join(str(part) for part in first["loc"] if part != "[key]")
    more = f" (and {len(others)} more)" if others else ""
    return f"{name}: {key + ': ' if key else ''}{_takes(key, first)}{more}"


def _takes(key: str, error: ErrorDetails) -> str:
    """What this key takes, in words, and what it was given."""
    match error["type"]:
        case "missing":
            variables = [name for name, keys in ENVIRONMENT.items() if ".".join(keys) == key]
            hint = f"; set {variables[0]} in the environment or in .env" if variables else ""
            return f"is missing{hint}"
        case "extra_forbidden":
            return "is not a known key"
        case "value_error":
            return str(error.get("ctx", {})["error"])
        case _:
            wanted = error["msg"].replace("Input should be", "must be", 1)
            return f"{wanted[0].lower()}{wanted[1:]}, got {_shown(error['input'])}"


def _shown(value: object) -> str:
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else f"{text[:59]}…"

"""Which language model helps with prompts: the ``prompting`` section of ``config.yaml``."""

import re
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    field_serializer,
    field_validator,
    model_validator,
)


class EndpointSettings(BaseModel):
    """A server that speaks OpenAI's chat completions: vLLM, Ollama, llama.cpp and others."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str = Field(pattern=r"^https?://[^/?#\s]+[^?#\s]*$", description="up to and with /v1")
    model: str = Field(min_length=1, description="the server's name for the model")
    key: SecretStr | None = Field(default=None, description="sent as a bearer token")

    @field_validator("url")
    @classmethod
    def _is_an_address(cls, url: str) -> str:
        urlsplit(url).port  # noqa: B018 - raises if there can be no such host or port
        return url

    @field_validator("key")
    @classmethod
    def _can_be_a_header(cls, key: SecretStr | None) -> SecretStr | None:
        if key and not re.fullmatch(r"[!-~]+", key.get_secret_value()):
            raise ValueError("must be printable ASCII without blanks")
        return key

    @field_serializer("key", when_used="json")
    def _revealed(self, key: SecretStr | None) -> str | None:
        """Let it reach the worker, whose configuration is JSON; nothing else is written so."""
        return key.get_secret_value() if key else None


class PromptingSettings(BaseModel):
    """Either an endpoint, or a folder of weights for the engine itself."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    endpoint: EndpointSettings | None = None
    weights_dir: Path | None = Field(
        default=None, description="a causal language model as transformers saves it"
    )
    timeout_s: float = Field(default=60.0, gt=0, le=600, description="for one answer, all of it")

    @model_validator(mode="after")
    def _is_one_of_two(self) -> Self:
        if (self.endpoint is None) == (self.weights_dir is None):
            msg = "needs either `endpoint` or `weights_dir`"
            raise ValueError(msg)
        return self

    def placed(self, folder: Path) -> Self:
        """Let a relative folder of weights start from ``folder``, wherever we were started."""
        if self.weights_dir is None:
            return self
        return self.model_copy(update={"weights_dir": (folder / self.weights_dir).resolve()})

"""A language model behind an address: OpenAI's chat completions over HTTP.

Asynchronous inside, for three things a blocking client cannot do: a batch's sentences are asked at
once, an answer has a deadline as a whole (a server that trickles bytes keeps every read timeout),
and one that nobody wants any more is dropped at once, which tells the server to stop as well.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import Final, TypeVar

import httpx2
from pydantic import BaseModel, Field, ValidationError

from pipelines.prompting.chat import (
    ANSWER_MAX_TOKENS,
    REFUSED,
    STOP,
    Answer,
    Ask,
    IsWanted,
    NoAnswer,
)
from pipelines.prompting.settings import EndpointSettings

CONNECT_TIMEOUT_S: Final = 5.0
MODELS_TIMEOUT_S: Final = 10.0
BODY_MAX_BYTES: Final = 256 * 1024
"""An answer of some hundred tokens has a few kilobytes, whatever else the server tells."""

_LOOK_S: Final = 0.1
"""How often it is asked whether the answers are still wanted."""
_MODELS_NAMED: Final = 10
_LOG: Final = logging.getLogger(__name__)


class _Message(BaseModel):
    content: str | None = None
    refusal: str | None = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None


class _Completion(BaseModel):
    choices: list[_Choice] = Field(min_length=1)


class _Model(BaseModel):
    id: str


class _Models(BaseModel):
    data: list[_Model]


class _Unfit(Exception):
    """The server answered, but not with what it was asked for."""


ShapeT = TypeVar("ShapeT", bound=BaseModel)


_FAULTS: Final = (
    *(httpx2.HTTPError, httpx2.StreamError, httpx2.InvalidURL, _Unfit),
    OSError,  # sockets, and the deadline
    ValueError,  # a host's name that is none
)


class Endpoint:
    """Asks a server; implements :class:`pipelines.prompting.chat.LanguageModel`.

    Nothing is repeated: whoever waits for a picture gets it, as typed, rather than waiting twice.
    """

    def __init__(self, settings: EndpointSettings, timeout_s: float) -> None:
        self._settings = settings
        self._timeout_s = timeout_s

    def answers(self, asks: Sequence[Ask], is_wanted: IsWanted) -> list[Answer | NoAnswer]:
        """Ask for all at once."""
        return asyncio.run(self._answers(asks, is_wanted))

    def trouble(self) -> str | None:
        """Look whether the server is there and has the model; say what is wrong for the operator.

        Takes :data:`MODELS_TIMEOUT_S` at most.
        """
        try:
            names = asyncio.run(self._models())
        except _FAULTS as fault:
            return f"{self._settings.url}/models: {_reason(fault)}"
        model = self._settings.model
        # Ollama lists "mistral:latest" and answers to "mistral" as well.
        if any(name in {model, f"{model}:latest"} for name in names):
            return None
        there = ", ".join(names[:_MODELS_NAMED]) or "none"
        return f"{self._settings.url}: has no model {model}; it has: {there}"

    async def _models(self) -> list[str]:
        async with self._client() as client, asyncio.timeout(MODELS_TIMEOUT_S):
            body = await self._exchange(client, "GET", "models")
        return [model.id for model in _parsed(body, _Models).data]

    async def _answers(self, asks: Sequence[Ask], is_wanted: IsWanted) -> list[Answer | NoAnswer]:
        async with self._client() as client, asyncio.TaskGroup() as group:
            asking = [group.create_task(self._answer(client, ask)) for ask in asks]
            waiting = set(asking)
            while waiting:
                for index, task in enumerate(asking):
                    if not is_wanted(index):
                        task.cancel()
                _, waiting = await asyncio.wait(waiting, timeout=_LOOK_S)
        return [NoAnswer() if task.cancelled() else task.result() for task in asking]

    def _client(self) -> httpx2.AsyncClient:
        key = self._settings.key
        return httpx2.AsyncClient(
            # Compressed, a small body could still be a huge one.
            headers={
                "Accept-Encoding": "identity",
                **({"Authorization": f"Bearer {key.get_secret_value()}"} if key else {}),
            },
            timeout=httpx2.Timeout(self._timeout_s, connect=CONNECT_TIMEOUT_S),
            follow_redirects=False,  # with the key, and with what people type
        )

    async def _answer(self, client: httpx2.AsyncClient, ask: Ask) -> Answer | NoAnswer:
        """Ask once. What goes wrong is for the operator's log, without anyone's words in it."""
        try:
            async with asyncio.timeout(self._timeout_s):
                body = await self._exchange(client, "POST", "chat/completions", self._chat(ask))
            return _read(body)
        except _FAULTS as fault:
            _LOG.warning("the language model at %s: %s", self._settings.url, _reason(fault))
            return NoAnswer()

    def _chat(self, ask: Ask) -> dict[str, object]:
        return {
            "model": self._settings.model,
            "messages": [
                {"role": "system", "content": ask.system.strip()},
                {"role": "user", "content": ask.user},
            ],
            "temperature": 0,
            "seed": 0,
            "max_tokens": ANSWER_MAX_TOKENS,
            "stop": [STOP],
        }

    async def _exchange(
        self,
        client: httpx2.AsyncClient,
        method: str,
        path: str,
        request: dict[str, object] | None = None,
    ) -> bytes:
        address = f"{self._settings.url.rstrip('/')}/{path}"
        async with client.stream(method, address, json=request) as response:
            if response.status_code != httpx2.codes.OK:
                raise _Unfit(f"HTTP status {response.status_code}")
            body = bytearray()
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > BODY_MAX_BYTES:
                    raise _Unfit(f"more than {BODY_MAX_BYTES} bytes")
            return bytes(body)


def _read(body: bytes) -> Answer | NoAnswer:
    choice = _parsed(body, _Completion).choices[0]
    if choice.message.refusal or choice.finish_reason == "content_filter":
        return NoAnswer(REFUSED)
    return Answer(choice.message.content or "", is_whole=choice.finish_reason != "length")


def _parsed(body: bytes, shape: type[ShapeT]) -> ShapeT:
    try:
        return shape.model_validate_json(body)
    except ValidationError as fault:
        first = fault.errors(include_input=False, include_context=False, include_url=False)[0]
        what = "chat completion" if shape is _Completion else "list of models"
        raise _Unfit(f"no {what}: {first['type']}") from None


def _reason(fault: Exception) -> str:
    """Say what went wrong in a line that is never empty, as that of a deadline would be."""
    if isinstance(fault, TimeoutError | httpx2.TimeoutException):
        return "no answer in time"
    return str(fault) or type(fault).__name__

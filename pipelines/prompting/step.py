"""The prompt step: what was typed becomes what is drawn, before any recipe sees it."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from pipelines.contracts import Drawn, Request, WordedRequest
from pipelines.kandinsky3.conditioning import MAX_TOKENS
from pipelines.kandinsky3.load import TOKENIZER
from pipelines.prompting.chat import (
    NEGATIVE_AS_TYPED,
    UNUSABLE,
    Answer,
    Ask,
    IsWanted,
    LanguageModel,
    NoAnswer,
)
from pipelines.prompting.cleaning import drawable, fitted
from pipelines.prompting.languages import CONCEIVABLE, Languages
from pipelines.prompting.settings import PromptingSettings
from pipelines.weights import ComponentStore

_LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the language model is asked of one request of a batch: one thing or both."""

    index: int
    request: WordedRequest
    words: Ask | None
    negative: Ask | None

    @property
    def asks(self) -> list[Ask]:
        """As the model takes them."""
        return [ask for ask in (self.words, self.negative) if ask]


class PromptStep:
    """Rewords the requests of a batch, whatever their mode.

    A request is asked for once: its answer travels with it from then on, so that a second attempt,
    another quality or another seed draw the same words.

    Args:
        model: answers.
        store: of the profile, whose tokenizer says what fits.
    """

    def __init__(self, model: LanguageModel, store: ComponentStore) -> None:
        self._model = model
        self._store = store
        self._languages = Languages(store.profile.prompt_languages)

    @classmethod
    def open(cls, settings: PromptingSettings, store: ComponentStore) -> "PromptStep":
        """Choose the backend. Nothing is loaded and nobody is called yet."""
        return cls(_model(settings, store), store)

    def __call__(
        self,
        requests: Sequence[Request],
        is_wanted: IsWanted,
        begin: Callable[[Sequence[int]], None],
    ) -> dict[int, Drawn]:
        """Settle the words of those requests that need it.

        Args:
            requests: a batch.
            is_wanted: whether anybody still waits for the request of an index.
            begin: called with the indices of those the model is asked for, if there are any.

        Returns:
            What became of each of these, by index; of those withdrawn meanwhile nothing.

        Raises:
            GenerationError: the tokenizer or the language model's weights cannot be used.
        """
        asked = self._asked(requests)
        if not asked:
            return {}
        begin([piece.index for piece in asked])
        owners = [piece.index for piece in asked for _ in piece.asks]
        answers = self._model.answers(
            [ask for piece in asked for ask in piece.asks],
            lambda place: is_wanted(owners[place]),
        )
        given = {piece.index: list[Answer | NoAnswer]() for piece in asked}
        for owner, answer in zip(owners, answers, strict=True):
            given[owner].append(answer)
        return {
            piece.index: self._drawn(piece, given[piece.index])
            for piece in asked
            if is_wanted(piece.index)
        }

    def as_typed(self, requests: Sequence[Request]) -> dict[int, Drawn]:
        """Give the language model up, and settle on the typed words."""
        nothing: list[Answer | NoAnswer] = [NoAnswer(), NoAnswer()]
        return {
            piece.index: self._drawn(piece, nothing[: len(piece.asks)])
            for piece in self._asked(requests)
        }

    def _asked(self, requests: Sequence[Request]) -> list[_Asked]:
        asked = [
            _Asked(index, request, self._about_words(request), self._about_negative(request))
            for index, request in enumerate(requests)
            if isinstance(request, WordedRequest)
            and request.drawn is None
            and request.wording != "as-typed"
        ]
        return [piece for piece in asked if piece.asks]

    def _about_words(self, request: WordedRequest) -> Ask | None:
        if not request.prompt.strip():
            return None
        if request.wording == "beautified":
            return Ask("beautify", request.prompt)
        return self._translation(request.prompt)

    def _about_negative(self, request: WordedRequest) -> Ask | None:
        """More words would keep more out of the picture than was asked for."""
        return self._translation(request.negative_prompt) if request.negative_prompt else None

    def _translation(self, sentence: str) -> Ask | None:
        return None if self._languages.can_read(sentence) else Ask("translate", sentence)

    def _drawn(self, piece: _Asked, answers: Sequence[Answer | NoAnswer]) -> Drawn:
        """Complete a request by what its asks were answered, in their order."""
        request, left = piece.request, list(answers)
        words = self._readable(left.pop(0), request.sentence) if piece.words else request.prompt
        negative = self._readable(left.pop(0), str) if piece.negative else None
        code = None
        if isinstance(negative, NoAnswer):
            code, negative = NEGATIVE_AS_TYPED, None
        if isinstance(words, NoAnswer):
            code = words.code
            words = request.prompt
        if code:
            _LOG.warning("a prompt is drawn as typed: %s", code)
        return Drawn(words=words, negative_words=negative, code=code)

    def _readable(
        self, answer: Answer | NoAnswer, sentence: Callable[[str], str]
    ) -> str | NoAnswer:
        """Take out of an answer what the encoder can read as part of its ``sentence``."""
        words = drawable(answer) if isinstance(answer, Answer) else answer
        if isinstance(words, NoAnswer):
            return words
        if not self._languages.can_read(words, CONCEIVABLE):
            return NoAnswer(UNUSABLE)
        return fitted(words, lambda part: self._fits(sentence(part)))

    def _fits(self, sentence: str) -> bool:
        """Whether the text encoder reads all of a sentence."""
        tokens = self._store.get(TOKENIZER)([sentence])["input_ids"][0]
        return len(tokens) <= MAX_TOKENS


def _model(settings: PromptingSettings, store: ComponentStore) -> LanguageModel:
    # Each needs libraries that the other does not.
    if settings.endpoint is not None:
        from pipelines.prompting.endpoint import Endpoint  # noqa: PLC0415

        return Endpoint(settings.endpoint, settings.timeout_s)
    from pipelines.prompting.local import LocalModel  # noqa: PLC0415

    assert settings.weights_dir is not None  # noqa: S101 - one of the two is there
    return LocalModel(store, settings.weights_dir, settings.timeout_s)

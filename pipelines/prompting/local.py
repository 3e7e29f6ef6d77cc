"""A language model in the engine itself, loaded, shared and evicted like any other component."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    StoppingCriteria,
    StoppingCriteriaList,
)
from transformers.utils.logging import disable_progress_bar

from pipelines.prompting.chat import (
    ANSWER_MAX_TOKENS,
    STOP,
    Answer,
    Ask,
    IsWanted,
    NoAnswer,
    dialogue,
)
from pipelines.weights import Component, ComponentStore

_TAIL_TOKENS: Final = 8
"""So many last tokens hold the whole of a stop string, however it is divided into them."""
_LOG: Final = logging.getLogger(__name__)

Wanted = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class CausalModel:
    """The model and its tokenizer: untyped library classes, used here only."""

    model: Any
    tokenizer: Any


class LocalModel:
    """Generates on the engine's device; implements :class:`chat.LanguageModel`.

    One sentence after the other: together in a batch, each would be padded by the others, and its
    answer would depend on them in the last digits, which decide between two words.

    Args:
        store: where the model is asked from each time, so that it may leave for a UNet.
        weights_dir: a folder with ``config.json``, a tokenizer and safetensors files.
        timeout_s: for one answer.
    """

    def __init__(self, store: ComponentStore, weights_dir: Path, timeout_s: float) -> None:
        self._store = store
        self._timeout_s = timeout_s
        # An absolute path: it is no part of the profile's own folder.
        name = f"language model {weights_dir.name}"
        self._component = Component(name, str(weights_dir.resolve()), _build)

    def answers(self, asks: Sequence[Ask], is_wanted: IsWanted) -> list[Answer | NoAnswer]:
        """Answer one after the other.

        Raises:
            WeightsError: the model's files are missing or broken.
        """
        return [
            self._answer(ask, partial(is_wanted, index)) if is_wanted(index) else NoAnswer()
            for index, ask in enumerate(asks)
        ]

    @torch.inference_mode()
    def _answer(self, ask: Ask, is_wanted: Wanted) -> Answer | NoAnswer:
        chat = self._store.get(self._component)
        given = chat.tokenizer(dialogue(ask), return_tensors="pt").to(self._store.device)
        length = given["input_ids"].shape[1]
        until = _Until(chat.tokenizer, length, time.monotonic() + self._timeout_s, is_wanted)
        tokens = chat.model.generate(
            input_ids=given["input_ids"],
            attention_mask=given["attention_mask"],
            max_new_tokens=ANSWER_MAX_TOKENS,
            do_sample=False,
            stopping_criteria=StoppingCriteriaList([until]),
            pad_token_id=chat.tokenizer.eos_token_id,
        )[0, length:]
        if until.is_given_up:
            _LOG.warning("the language model took more than %s s", self._timeout_s)
            return NoAnswer()
        text = chat.tokenizer.decode(tokens, skip_special_tokens=True)
        return Answer(text, is_whole=until.is_said or len(tokens) < ANSWER_MAX_TOKENS)


class _Until(StoppingCriteria):  # type: ignore[misc] # an untyped library class
    """Ends generation at the stop string, at the deadline, and when nobody waits any more."""

    def __init__(self, tokenizer: Any, start: int, ends_at_s: float, is_wanted: Wanted) -> None:  # noqa: ANN401
        self._tokenizer = tokenizer
        self._start = start
        self._ends_at_s = ends_at_s
        self._is_wanted = is_wanted
        self.is_said = False
        self.is_given_up = False

    def __call__(self, input_ids: torch.Tensor, *_: object, **__: object) -> torch.Tensor:
        """Look at one step; ``input_ids`` is (1, L) int64, the prompt and what follows it."""
        tail = input_ids[0, max(self._start, input_ids.shape[1] - _TAIL_TOKENS) :]
        self.is_said = STOP in self._tokenizer.decode(tail)
        self.is_given_up = time.monotonic() >= self._ends_at_s or not self._is_wanted()
        return torch.tensor([self.is_said or self.is_given_up], device=input_ids.device)


def _build(path: Path, dtype: torch.dtype, device: torch.device) -> CausalModel:
    disable_progress_bar()  # a bar in a worker's log is noise
    # Pickles and code from the folder are never run: it may have come from anywhere.
    safe = {"local_files_only": True, "trust_remote_code": False}
    model = AutoModelForCausalLM.from_pretrained(path, dtype=dtype, use_safetensors=True, **safe)
    tokenizer = AutoTokenizer.from_pretrained(path, **safe)
    return CausalModel(model.to(device).eval().requires_grad_(requires_grad=False), tokenizer)

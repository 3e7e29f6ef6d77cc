"""What a language model is asked, and what every backend answers with.

Expected failures are values here, not exceptions: of a batch some may be answered and some not,
and a request without an answer is drawn as it was typed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal, Protocol

Task = Literal["beautify", "translate"]

STOP: Final = "###"
"""Where the model's answer ends and it begins to make up the user's next words."""

ANSWER_MAX_TOKENS: Final = 160
"""Of the language model, most of whose tokens are shorter than T5's: 128 of these are filled."""

SYSTEM: Final[Mapping[Task, str]] = MappingProxyType(
    {
        "beautify": (
            "You are a prompt engineer. Your mission is to expand prompts written by user. "
            "You should provide the best prompt for text to image generation in English. "
        ),
        "translate": (
            "You are a translator. Your mission is to translate descriptions of pictures written "
            "by user into English. You should add nothing, leave out nothing and answer with the "
            "translation only. "
        ),
    }
)
"""The first is the paper's, to the letter and the space at its end.

Source: Kandinsky 3 technical report (arXiv 2312.03511), section 5.3.
"""

NO_ANSWER: Final = "prompting-no-answer"
NEGATIVE_AS_TYPED: Final = "prompting-negative-as-typed"
REFUSED: Final = "prompting-refused"
UNUSABLE: Final = "prompting-unusable"


@dataclass(frozen=True, slots=True)
class Ask:
    """One sentence and what shall become of it."""

    task: Task
    sentence: str

    @property
    def system(self) -> str:
        """What the model is told first."""
        return SYSTEM[self.task]

    @property
    def user(self) -> str:
        """The sentence, unable to pass for the model's or the system's own words."""
        return self.sentence.replace(STOP, "").strip()


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model said, as it said it. ``is_whole`` is false of one cut off by its length."""

    text: str
    is_whole: bool = True


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """There is none that can be drawn; ``code`` is the key of the sentence that says why."""

    code: str = NO_ANSWER


IsWanted = Callable[[int], bool]
"""Whether anybody still waits for the answer to the ask of this index."""


class LanguageModel(Protocol):
    """Whatever answers. Blocking; called only inside the process that owns the device."""

    def answers(self, asks: Sequence[Ask], is_wanted: IsWanted) -> list[Answer | NoAnswer]:
        """Answer each in its place; one no longer wanted is given up soon and has no answer.

        Decoding is greedy: the same ask has the same answer, as far as the backend can promise.

        Raises:
            GenerationError: the device cannot run the model.
        """
        ...


def dialogue(ask: Ask) -> str:
    """Write an ask in Neural-Chat's own format, up to where the answer begins.

    Source: Kandinsky 3 technical report (arXiv 2312.03511), section 5.3; the same as in the model
    card of Intel/neural-chat-7b-v3-1.
    """
    return f"### System:\n{ask.system}\n### User:\n{ask.user}\n### Assistant:\n"

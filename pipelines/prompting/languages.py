"""Whether the text encoder can read a sentence. Offline, deterministic, a millisecond.

Measured on 90 prompts of one to eight words in 17 languages of Latin script, 44 of them English:
by the rule below ``py3langid`` takes two English prompts for foreign, which costs a needless
translation, and five foreign ones for English, all of one to three words that look it ("dragon
rouge", "Hund"). By its first guess alone it takes 18 of the English ones for foreign, and
``lingua`` (96 MB, 1.1 GB of memory with all its languages) takes 12.
"""

import unicodedata
from collections.abc import Collection
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

_LATIN: Final = frozenset(
    {"cs", "da", "de", "en", "es", "et", "fi", "fr", "hr", "hu", "id", "it", "lt", "lv", "nl"}
    | {"no", "pl", "pt", "ro", "sk", "sl", "sv", "tr", "vi"}
)
_CANDIDATES: Final = _LATIN | frozenset(
    {"ar", "bg", "el", "fa", "he", "hi", "ja", "ko", "ru", "sr", "th", "uk", "zh"}
)
"""Languages that prompts come in. Among all 139 of the model a short English prompt is lost."""

LIKELY: Final = 0.03
"""Less than this, of all readable languages together, and a prompt is taken for foreign."""

CONCEIVABLE: Final = 0.001
"""Likewise for a text that was asked for in a readable language, such as "A café in Paris"."""


class Languages:
    """Tells readable sentences from foreign ones. Its model, 5 MB, is loaded by the first of them.

    Args:
        readable: the languages the encoder was trained on, by their ISO 639-1 codes.
    """

    def __init__(self, readable: Collection[str]) -> None:
        self._readable = frozenset(readable)
        self._identifier: LanguageIdentifier | None = None

    def can_read(self, sentence: str, at_least: float = LIKELY) -> bool:
        """Whether the sentence is in a readable language with a probability of ``at_least``.

        Other scripts are told by their letters where all readable languages are written in Latin
        ones; what has no letters at all, such as an emoji, no encoder of words can read.
        """
        letters = [char for char in sentence if unicodedata.category(char).startswith("L")]
        if not letters:
            return False
        if self._readable <= _LATIN:
            latin = sum(unicodedata.name(char, "").startswith("LATIN") for char in letters)
            if latin * 2 < len(letters):
                return False
        ranked: list[tuple[str, float]] = self._loaded().rank(sentence)
        likely = sum(probability for code, probability in ranked if code in self._readable)
        return likely >= at_least

    def _loaded(self) -> "LanguageIdentifier":
        if self._identifier is None:
            # Half a second and 60 MB, spent only where somebody needs it.
            from py3langid.langid import MODEL_FILE, LanguageIdentifier  # noqa: PLC0415

            identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
            known = frozenset(identifier.labels)
            identifier.set_languages((_CANDIDATES | self._readable) & known)
            self._identifier = identifier
        return self._identifier

"""Every sentence a user reads: Fluent files by language, one file per mode or subject."""

import math
from pathlib import Path
from typing import Final

from fluent.runtime import FluentBundle
from fluent.syntax import FluentParser, ast
from fluent.syntax.serializer import FluentSerializer

ROOT: Final = Path(__file__).parent
DEFAULT_LANGUAGE: Final = "en"


class TextsError(LookupError):
    """A sentence is missing, doubled or not filled: a fault of ours, never shown silently."""


class Texts:
    """The sentences of one language: ``texts("error-too-soon", wait_s=12)``.

    Unlike Fluent itself, which prints the name of what it lacks, this raises. Inside a sentence
    ``DURATION($wait_s)`` says seconds as people do ("12 s", "3 min").
    """

    def __init__(self, language: str) -> None:
        self.language = language
        self._bundle = FluentBundle(
            [language], functions={"DURATION": self._duration}, use_isolating=False
        )
        self._keys: set[str] = set()
        for path in sorted((ROOT / language).glob("*.ftl")):
            resource = FluentParser().parse(path.read_text(encoding="utf-8"))
            self._keys |= _keys(path, resource, self._keys)
            self._bundle.add_resource(resource)
        if not self._keys:
            raise TextsError(f"there are no texts in {language}")

    def __contains__(self, key: str) -> bool:
        return key in self._keys

    def __call__(self, key: str, **params: str | float) -> str:
        """Fill the sentence ``key``.

        Raises:
            TextsError: there is no such sentence, or a parameter it needs was not given.
        """
        if key not in self:
            raise TextsError(f"no sentence {key} in {self.language}")
        pattern = self._bundle.get_message(key).value
        if pattern is None:
            raise TextsError(f"{key} has no text in {self.language}")
        filled, faults = self._bundle.format_pattern(pattern, params)
        if faults:
            raise TextsError(f"{key} in {self.language}: {faults[0]}") from faults[0]
        return str(filled)

    def _duration(self, seconds: float) -> str:
        """Round up: whoever comes back after the time told must not be early."""
        whole_s = max(1, math.ceil(float(seconds)))
        if whole_s < 90:
            return self("duration-seconds", count=whole_s)
        if whole_s < 90 * 60:
            return self("duration-minutes", count=math.ceil(whole_s / 60))
        return self("duration-hours", count=math.ceil(whole_s / 3600))


def _keys(path: Path, resource: ast.Resource, known: set[str]) -> set[str]:
    keys: set[str] = set()
    for entry in resource.body:
        if isinstance(entry, ast.Junk):
            line = FluentSerializer().serialize_entry(entry).strip().splitlines()[0]
            raise TextsError(f"{path}: not Fluent: {line}")
        if isinstance(entry, ast.Message):
            if entry.id.name in known | keys:
                raise TextsError(f"{path}: {entry.id.name} is there twice")
            keys.add(entry.id.name)
    return keys


class Languages:
    """The texts of every language there is a folder for."""

    def __init__(self) -> None:
        folders = sorted(path for path in ROOT.iterdir() if path.is_dir())
        self._texts = {
            path.name: Texts(path.name) for path in folders if not path.name.startswith("_")
        }

    @property
    def names(self) -> tuple[str, ...]:
        """Their codes, such as "en"."""
        return tuple(self._texts)

    def __getitem__(self, name: str) -> Texts:
        """Return one language's texts; one that was taken away speaks English."""
        return self._texts.get(name, self._texts[DEFAULT_LANGUAGE])

    def of(self, chosen: str | None, client: str | None) -> Texts:
        """Pick a language: the one chosen in the settings, else that of the client, else English.

        Args:
            chosen: "en", "ru", or None to follow the client.
            client: Telegram's ``language_code``, an IETF tag such as "ru" or "pt-BR".
        """
        return self[chosen or (client or "").split("-")[0].lower()]

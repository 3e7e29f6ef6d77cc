"""Half a request that starts from pictures: what all such modes gather alike."""

import math
import secrets
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, Self

from pydantic import BaseModel, ConfigDict

from bot.draft import Draft
from bot.keyboards import Row
from bot.options import NO_STEPS, Line, styles_of
from bot.prompts import checked_prompt
from bot.texts import Texts
from bot.uploads import Upload
from pipelines.contracts import SEED_MAX, Drawn, ImageBlob, ImageRequest, Wording
from pipelines.profiles import AspectRatio, Profile
from pipelines.requests import DrawingRequest
from pipelines.styles import NO_STYLE
from storage.people import Settings

PICTURE_OPTIONS: Final = ("ar", "seed", "n")
"""The options that every mode of pictures has."""


class HeldPicture(BaseModel):
    """A picture a draft holds on to.

    Attributes:
        key: of its blob.
        parent_id: the job that drew it, if we did.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str
    parent_id: int | None = None

    @classmethod
    def of(cls, upload: Upload) -> Self:
        """Hold on to what was taken in."""
        return cls(key=upload.image.key, parent_id=upload.parent_id)


@dataclass(frozen=True, slots=True)
class Question:
    """What a draft still lacks, as it is said to the person.

    Attributes:
        rows: buttons below.
        is_menu: it can be answered by its buttons alone, so that it has them in a group as well.
    """

    text: str
    rows: list[Row] = field(default_factory=list)
    is_menu: bool = False


class PictureDraft(Draft, ABC):
    """What is known so far; no seed means a new one each time.

    Attributes:
        ratio: as chosen; without a choice it is the ``natural`` one, the first picture's.
        shown_id: the message this draft belongs to: its question, its menu or its refusal.
        reply_to: the message of the asker that the picture will answer, in a group.
    """

    mode: ClassVar[str]
    pictures_max: ClassVar[int]
    options: ClassVar[tuple[str, ...]] = PICTURE_OPTIONS
    steps: ClassVar[Mapping[str, Sequence[str]]] = NO_STEPS
    takes_words: ClassVar[bool] = False

    pictures: tuple[HeldPicture, ...] = ()
    ratio: AspectRatio | None = None
    natural: AspectRatio | None = None
    n: int = 1
    seed: int | None = None
    shown_id: int | None = None
    reply_to: int | None = None

    @classmethod
    def fresh(cls, _settings: Settings, _profile: Profile) -> Self:
        """Start from the person's settings, as far as they matter here."""
        return cls()

    def limit(self, profile: Profile) -> int:  # noqa: ARG002 - for subclasses
        """How many pictures it takes in all."""
        return self.pictures_max

    def room(self, profile: Profile) -> int:
        """How many more pictures it takes; where there can be only one, another replaces it."""
        limit = self.limit(profile)
        return 1 if limit == 1 else limit - len(self.pictures)

    @property
    def parent_id(self) -> int | None:
        """The job whose picture this goes on from; of several the first."""
        return next((held.parent_id for held in self.pictures if held.parent_id), None)

    def adding(self, uploads: Sequence[Upload], profile: Profile) -> Self:
        """Take more pictures; one that is there already, as after a crash, is not doubled.

        Args:
            uploads: at most as many as there is room for.
            profile: whose sizes there are.
        """
        if not uploads:
            return self
        kept = () if self.limit(profile) == 1 else self.pictures
        first = uploads[0]
        natural = nearest_ratio(first.width_px, first.height_px, profile)
        changes = {
            "pictures": tuple(dict.fromkeys((*kept, *map(HeldPicture.of, uploads)))),
            "natural": (kept and self.natural) or natural,
        }
        return self.model_copy(update=changes)

    def following(self, line: Line, profile: Profile) -> Self:  # noqa: ARG002 - for subclasses
        """Take over what a typed line says, and keep the rest.

        Raises:
            Rejected: it says what cannot be taken.
        """
        given = {"ratio": line.ratio, "n": line.n, "seed": line.seed, **line.steps}
        return self.model_copy(update={k: v for k, v in given.items() if v is not None})

    def fits(self, profile: Profile) -> bool:
        """Whether the profile still has what was chosen; it may have changed since."""
        return all(ratio in profile.sizes for ratio in (self.ratio, self.natural) if ratio)

    @property
    @abstractmethod
    def is_complete(self) -> bool:
        """Whether nothing is lacking that the engine needs."""

    @abstractmethod
    def question(self, profile: Profile, texts: Texts) -> Question | None:
        """Ask for what is lacking, or show what may be changed; ``None``: it is to be drawn."""

    @abstractmethod
    def request(self, profile: Profile) -> ImageRequest:
        """Complete the draft into what the engine takes."""

    def drawing(self, profile: Profile) -> dict[str, Any]:
        """List the fields that the requests of all these modes share."""
        chosen = self.ratio or self.natural
        size = profile.sizes[chosen] if chosen else next(iter(profile.sizes.values()))
        return {
            "images": tuple(ImageBlob(key=held.key) for held in self.pictures),
            "width_px": size.width_px,
            "height_px": size.height_px,
            "n": self.n,
            "seed": new_seed() if self.seed is None else self.seed,
        }


class WordedPictureDraft(PictureDraft, ABC):
    """One that takes words as well."""

    options: ClassVar[tuple[str, ...]] = (*PICTURE_OPTIONS, "no", "style")
    takes_words: ClassVar[bool] = True

    prompt: str = ""
    negative: str = ""
    style: str = NO_STYLE
    wording: Wording = "as-typed"
    drawn: Drawn | None = None

    @classmethod
    def fresh(cls, settings: Settings, _profile: Profile) -> Self:
        """Have the words looked at as the person wishes."""
        return cls(wording="beautified" if settings.beautify else "translated")

    def following(self, line: Line, profile: Profile) -> Self:
        """Take over the words as well; nobody has looked at these yet.

        Raises:
            Rejected: the words are none, or too many.
        """
        draft = super().following(line, profile)
        given: dict[str, Any] = {"negative": line.negative, "style": line.style}
        if line.words:
            draft = draft.model_copy(update={"drawn": None})
            given["prompt"] = checked_prompt(line.words)
        return draft.model_copy(update={k: v for k, v in given.items() if v is not None})

    def fits(self, profile: Profile) -> bool:
        """Look at the style as well."""
        return super().fits(profile) and self.style in styles_of(profile)

    def wording_fields(self) -> dict[str, Any]:
        """List the fields of the request that are about words."""
        return {
            "prompt": self.prompt,
            "negative_prompt": self.negative,
            "style": self.style,
            "wording": self.wording,
            "drawn": self.drawn,
        }


def nearest_ratio(width_px: int, height_px: int, profile: Profile) -> AspectRatio:
    """Find the profile's size whose proportions are the nearest to these."""

    def distance(ratio: AspectRatio) -> float:
        size = profile.sizes[ratio]
        return abs(math.log(width_px / height_px * size.height_px / size.width_px))

    return min(profile.sizes, key=distance)


def ratio_of(request: DrawingRequest, profile: Profile) -> AspectRatio | None:
    """Find which of the profile's sizes a request has; none if it has no such size any more."""
    size = (request.width_px, request.height_px)
    fitting = (r for r, s in profile.sizes.items() if (s.width_px, s.height_px) == size)
    return next(fitting, None)


def new_seed() -> int:
    """Draw a seed by lot."""
    return secrets.randbelow(SEED_MAX + 1)

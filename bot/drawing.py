"""Half a picture in words, and how it looks: the draft of text to image, its menu and its card."""

import secrets
from typing import Final, Literal, Self

from aiogram.filters.callback_data import CallbackData
from aiogram.types import InlineKeyboardMarkup

from bot.captions import how_made, in_style, left_out, left_out_in_vain
from bot.cards import ModeCard
from bot.draft import Draft
from bot.keyboards import SEPARATOR, Row, button, choice, keyboard, style_rows
from bot.options import Line, styles_of
from bot.texts import Texts
from pipelines.contracts import SEED_MAX, Drawn, Wording
from pipelines.profiles import AspectRatio, Profile, Quality
from pipelines.requests import PICTURES_MAX
from pipelines.styles import NO_STYLE
from pipelines.text_to_image import TextToImageRequest
from storage.jobs import Job
from storage.people import Settings

_EXAMPLE_NUMBERS: Final = ("1", "2", "3")


class DrawDraft(Draft):
    """What is known of the picture so far; no seed means a new one each time.

    Attributes:
        shown_id: the message this draft belongs to: its menu, or the question for its words.
        reply_to: the message of the asker that the picture will answer, in a group.
    """

    prompt: str = ""
    negative: str = ""
    style: str = NO_STYLE
    ratio: AspectRatio
    quality: Quality
    n: int = 1
    seed: int | None = None
    wording: Wording = "as-typed"
    drawn: Drawn | None = None
    shown_id: int | None = None
    reply_to: int | None = None

    @classmethod
    def fresh(cls, settings: Settings, profile: Profile) -> Self:
        """Start from the user's settings, as far as this profile can follow them."""
        return cls(
            ratio=next((r for r in profile.sizes if r == settings.aspect_ratio), _first(profile)),
            quality=next(
                (q for q in profile.qualities if q == settings.quality), profile.default_quality
            ),
            style=settings.style if settings.style in styles_of(profile) else NO_STYLE,
            wording="beautified" if settings.beautify else "translated",
        )

    @classmethod
    def again(cls, request: TextToImageRequest, profile: Profile) -> Self:
        """Start from a picture that was drawn, and its words; the seed is left open."""
        request = request.again(request.seed)
        size = (request.width_px, request.height_px)
        fitting = (r for r, s in profile.sizes.items() if (s.width_px, s.height_px) == size)
        is_known = request.quality in profile.qualities
        return cls(
            prompt=request.prompt,
            negative=request.negative_prompt,
            style=request.style if request.style in styles_of(profile) else NO_STYLE,
            ratio=next(fitting, _first(profile)),
            quality=request.quality if is_known else profile.default_quality,
            n=request.n,
            wording=request.wording,
            drawn=request.drawn,
        )

    def saying(self, prompt: str) -> Self:
        """Take other words; nobody has looked at these yet."""
        return self.model_copy(update={"prompt": prompt, "drawn": None})

    def following(self, line: Line) -> Self:
        """Take over what a typed line says, and keep the rest."""
        given = {
            "negative": line.negative,
            "style": line.style,
            "ratio": line.ratio,
            "quality": line.quality,
            "n": line.n,
            "seed": line.seed,
        }
        return self.model_copy(update={k: v for k, v in given.items() if v is not None})

    def fits(self, profile: Profile) -> bool:
        """Whether the profile still has what was chosen; it may have changed since."""
        return (
            self.ratio in profile.sizes
            and self.quality in profile.qualities
            and self.style in styles_of(profile)
        )

    def request(self, profile: Profile) -> TextToImageRequest:
        """Complete the draft into what the engine takes."""
        size = profile.sizes[self.ratio]
        return TextToImageRequest(
            prompt=self.prompt,
            negative_prompt=self.negative,
            style=self.style,
            width_px=size.width_px,
            height_px=size.height_px,
            quality=self.quality,
            n=self.n,
            wording=self.wording,
            drawn=self.drawn,
            seed=secrets.randbelow(SEED_MAX + 1) if self.seed is None else self.seed,
        )


def _first(profile: Profile) -> AspectRatio:
    return next(iter(profile.sizes))


class MenuPress(CallbackData, prefix="t2i-menu", sep=SEPARATOR):
    """A press in the menu of options."""

    field: Literal["ratio", "quality", "n", "style", "page", "draw", "close"]
    value: str = ""


class ResultPress(CallbackData, prefix="t2i", sep=SEPARATOR):
    """A press under a result that only this mode has."""

    action: Literal["quality", "edit", "options"]
    job_id: int
    value: str = ""


class ExamplePress(CallbackData, prefix="t2i-example", sep=SEPARATOR):
    """A press of one of the examples."""

    number: Literal["1", "2", "3"]


def menu(draft: DrawDraft, profile: Profile, texts: Texts) -> InlineKeyboardMarkup:
    """Everything that can be chosen, what is chosen ticked."""

    def press(field: Literal["ratio", "quality", "n"], value: str) -> MenuPress:
        return MenuPress(field=field, value=value)

    has_styles = len(styles_of(profile)) > 1
    style = texts("button-style-of", style=texts(f"style-{draft.style}"))
    return keyboard(
        [
            [
                choice(ratio, press("ratio", ratio), is_chosen=ratio == draft.ratio)
                for ratio in profile.sizes
            ],
            [
                choice(
                    texts(f"quality-{quality}"),
                    press("quality", quality),
                    is_chosen=quality == draft.quality,
                )
                for quality in profile.qualities
            ],
            [
                choice(str(n), press("n", str(n)), is_chosen=n == draft.n)
                for n in range(1, PICTURES_MAX + 1)
            ],
            [button(style, MenuPress(field="page", value="style"))] if has_styles else [],
            [
                button(texts("button-draw"), MenuPress(field="draw")),
                button(texts("button-close"), MenuPress(field="close")),
            ],
        ]
    )


def style_page(draft: DrawDraft, profile: Profile, texts: Texts) -> InlineKeyboardMarkup:
    """Every style, and the way back."""
    back = button(texts("button-back"), MenuPress(field="page"))
    rows = style_rows(
        styles_of(profile),
        draft.style,
        lambda style: MenuPress(field="style", value=style),
        texts,
    )
    return keyboard([*rows, [back]])


def chosen(draft: DrawDraft, press: MenuPress, profile: Profile) -> DrawDraft | None:
    """Take over what was pressed; ``None`` where there is no such choice (any more)."""
    match press.field:
        case "ratio" | "quality" | "style":
            changed = draft.model_copy(update={press.field: press.value})
        case "n" if press.value in {str(n) for n in range(1, PICTURES_MAX + 1)}:
            changed = draft.model_copy(update={"n": int(press.value)})
        case "page":
            changed = draft
        case _:
            return None
    return changed if changed.fits(profile) else None


def try_again(texts: Texts) -> InlineKeyboardMarkup:
    """One button, under a refusal."""
    return keyboard([[button(texts("button-try-again"), MenuPress(field="draw"))]])


def request_of(job: Job) -> TextToImageRequest:
    """Read what a job was asked for."""
    return TextToImageRequest.model_validate_json(job.request)


def card(profile: Profile) -> ModeCard:
    """What this mode's cards say with this profile."""
    return ModeCard(
        title=lambda job, _texts: request_of(job).prompt,
        details=_details,
        rows=lambda job, texts: _rows(job, profile, texts),
        drawn=lambda job: request_of(job).drawn,
    )


def _details(job: Job, texts: Texts) -> str:
    request = request_of(job)
    heed = left_out_in_vain if request.quality == "flash" else left_out
    lines = [
        how_made(job, request, texts(f"quality-{request.quality}"), texts),
        *in_style(request.style, texts),
        *heed(request, texts),
    ]
    return "\n".join(lines)


def _rows(job: Job, profile: Profile, texts: Texts) -> list[Row]:
    drawn = request_of(job).quality
    same_seed = [
        button(
            texts("button-same-seed", quality=texts(f"quality-{quality}")),
            ResultPress(action="quality", job_id=job.id, value=quality),
        )
        for quality in profile.qualities
        if quality != drawn
    ]
    return [
        same_seed,
        [
            button(texts("button-edit"), ResultPress(action="edit", job_id=job.id)),
            button(texts("button-options"), ResultPress(action="options", job_id=job.id)),
        ],
    ]


def examples(texts: Texts, profile: Profile) -> list[Row]:
    """Sentences to begin with, such as this profile's model can draw."""
    return [
        [button(example(number, texts, profile), ExamplePress(number=number))]
        for number in _EXAMPLE_NUMBERS
    ]


def example(number: str, texts: Texts, profile: Profile) -> str:
    """One of them, options and all."""
    return texts(f"example-{profile.knows}-{number}")


def help_lines(texts: Texts, profile: Profile) -> str:
    """How to ask in words."""
    styles = styles_of(profile)
    lines = [
        texts(
            "text-to-image-help",
            ratios=" | ".join(profile.sizes),
            qualities=" | ".join(profile.qualities),
            pictures_max=str(PICTURES_MAX),
        )
    ]
    if len(styles) > 1:
        lines.append(texts("text-to-image-help-style", styles=" | ".join(styles)))
    return "\n".join(lines)

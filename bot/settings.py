"""/settings: what is used when a sentence says nothing."""

from dataclasses import dataclass
from typing import Any, Literal

from aiogram import Router
from aiogram.enums import ChatType
from aiogram.filters.callback_data import CallbackData
from aiogram.types import CallbackQuery, InlineKeyboardMarkup, Message

from bot.keyboards import SEPARATOR, Row, button, choice, keyboard, style_rows
from bot.options import styles_of
from bot.presses import Press, Stale
from bot.replies import answer
from bot.texts import Languages, Texts
from pipelines.profiles import Profile
from pipelines.prompting.settings import PromptingSettings
from storage.people import People, Settings

FOLLOW_CLIENT = "auto"


@dataclass(frozen=True, slots=True)
class Offer:
    """What there is to choose from, by the operator's configuration."""

    profile: Profile
    languages: Languages
    has_prompting: bool

    @property
    def has_styles(self) -> bool:
        """Whether there is a style beside none."""
        return len(styles_of(self.profile)) > 1

    @property
    def switches(self) -> dict[str, str]:
        """What is either on or off: a press's field, and the setting it turns."""
        return {"file": "as_file"} | ({"beautify": "beautify"} if self.has_prompting else {})


class SettingPress(CallbackData, prefix="set", sep=SEPARATOR):
    """One choice; pressed twice it is still the same choice."""

    field: Literal["language", "ratio", "quality", "style", "beautify", "file", "page", "done"]
    value: str = ""


def routes() -> Router:
    """The presses; the command itself is among the commands."""
    router = Router(name=__name__)
    router.callback_query.register(change, SettingPress.filter())
    return router


async def open_settings(
    message: Message,
    texts: Texts,
    settings: Settings,
    profile: Profile,
    prompting: PromptingSettings | None,
    languages: Languages,
) -> None:
    """Show the settings; they are nobody else's business, so not in a group."""
    if message.chat.type != ChatType.PRIVATE:
        await answer(message, texts("settings-in-private"))
        return
    offer = Offer(profile, languages, has_prompting=prompting is not None)
    await message.answer(
        overview(settings, offer, texts), reply_markup=menu(settings, offer, texts)
    )


async def change(
    _query: CallbackQuery,
    press: Press,
    callback_data: SettingPress,
    people: People,
    profile: Profile,
    prompting: PromptingSettings | None,
    languages: Languages,
) -> None:
    """Take over one choice and show what is in force now."""
    offer = Offer(profile, languages, has_prompting=prompting is not None)
    changes = changed(callback_data, offer)
    user = press.query.from_user
    settings = await people.change(user.id, **changes)
    texts = languages.of(settings.language, user.language_code)
    await press.answer(texts("settings-saved") if changes else None)
    match callback_data:
        case SettingPress(field="done"):
            await press.message.edit_text(texts("settings-done"))
            return
        case SettingPress(field="page", value="style"):
            markup = style_page(settings, offer, texts)
        case _:
            markup = menu(settings, offer, texts)
    await press.message.edit_text(overview(settings, offer, texts), reply_markup=markup)


def changed(press: SettingPress, offer: Offer) -> dict[str, Any]:
    """Translate a press into the settings it changes.

    Raises:
        Stale: there is no such choice (any more).
    """
    value = press.value
    match press.field:
        case "language" if value in {FOLLOW_CLIENT, *offer.languages.names}:
            return {"language": None if value == FOLLOW_CLIENT else value}
        case "ratio" if value in offer.profile.sizes:
            return {"aspect_ratio": value}
        case "quality" if value in offer.profile.qualities:
            return {"quality": value}
        case "style" if value in styles_of(offer.profile):
            return {"style": value}
        case "file" | "beautify" if press.field in offer.switches and value in {"yes", "no"}:
            return {offer.switches[press.field]: value == "yes"}
        case "page" | "done":
            return {}
        case _:
            raise Stale


def overview(settings: Settings, offer: Offer, texts: Texts) -> str:
    """Say what is in force, one line each."""
    quality = settings.quality or offer.profile.default_quality
    language = texts(f"language-{settings.language or FOLLOW_CLIENT}")
    lines = [
        texts("settings-title"),
        "",
        texts("settings-language", language=language),
        texts("settings-ratio", ratio=settings.aspect_ratio),
        texts("settings-quality", quality=texts(f"quality-{quality}")),
    ]
    if offer.has_styles:
        lines.append(_style(settings, texts))
    if offer.has_prompting:
        lines.append(texts("settings-beautify", on=_yes_no(settings.beautify)))
    return "\n".join([*lines, texts("settings-file", on=_yes_no(settings.as_file))])


def menu(settings: Settings, offer: Offer, texts: Texts) -> InlineKeyboardMarkup:
    """Everything that can be chosen, what is chosen ticked."""
    profile = offer.profile
    quality = settings.quality or profile.default_quality
    style = button(_style(settings, texts), SettingPress(field="page", value="style"))
    beautify = button(
        texts("settings-beautify", on=_yes_no(settings.beautify)),
        SettingPress(field="beautify", value=_yes_no(not settings.beautify)),
    )
    rows: list[Row] = [
        *_language_rows(settings, offer.languages, texts),
        [
            choice(
                ratio,
                SettingPress(field="ratio", value=ratio),
                is_chosen=ratio == settings.aspect_ratio,
            )
            for ratio in profile.sizes
        ],
        [
            choice(
                texts(f"quality-{name}"),
                SettingPress(field="quality", value=name),
                is_chosen=name == quality,
            )
            for name in profile.qualities
        ],
        [style] if offer.has_styles else [],
        [beautify] if offer.has_prompting else [],
        [
            button(
                texts("settings-file", on=_yes_no(settings.as_file)),
                SettingPress(field="file", value=_yes_no(not settings.as_file)),
            )
        ],
        [button(texts("button-done"), SettingPress(field="done"))],
    ]
    return keyboard(rows)


def _language_rows(settings: Settings, languages: Languages, texts: Texts) -> list[Row]:
    follow, *named = [
        choice(
            texts(f"language-{name}"),
            SettingPress(field="language", value=name),
            is_chosen=name == (settings.language or FOLLOW_CLIENT),
        )
        for name in (FOLLOW_CLIENT, *languages.names)
    ]
    return [[follow], named]


def style_page(settings: Settings, offer: Offer, texts: Texts) -> InlineKeyboardMarkup:
    """Every style, and the way back."""
    back = button(texts("button-back"), SettingPress(field="page"))
    rows = style_rows(
        styles_of(offer.profile),
        settings.style,
        lambda style: SettingPress(field="style", value=style),
        texts,
    )
    return keyboard([*rows, [back]])


def _style(settings: Settings, texts: Texts) -> str:
    return texts("settings-style", style=texts(f"style-{settings.style}"))


def _yes_no(is_on: bool) -> str:
    return "yes" if is_on else "no"

"""/settings: what is used when a sentence says nothing."""

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
from storage.people import People, Settings

FOLLOW_CLIENT = "auto"


class SettingPress(CallbackData, prefix="set", sep=SEPARATOR):
    """One choice; pressed twice it is still the same choice."""

    field: Literal["language", "ratio", "quality", "style", "file", "page", "done"]
    value: str = ""


def routes() -> Router:
    """The presses; the command itself is among the commands."""
    router = Router(name=__name__)
    router.callback_query.register(change, SettingPress.filter())
    return router


async def open_settings(
    message: Message, texts: Texts, settings: Settings, profile: Profile, languages: Languages
) -> None:
    """Show the settings; they are nobody else's business, so not in a group."""
    if message.chat.type != ChatType.PRIVATE:
        await answer(message, texts("settings-in-private"))
        return
    await message.answer(
        overview(settings, profile, texts),
        reply_markup=menu(settings, profile, languages, texts),
    )


async def change(
    _query: CallbackQuery,
    press: Press,
    callback_data: SettingPress,
    texts: Texts,
    settings: Settings,
    people: People,
    profile: Profile,
    languages: Languages,
) -> None:
    """Take over one choice and show what is in force now."""
    changes = changed(callback_data, profile, languages)
    user = press.query.from_user
    if changes:
        settings = await people.change(user.id, **changes)
        texts = languages.of(settings.language, user.language_code)
        await press.answer(texts("settings-saved"))
    else:
        await press.answer()
    match callback_data:
        case SettingPress(field="done"):
            await press.message.edit_text(texts("settings-done"))
            return
        case SettingPress(field="page", value="style"):
            markup = style_page(settings, profile, texts)
        case _:
            markup = menu(settings, profile, languages, texts)
    await press.message.edit_text(overview(settings, profile, texts), reply_markup=markup)


def changed(press: SettingPress, profile: Profile, languages: Languages) -> dict[str, Any]:
    """Translate a press into the settings it changes.

    Raises:
        Stale: there is no such choice (any more).
    """
    value = press.value
    match press.field:
        case "language" if value in {FOLLOW_CLIENT, *languages.names}:
            return {"language": None if value == FOLLOW_CLIENT else value}
        case "ratio" if value in profile.sizes:
            return {"aspect_ratio": value}
        case "quality" if value in profile.qualities:
            return {"quality": value}
        case "style" if value in styles_of(profile):
            return {"style": value}
        case "file" if value in {"yes", "no"}:
            return {"as_file": value == "yes"}
        case "page" | "done":
            return {}
        case _:
            raise Stale


def overview(settings: Settings, profile: Profile, texts: Texts) -> str:
    """Say what is in force, one line each."""
    quality = settings.quality or profile.default_quality
    language = texts(f"language-{settings.language or FOLLOW_CLIENT}")
    lines = [
        texts("settings-title"),
        "",
        texts("settings-language", language=language),
        texts("settings-ratio", ratio=settings.aspect_ratio),
        texts("settings-quality", quality=texts(f"quality-{quality}")),
    ]
    if _has_styles(profile):
        lines.append(_style(settings, texts))
    return "\n".join([*lines, texts("settings-file", on=_yes_no(settings.as_file))])


def menu(
    settings: Settings, profile: Profile, languages: Languages, texts: Texts
) -> InlineKeyboardMarkup:
    """Everything that can be chosen, what is chosen ticked."""
    quality = settings.quality or profile.default_quality
    style = button(_style(settings, texts), SettingPress(field="page", value="style"))
    other = _yes_no(not settings.as_file)
    rows: list[Row] = [
        *_language_rows(settings, languages, texts),
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
        [style] if _has_styles(profile) else [],
        [
            button(
                texts("settings-file", on=_yes_no(settings.as_file)),
                SettingPress(field="file", value=other),
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


def style_page(settings: Settings, profile: Profile, texts: Texts) -> InlineKeyboardMarkup:
    """Every style, and the way back."""
    back = button(texts("button-back"), SettingPress(field="page"))
    rows = style_rows(
        styles_of(profile),
        settings.style,
        lambda style: SettingPress(field="style", value=style),
        texts,
    )
    return keyboard([*rows, [back]])


def _has_styles(profile: Profile) -> bool:
    return len(styles_of(profile)) > 1


def _style(settings: Settings, texts: Texts) -> str:
    return texts("settings-style", style=texts(f"style-{settings.style}"))


def _yes_no(is_on: bool) -> str:
    return "yes" if is_on else "no"

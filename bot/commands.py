"""What works everywhere: /start, /help, /queue, /cancel, and an answer to anything else."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from aiogram import F, Router
from aiogram.enums import ChatMemberStatus, ChatType, ContentType
from aiogram.filters import Command, CommandStart
from aiogram.fsm.context import FSMContext
from aiogram.types import (
    CallbackQuery,
    ChatMemberUpdated,
    InlineKeyboardMarkup,
    Message,
    TelegramObject,
)

from bot.cards import CardPress, ModeCard
from bot.flows import Flow
from bot.jobs.job import Asker
from bot.jobs.ports import Waiting
from bot.jobs.service import JobService
from bot.keyboards import Row, button, keyboard
from bot.leads import Lead
from bot.presses import Stale
from bot.prompts import shortened
from bot.replies import answer
from bot.settings import open_settings
from bot.talk import bring_talk, is_command
from bot.texts import Texts
from pipelines.profiles import Profile
from pipelines.prompting.settings import PromptingSettings
from storage.jobs import Job
from storage.people import People

GENERAL: Final = ("start", "help", "queue", "settings", "cancel")
"""The commands in here, in the order Telegram lists them, after those of the modes."""

_TITLE_CHARS: Final = 60
_NOT_WORDS: Final = {
    ContentType.ANIMATION,
    ContentType.AUDIO,
    ContentType.CONTACT,
    ContentType.DICE,
    ContentType.DOCUMENT,
    ContentType.LOCATION,
    ContentType.PHOTO,
    ContentType.POLL,
    ContentType.STICKER,
    ContentType.STORY,
    ContentType.VIDEO,
    ContentType.VIDEO_NOTE,
    ContentType.VOICE,
}


def routes(flows: Sequence[Flow]) -> Router:
    """Every command, ahead of every conversation."""
    router = Router(name=__name__)
    router.message.middleware(forget_draft)
    router.message.middleware(bring_talk)
    router.message.register(start, CommandStart())
    router.message.register(explain, Command("help"))
    router.message.register(show_queue, Command("queue"))
    router.message.register(open_settings, Command("settings"))
    router.message.register(cancel, Command("cancel"))
    for flow in flows:
        router.message.register(flow.open, Command(flow.command))
    return router


def last_routes() -> Router:
    """What nothing else took, behind every conversation."""
    router = Router(name=f"{__name__}.last")
    private = F.chat.type == ChatType.PRIVATE
    router.message.register(unknown_command, private, is_command)
    router.message.register(only_words, private, F.content_type.in_(_NOT_WORDS))
    router.message.register(lose_thread, private, F.text)
    router.callback_query.register(stale_press)
    router.my_chat_member.register(note_block, private)
    return router


async def forget_draft(
    handler: Callable[[TelegramObject, dict[str, Any]], Awaitable[Any]],
    event: TelegramObject,
    data: dict[str, Any],
) -> Any:  # noqa: ANN401 - aiogram's own signature
    """Let a command win: whatever conversation was open is over."""
    await data["state"].clear()
    return await handler(event, data)


async def start(
    message: Message,
    texts: Texts,
    profile: Profile,
    prompting: PromptingSettings | None,
    flows: Sequence[Flow],
    leads: Sequence[Lead],
) -> None:
    """Say what this is, what its model can draw, and offer something to begin with."""
    examples = [row for flow in flows for row in flow.examples(texts, profile)]
    world = [_world(texts, profile, prompting), *([texts("start-pictures")] if leads else [])]
    await answer(message, texts("start", world="\n\n".join(world)), keyboard(examples))


async def explain(
    message: Message,
    texts: Texts,
    profile: Profile,
    prompting: PromptingSettings | None,
    flows: Sequence[Flow],
    leads: Sequence[Lead],
) -> None:
    """Say how everything is asked for: from words first, from pictures then."""
    parts = [flow.help(texts, profile) for flow in flows if flow.lead is None]
    if leads:
        from_pictures = [flow.help(texts, profile) for flow in flows if flow.lead]
        parts.append("\n".join([texts("help-pictures"), *from_pictures]))
    parts += [texts("help-more"), _world(texts, profile, prompting)]
    await answer(message, "\n\n".join(parts))


def _world(texts: Texts, profile: Profile, prompting: PromptingSettings | None) -> str:
    """What can be drawn here, and in which languages one may ask for it."""
    return texts(f"world-{profile.knows}", translates="yes" if prompting else "no")


async def cancel(message: Message, texts: Texts, asker: Asker, jobs: JobService) -> None:
    """Stop every job of this person; the conversation is forgotten already."""
    stopped = await jobs.cancel_all(asker.user_id)
    await answer(message, texts("cancel-done", count=stopped))


async def show_queue(
    message: Message,
    texts: Texts,
    asker: Asker,
    jobs: JobService,
    cards: dict[str, ModeCard],
) -> None:
    """List this person's jobs, each with a button to stop it, and how busy it is in all.

    In a group only those asked for there: the others are not the group's business.
    """
    mine = [
        (job, waiting)
        for job, waiting in await jobs.mine(asker.user_id)
        if message.chat.type == ChatType.PRIVATE or job.chat_id == message.chat.id
    ]
    waiting, running = await jobs.totals()
    text, markup = queue(mine, cards, texts)
    totals = texts("queue-totals", waiting=waiting, running=running)
    await answer(message, f"{text}\n\n{totals}", markup)


def queue(
    mine: Sequence[tuple[Job, Waiting | None]], cards: dict[str, ModeCard], texts: Texts
) -> tuple[str, InlineKeyboardMarkup | None]:
    """Write one line and one button per job."""
    if not mine:
        return texts("queue-empty"), None
    lines = [texts("queue-mine")]
    rows: list[Row] = []
    for number, (job, waiting) in enumerate(mine, start=1):
        title = shortened(cards[job.mode].title(job, texts), _TITLE_CHARS)
        label = {"number": str(number), "title": title}
        if waiting is None:
            lines.append(texts("queue-line-running", **label))
        else:
            lines.append(texts("queue-line-waiting", **label, wait_s=waiting.wait_s))
        press = CardPress(action="cancel", job_id=job.id)
        rows.append([button(texts("queue-cancel", number=str(number)), press)])
    return "\n".join(lines), keyboard(rows)


async def unknown_command(message: Message, texts: Texts) -> None:
    """Point to the commands there are."""
    await answer(message, texts("unknown-command"))


async def only_words(
    message: Message, texts: Texts, profile: Profile, leads: Sequence[Lead]
) -> None:
    """Say what can be done instead."""
    example = texts(f"example-{profile.knows}-1")
    pictures = "yes" if leads else "no"
    await answer(message, texts("only-words", example=example, pictures=pictures))


async def lose_thread(message: Message, texts: Texts, state: FSMContext) -> None:
    """End a conversation that nobody here can go on with: its mode was served once."""
    await state.clear()
    await answer(message, texts("thread-lost"))


async def stale_press(_query: CallbackQuery) -> None:
    """Refuse a button nobody knows any more.

    Raises:
        Stale: always.
    """
    raise Stale


async def note_block(event: ChatMemberUpdated, people: People) -> None:
    """Remember that a person blocked the bot, or came back."""
    if event.new_chat_member.status in {ChatMemberStatus.KICKED, ChatMemberStatus.LEFT}:
        await people.mark_blocked(event.from_user.id)
    else:
        await people.unblock(event.from_user.id)

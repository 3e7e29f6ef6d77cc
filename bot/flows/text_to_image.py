"""A sentence becomes a picture: typed freely, after /imagine, or put together by buttons."""

from dataclasses import replace
from typing import Final

from aiogram import F, Router
from aiogram.enums import ChatType, ContentType
from aiogram.filters import CommandObject, StateFilter
from aiogram.fsm.context import FSMContext
from aiogram.fsm.state import State, StatesGroup
from aiogram.types import CallbackQuery, ForceReply, InlineKeyboardMarkup, Message

from bot import drawing
from bot.draft import answers_question
from bot.drawing import DrawDraft, ExamplePress, MenuPress, ResultPress
from bot.flows import Flow
from bot.jobs.job import Asker, Rejected
from bot.jobs.service import JobService
from bot.keyboards import COPIED_MAX_CHARS, copying, keyboard
from bot.options import parse_line
from bot.presses import REPEATABLE, Press, Stale, own_job, pressed_once
from bot.prompts import checked_prompt, utf16_length
from bot.replies import answer, put_away
from bot.texts import Texts
from pipelines.profiles import Profile
from pipelines.requests import TEXT_MAX_CHARS
from storage.jobs import Jobs
from storage.people import Settings

PRIVATE: Final = F.chat.type == ChatType.PRIVATE
WORDS: Final = F.text & ~F.text.startswith("/")


class Draw(StatesGroup):
    """The steps of this conversation."""

    prompt = State()
    menu = State()


def routes() -> Router:
    """The conversation at a glance."""
    router = Router(name=__name__)
    router.message.register(draw_with_draft, Draw.prompt, PRIVATE, WORDS)
    router.message.register(draw_with_draft, Draw.prompt, answers_question, WORDS)
    router.message.register(ask_for_words, Draw.prompt, PRIVATE)
    router.message.register(ask_for_words, Draw.prompt, answers_question)
    router.message.register(draw_with_draft, Draw.menu, PRIVATE, WORDS)
    router.message.register(draw_afresh, StateFilter(None), PRIVATE, WORDS)
    router.callback_query.middleware(pressed_once)
    router.callback_query.register(draw_from_menu, MenuPress.filter(F.field == "draw"))
    router.callback_query.register(close_menu, MenuPress.filter(F.field == "close"))
    router.callback_query.register(change_menu, MenuPress.filter(), flags=REPEATABLE)
    router.callback_query.register(draw_in_quality, ResultPress.filter(F.action == "quality"))
    router.callback_query.register(edit_prompt, ResultPress.filter(F.action == "edit"))
    router.callback_query.register(open_menu, ResultPress.filter(F.action == "options"))
    router.callback_query.register(draw_example, ExamplePress.filter())
    return router


async def open_flow(
    message: Message,
    command: CommandObject,
    state: FSMContext,
    texts: Texts,
    settings: Settings,
    asker: Asker,
    jobs: JobService,
    profile: Profile,
) -> None:
    """Draw what follows /imagine, or what it replies to; without any words ask for them."""
    draft = DrawDraft.fresh(settings, profile)
    line = parse_line(command.args or "", profile)
    if message.content_type != ContentType.TEXT:
        await answer(message, texts("text-to-image-words-alone"))
    if words := line.words or _words_replied_to(message):
        draft = draft.following(line).saying(checked_prompt(words))
        await _draw(message, draft, state, texts, asker, jobs, profile)
    else:
        question = texts("text-to-image-ask", limit=str(TEXT_MAX_CHARS))
        await _ask(message, draft.following(line), question, state, texts)


async def draw_afresh(
    message: Message,
    state: FSMContext,
    texts: Texts,
    settings: Settings,
    asker: Asker,
    jobs: JobService,
    profile: Profile,
) -> None:
    """Take any sentence in a private chat as something to draw, by the user's settings."""
    draft = _told(DrawDraft.fresh(settings, profile), message.text or "", profile)
    await _draw(message, draft, state, texts, asker, jobs, profile)


async def draw_with_draft(
    message: Message,
    state: FSMContext,
    texts: Texts,
    settings: Settings,
    asker: Asker,
    jobs: JobService,
    profile: Profile,
) -> None:
    """Take the sentence that was asked for, with the options chosen before."""
    draft = await DrawDraft.of(state)
    if draft is None or not draft.fits(profile):
        draft = DrawDraft.fresh(settings, profile)
    draft = _told(draft, message.text or "", profile)
    await _draw(message, draft, state, texts, asker, jobs, profile)


async def ask_for_words(
    message: Message, state: FSMContext, texts: Texts, settings: Settings, profile: Profile
) -> None:
    """Repeat that a sentence is what is waited for."""
    draft = await DrawDraft.of(state) or DrawDraft.fresh(settings, profile)
    question = texts("text-to-image-ask", limit=str(TEXT_MAX_CHARS))
    await _ask(message, draft, question, state, texts)


async def draw_in_quality(
    _query: CallbackQuery,
    press: Press,
    callback_data: ResultPress,
    texts: Texts,
    asker: Asker,
    jobs: JobService,
    table: Jobs,
    profile: Profile,
) -> None:
    """Draw the same picture, seed and all, with more or less care."""
    job = await own_job(table, callback_data.job_id, asker.user_id, FLOW.mode)
    quality = next((q for q in profile.qualities if q == callback_data.value), None)
    if quality is None:
        raise Stale
    request = drawing.request_of(job).model_copy(update={"quality": quality})
    asker = replace(asker, reply_to_message_id=job.reply_to_message_id)
    await jobs.submit(asker, FLOW.mode, request)
    await press.answer(texts("toast-drawing"))


async def edit_prompt(
    _query: CallbackQuery,
    press: Press,
    callback_data: ResultPress,
    state: FSMContext,
    texts: Texts,
    asker: Asker,
    table: Jobs,
    profile: Profile,
) -> None:
    """Ask for another sentence; everything else, the seed as well, stays as it was."""
    job = await own_job(table, callback_data.job_id, asker.user_id, FLOW.mode)
    await press.answer()
    request = drawing.request_of(job)
    draft = DrawDraft.again(request, profile).model_copy(update={"seed": request.seed})
    await _ask(press.message, draft, texts("text-to-image-ask-again"), state, texts, press)


async def open_menu(
    _query: CallbackQuery,
    press: Press,
    callback_data: ResultPress,
    state: FSMContext,
    texts: Texts,
    asker: Asker,
    table: Jobs,
    profile: Profile,
) -> None:
    """Offer the options of a picture that was drawn, to be changed and drawn again."""
    job = await own_job(table, callback_data.job_id, asker.user_id, FLOW.mode)
    await press.answer()
    draft = DrawDraft.again(drawing.request_of(job), profile)
    shown = await answer(press.message, texts("menu-title"), drawing.menu(draft, profile, texts))
    place = {"shown_id": shown.message_id, "reply_to": job.reply_to_message_id}
    await draft.model_copy(update=place).keep(state)
    await state.set_state(Draw.menu)


async def change_menu(
    _query: CallbackQuery,
    press: Press,
    callback_data: MenuPress,
    state: FSMContext,
    texts: Texts,
    profile: Profile,
) -> None:
    """Take over one choice, or turn to the styles and back."""
    draft = drawing.chosen(await _pressed_draft(press, state), callback_data, profile)
    if draft is None:
        raise Stale
    await press.answer()
    await draft.keep(state)
    if callback_data.field == "page" and callback_data.value == "style":
        title, markup = texts("menu-style-title"), drawing.style_page(draft, profile, texts)
    else:
        title, markup = texts("menu-title"), drawing.menu(draft, profile, texts)
    await press.message.edit_text(title, reply_markup=markup)


async def draw_from_menu(
    _query: CallbackQuery,
    press: Press,
    state: FSMContext,
    asker: Asker,
    jobs: JobService,
    profile: Profile,
) -> None:
    """Draw what was put together, or what was refused before."""
    draft = await _pressed_draft(press, state)
    if not draft.fits(profile):
        raise Stale
    asker = replace(asker, reply_to_message_id=draft.reply_to)
    await jobs.submit(asker, FLOW.mode, draft.request(profile))
    await state.clear()
    await press.answer()
    await put_away(press.message)


async def close_menu(_query: CallbackQuery, press: Press, state: FSMContext, texts: Texts) -> None:
    """Put the menu away."""
    await _pressed_draft(press, state)
    await state.clear()
    await press.answer(texts("menu-closed"))
    await put_away(press.message)


async def draw_example(
    _query: CallbackQuery,
    press: Press,
    callback_data: ExamplePress,
    texts: Texts,
    settings: Settings,
    asker: Asker,
    jobs: JobService,
    profile: Profile,
) -> None:
    """Draw one of the sentences offered at the start."""
    words = drawing.example(callback_data.number, texts, profile)
    draft = _told(DrawDraft.fresh(settings, profile), words, profile)
    await jobs.submit(asker, FLOW.mode, draft.request(profile))
    await press.answer(texts("toast-drawing"))


def _words_replied_to(message: Message) -> str:
    """What a person wrote in the message that this one replies to."""
    said = message.reply_to_message
    if said is None or said.text is None or said.from_user is None or said.from_user.is_bot:
        return ""
    return said.text


def _told(draft: DrawDraft, text: str, profile: Profile) -> DrawDraft:
    """Add a typed line to a draft.

    Raises:
        Rejected: an option or the sentence cannot be taken; nothing was asked of the queue.
    """
    line = parse_line(text, profile)
    return draft.following(line).saying(checked_prompt(line.words))


async def _draw(
    message: Message,
    draft: DrawDraft,
    state: FSMContext,
    texts: Texts,
    asker: Asker,
    jobs: JobService,
    profile: Profile,
) -> None:
    """Hand the draft to the queue; if it is refused, keep it and offer to try again."""
    try:
        await jobs.submit(asker, FLOW.mode, draft.request(profile))
    except Rejected as refusal:
        words = texts(refusal.code, **refusal.params)
        shown = await answer(message, words, drawing.try_again(texts))
        place = {"shown_id": shown.message_id, "reply_to": asker.reply_to_message_id}
        await draft.model_copy(update=place).keep(state)
        await state.set_state(None)
    else:
        await state.clear()


async def _ask(
    message: Message,
    draft: DrawDraft,
    question: str,
    state: FSMContext,
    texts: Texts,
    press: Press | None = None,
) -> None:
    """Ask for a sentence; in a group, of one person, whose reply is then what we see."""
    markup: ForceReply | InlineKeyboardMarkup | None = _copy_of(draft.prompt, texts)
    if message.chat.type != ChatType.PRIVATE:
        user = press.query.from_user if press else message.from_user
        name = user.first_name if user else ""
        question = texts("ask-in-group", name=name, question=question)
        markup = ForceReply(selective=True)
    asked = await answer(message, question, markup)
    await draft.model_copy(update={"shown_id": asked.message_id}).keep(state)
    await state.set_state(Draw.prompt)


def _copy_of(prompt: str, texts: Texts) -> InlineKeyboardMarkup | None:
    """A button that copies the old words, to be changed; long ones no button can hold."""
    if not 1 <= utf16_length(prompt) <= COPIED_MAX_CHARS:
        return None
    return keyboard([[copying(texts("button-copy"), prompt)]])


async def _pressed_draft(press: Press, state: FSMContext) -> DrawDraft:
    """Find the draft a menu belongs to.

    Raises:
        Stale: it was closed, or replaced by another, or is somebody else's.
    """
    draft = await DrawDraft.of(state)
    if draft is None or draft.shown_id != press.message.message_id:
        raise Stale
    return draft


FLOW: Final = Flow(
    mode="text_to_image",
    command="imagine",
    open=open_flow,
    routes=routes,
    card=drawing.card,
    help=drawing.help_lines,
    examples=drawing.examples,
)

"""The conversation of every mode that starts from pictures.

Whatever comes, a picture, words or a press, is put into the draft; then the draft says what it
still lacks, which is asked for, or it is drawn. What cannot be taken is said together with the
question, so that nothing gathered before is lost.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Generic, Literal, TypeVar

from aiogram import F, Router
from aiogram.enums import ChatType
from aiogram.filters.callback_data import CallbackData
from aiogram.fsm.state import State
from aiogram.types import CallbackQuery, ForceReply, InlineKeyboardMarkup, Message

from bot.draft import answers_question
from bot.jobs.job import PictureGone, Rejected
from bot.keyboards import SEPARATOR, Row, button, keyboard
from bot.leads import LeadPress
from bot.offering import led
from bot.options import parse_line
from bot.picture_draft import PictureDraft, Question
from bot.presses import Press, Stale, pressed_once
from bot.replies import put_away, put_away_shown
from bot.talk import Talk, bring_talk, is_no_command, shows_picture
from bot.texts import Texts
from bot.uploads import TooManyPictures, Upload
from pipelines.contracts import Request
from storage.jobs import Job

DraftT = TypeVar("DraftT", bound=PictureDraft)


class GatherPress(CallbackData, prefix="gather", sep=SEPARATOR):
    """A press under what a conversation asked: draw it, or forget it."""

    mode: str
    action: Literal["draw", "close"]


def draw_and_close(mode: str, texts: Texts) -> Row:
    """Buttons to end the conversation with, one way or the other."""
    return [
        button(texts("button-draw"), GatherPress(mode=mode, action="draw")),
        *close(mode, texts),
    ]


def close(mode: str, texts: Texts) -> Row:
    """One button that forgets the draft."""
    return [button(texts("button-close"), GatherPress(mode=mode, action="close"))]


class Gathering(Generic[DraftT]):
    """One mode's conversation, until its draft is complete.

    Args:
        draft: what it gathers.
        step: its state while it waits for something.
    """

    def __init__(self, draft: type[DraftT], step: State) -> None:
        self._draft = draft
        self._step = step

    def routes(self, name: str) -> Router:
        """Build a router of all that these conversations do alike."""
        mode, router = self._draft.mode, Router(name=name)
        router.message.middleware(bring_talk)
        router.callback_query.middleware(pressed_once)
        router.callback_query.middleware(bring_talk)
        private = F.chat.type == ChatType.PRIVATE
        router.message.register(self.take, self._step, private, is_no_command)
        router.message.register(self.take, self._step, answers_question, is_no_command)
        presses, of_mode = router.callback_query, F.mode == mode
        presses.register(self.follow_lead, LeadPress.filter(of_mode))
        presses.register(self.draw_pressed, GatherPress.filter(of_mode & (F.action == "draw")))
        presses.register(self.close, GatherPress.filter(of_mode & (F.action == "close")))
        return router

    async def open(self, talk: Talk, said: str) -> None:
        """Begin with a line of words and options, and the pictures sent along or replied to."""
        draft = self._draft.fresh(talk.settings, talk.profile)
        await self._gather(talk, draft, said, is_opening=True)

    async def begin(self, talk: Talk, draft: DraftT, said: str) -> None:
        """Begin with pictures that are there already, and what is said of them."""
        await self._gather(talk, draft, said, is_opening=False)

    async def follow_lead(
        self, _query: CallbackQuery, talk: Talk, callback_data: LeadPress
    ) -> None:
        """Begin with a picture that is there, by the button under it.

        Raises:
            Rejected: the button is out of date, or what it is about cannot be used.
        """
        begun = await led(talk, callback_data)
        draft = self._draft.fresh(talk.settings, talk.profile)
        if len(begun.pictures) > draft.limit(talk.profile):
            raise Stale
        draft = draft.adding(begun.pictures, talk.profile)
        await self.go_on(talk, draft.model_copy(update={"reply_to": begun.reply_to}))
        if begun.is_done_with:
            await put_away(talk.message)

    async def take(self, _message: Message, talk: Talk) -> None:
        """Take what was waited for, or say what cannot be taken."""
        draft = await self._kept(talk) or self._draft.fresh(talk.settings, talk.profile)
        await self._gather(talk, draft, talk.said, is_opening=False)

    async def draw_pressed(self, _query: CallbackQuery, talk: Talk) -> None:
        """Draw what was put together, or what was refused before."""
        draft = await self.pressed(talk)
        if not draft.is_complete:
            raise Stale
        await self.draw(talk, draft)
        await put_away(talk.message)

    async def close(self, _query: CallbackQuery, talk: Talk) -> None:
        """Forget the draft."""
        await self.pressed(talk)
        await talk.state.clear()
        await _answer(talk.press, talk.texts("menu-closed"))
        await put_away(talk.message)

    async def pressed(self, talk: Talk) -> DraftT:
        """Find the draft that the pressed message belongs to.

        Raises:
            Stale: it was closed, or replaced by another, or is somebody else's; or the profile
                does not have any more what was chosen.
        """
        draft = await self._kept(talk)
        if draft is None or draft.shown_id != talk.message.message_id:
            raise Stale
        return draft

    async def go_on(self, talk: Talk, draft: DraftT, notes: Sequence[str] = ()) -> None:
        """Ask for what is lacking, or draw.

        Args:
            talk: whom to answer.
            draft: as far as it is.
            notes: what there is to say beside that.
        """
        question = draft.question(talk.profile, talk.texts)
        if question is not None:
            await self.ask(talk, draft, question, notes)
            return
        if notes:
            await talk.say("\n".join(notes))
        await self.draw(talk, draft)

    async def ask(
        self, talk: Talk, draft: DraftT, question: Question, notes: Sequence[str] = ()
    ) -> None:
        """Ask; in a group, of one person, whose reply is then what we see."""
        await _answer(talk.press)
        text = "\n".join([*notes, question.text])
        markup: InlineKeyboardMarkup | ForceReply = keyboard(question.rows)
        if not (talk.is_private or question.is_menu):
            text = talk.texts("ask-in-group", name=talk.user.first_name, question=text)
            markup = ForceReply(selective=True)
        asked = await talk.say(text, markup)
        if talk.press is None:  # the question before this one has had its time
            await put_away_shown(talk.message, draft.shown_id)
        await self._keep(talk, draft, asked)
        await talk.state.set_state(self._step)

    async def show_anew(self, talk: Talk, draft: DraftT) -> None:
        """Let the menu that was pressed show what has changed in its draft."""
        question = draft.question(talk.profile, talk.texts)
        if question is None:
            raise Stale
        await _answer(talk.press)
        await draft.keep(talk.state)
        await talk.message.edit_text(question.text, reply_markup=keyboard(question.rows))

    async def draw(self, talk: Talk, draft: DraftT) -> None:
        """Hand the draft to the queue; if it is refused, keep it and offer to try again.

        Raises:
            Rejected: a press was refused; all is as it was, and it can be pressed again.
        """
        asker = replace(talk.asker, reply_to_message_id=_reply_to(talk, draft))
        request = draft.request(talk.profile)
        try:
            await talk.jobs.submit(asker, draft.mode, request, draft.parent_id)
        except PictureGone as refusal:
            await self._gather_anew(talk, draft, refusal)
        except Rejected as refusal:
            if talk.press is not None:
                raise
            await self._offer_again(talk, draft, refusal)
        else:
            await self._end(talk, draft)

    async def _gather(self, talk: Talk, draft: DraftT, said: str, *, is_opening: bool) -> None:
        """Put into the draft what can be taken, and go on, or say what cannot."""
        notes: list[str] = []
        refusals: list[Rejected] = []
        was_open = await self._is_open(talk)
        try:
            uploads = await _pictures(talk, draft, is_opening=is_opening)
            if uploads and not is_opening:  # that took a while: a press may have come in between
                draft = await self._kept(talk) or draft
            draft = draft.adding(uploads, talk.profile)
            if any(upload.is_first_frame for upload in uploads):
                notes.append(talk.texts("first-frame-alone"))
        except Rejected as refusal:
            refusals.append(refusal)
        if was_open and not await self._is_open(talk):
            return  # closed or drawn while the picture was on its way: nothing begins again
        try:
            line = parse_line(said, talk.profile, draft.options, draft.steps)
            draft = draft.following(line, talk.profile)
            if line.words and not draft.takes_words:
                notes.append(talk.texts("only-pictures-count"))
        except Rejected as refusal:
            refusals.append(refusal)
        if refusals:
            notes += [_said(refusal, talk.texts) for refusal in refusals]
            complete = Question(
                talk.texts("gather-complete"),
                [draw_and_close(draft.mode, talk.texts)],
                is_menu=True,
            )
            question = draft.question(talk.profile, talk.texts) or complete
            await self.ask(talk, draft, question, notes)
        else:
            await self.go_on(talk, draft, notes)

    async def _gather_anew(self, talk: Talk, draft: DraftT, refusal: PictureGone) -> None:
        """Keep everything but the pictures, and ask for these again."""
        draft = draft.model_copy(update={"pictures": (), "natural": None})
        await self.go_on(talk, draft, [_said(refusal, talk.texts)])

    async def _offer_again(self, talk: Talk, draft: DraftT, refusal: Rejected) -> None:
        again = GatherPress(mode=draft.mode, action="draw")
        markup = keyboard([[button(talk.texts("button-try-again"), again)]])
        shown = await talk.say(_said(refusal, talk.texts), markup)
        await self._keep(talk, draft, shown)
        await talk.state.set_state(None)
        await put_away_shown(talk.message, draft.shown_id)

    async def _end(self, talk: Talk, draft: DraftT) -> None:
        """Forget what is drawn now; a press may be below another draft's picture."""
        if talk.press is None:
            await talk.state.clear()
            await put_away_shown(talk.message, draft.shown_id)
            return
        await _answer(talk.press, talk.texts("toast-drawing"))
        if (await talk.state.get_data()).get("shown_id") == talk.message.message_id:
            await talk.state.clear()

    async def _is_open(self, talk: Talk) -> bool:
        return await talk.state.get_state() == self._step.state

    async def _kept(self, talk: Talk) -> DraftT | None:
        """Find the draft, if there is one and the profile still has what was chosen."""
        draft = await self._draft.of(talk.state)
        return draft if draft is not None and draft.fits(talk.profile) else None

    async def _keep(self, talk: Talk, draft: DraftT, shown: Message) -> None:
        """Let the draft belong to this message, and answer whoever said the last word."""
        place = {"shown_id": shown.message_id, "reply_to": _reply_to(talk, draft)}
        await draft.model_copy(update=place).keep(talk.state)


async def draw_again(talk: Talk, job: Job, request: Request) -> None:
    """Draw a result's request once more, changed, from the same pictures.

    Raises:
        Rejected: the queue refused, or a picture is not kept any more.
    """
    asker = replace(talk.asker, reply_to_message_id=job.reply_to_message_id)
    await talk.jobs.submit(asker, job.mode, request, job.parent_id)
    await _answer(talk.press, talk.texts("toast-drawing"))


async def _pictures(talk: Talk, draft: PictureDraft, *, is_opening: bool) -> list[Upload]:
    """Take the pictures that came with a message, or that it replies to.

    Only what begins a conversation has to reply to a picture, if it replies to anything.

    Raises:
        Rejected: what came is no picture, or one that cannot be used.
    """
    if talk.message.text is not None and not (is_opening or shows_picture(talk.message)):
        return []
    room, limit = draft.room(talk.profile), draft.limit(talk.profile)
    if not room:
        raise TooManyPictures(count=limit + len(talk.album), limit=limit)
    return await talk.pictures(room)


def _reply_to(talk: Talk, draft: PictureDraft) -> int | None:
    return draft.reply_to if talk.press else talk.asker.reply_to_message_id


async def _answer(press: Press | None, toast: str | None = None) -> None:
    if press is not None:
        await press.answer(toast)


def _said(refusal: Rejected, texts: Texts) -> str:
    return texts(refusal.code, **refusal.params)

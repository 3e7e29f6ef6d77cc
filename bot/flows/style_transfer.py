"""A picture keeps its shapes and changes its style: said, chosen, or shown by a second picture."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final, Literal, get_args

from aiogram import F, Router
from aiogram.filters import CommandObject
from aiogram.filters.callback_data import CallbackData
from aiogram.fsm.state import State, StatesGroup
from aiogram.types import CallbackQuery, Message

from bot.captions import how_made, in_style, left_out
from bot.cards import ModeCard
from bot.flows import Flow
from bot.gathering import Gathering, close, draw_again
from bot.keyboards import SEPARATOR, Row, button, choice, keyboard, style_rows
from bot.leads import Lead
from bot.options import styles_of
from bot.picture_draft import Question, WordedPictureDraft
from bot.presses import REPEATABLE, Press, Stale, own_job
from bot.replies import put_away
from bot.talk import Talk
from bot.texts import Texts
from pipelines.profiles import Profile
from pipelines.style_transfer import Hold, StyleTransferRequest
from pipelines.styles import NO_STYLE
from storage.jobs import Job

HOLDS: Final[tuple[Hold, ...]] = get_args(Hold)


class Restyle(StatesGroup):
    """The steps of this conversation."""

    asked = State()


class RestyleDraft(WordedPictureDraft):
    """The picture whose shapes are kept, how strictly, and the style: in words, named or shown."""

    mode: ClassVar[str] = "style_transfer"
    pictures_max: ClassVar[int] = 2
    steps: ClassVar[Mapping[str, Sequence[str]]] = {"hold": HOLDS}

    hold: Hold = "normal"

    def limit(self, profile: Profile) -> int:
        """Only where pictures can be prompts, a second one can show the style."""
        return self.pictures_max if _shows_styles(profile) else 1

    @property
    def is_complete(self) -> bool:
        """Whether there are shapes and a style."""
        has_style = bool(self.prompt) or self.style != NO_STYLE or len(self.pictures) > 1
        return bool(self.pictures) and has_style

    def question(self, profile: Profile, texts: Texts) -> Question | None:
        """Ask for the picture, then for the style and how strictly the shapes are kept."""
        if self.is_complete:
            return None
        if not self.pictures:
            return Question(texts("style-transfer-ask-picture"), [close(self.mode, texts)])
        lines = [
            texts("style-transfer-ask-style", shown="yes" if _shows_styles(profile) else "no"),
            texts("style-transfer-ask-hold"),
        ]
        styles = button(texts("button-choose-style"), RestylePress(field="page", value="style"))
        holds = [
            choice(
                texts(f"hold-{hold}"),
                RestylePress(field="hold", value=hold),
                is_chosen=hold == self.hold,
            )
            for hold in HOLDS
        ]
        has_styles = len(styles_of(profile)) > 1
        rows: list[Row] = [holds, [styles] if has_styles else [], close(self.mode, texts)]
        return Question("\n".join(lines), rows, is_menu=True)

    def request(self, profile: Profile) -> StyleTransferRequest:
        """Complete the draft into what the engine takes."""
        return StyleTransferRequest(
            **self.drawing(profile), **self.wording_fields(), hold=self.hold
        )


class RestylePress(CallbackData, prefix="restyle", sep=SEPARATOR):
    """A press under the question for the style."""

    field: Literal["hold", "style", "page"]
    value: str = ""


class HeldPress(CallbackData, prefix="held", sep=SEPARATOR):
    """A press under a result: draw it with the shapes kept more or less strictly."""

    job_id: int
    hold: Hold


_GATHERING: Final = Gathering(RestyleDraft, Restyle.asked)


def routes() -> Router:
    """The conversation at a glance; the rest of it is every picture mode's."""
    router = _GATHERING.routes(__name__)
    presses = router.callback_query
    presses.register(hold, RestylePress.filter(F.field == "hold"), flags=REPEATABLE)
    presses.register(turn_page, RestylePress.filter(F.field == "page"), flags=REPEATABLE)
    presses.register(draw_in_style, RestylePress.filter(F.field == "style"))
    presses.register(draw_held, HeldPress.filter())
    return router


async def open_flow(_message: Message, command: CommandObject, talk: Talk) -> None:
    """Take the words, and the pictures sent along or replied to; ask for what is missing."""
    await _GATHERING.open(talk, command.args or "")


async def hold(_query: CallbackQuery, talk: Talk, callback_data: RestylePress) -> None:
    """Choose how strictly the shapes are kept."""
    draft = await _GATHERING.pressed(talk)
    if callback_data.value not in HOLDS:
        raise Stale
    changed = draft.model_copy(update={"hold": callback_data.value})
    await _GATHERING.show_anew(talk, changed)


async def turn_page(
    _query: CallbackQuery, talk: Talk, press: Press, callback_data: RestylePress
) -> None:
    """Turn to the styles, and back."""
    draft = await _GATHERING.pressed(talk)
    if callback_data.value != "style":
        await _GATHERING.show_anew(talk, draft)
        return
    await press.answer()
    rows = style_rows(
        [style for style in styles_of(talk.profile) if style != NO_STYLE],
        draft.style,
        lambda style: RestylePress(field="style", value=style),
        talk.texts,
    )
    back = [button(talk.texts("button-back"), RestylePress(field="page"))]
    await talk.message.edit_text(
        talk.texts("style-transfer-choose"), reply_markup=keyboard([*rows, back])
    )


async def draw_in_style(_query: CallbackQuery, talk: Talk, callback_data: RestylePress) -> None:
    """Draw in one of the styles."""
    draft = await _GATHERING.pressed(talk)
    if callback_data.value not in styles_of(talk.profile):
        raise Stale
    chosen = draft.model_copy(update={"style": callback_data.value})
    if not chosen.is_complete:
        raise Stale
    await _GATHERING.draw(talk, chosen)
    await put_away(talk.message)


async def draw_held(_query: CallbackQuery, talk: Talk, callback_data: HeldPress) -> None:
    """Draw from the same seed, with the shapes kept more or less strictly."""
    job = await own_job(talk.table, callback_data.job_id, talk.asker.user_id, FLOW.mode)
    await draw_again(talk, job, request_of(job).model_copy(update={"hold": callback_data.hold}))


def _shows_styles(profile: Profile) -> bool:
    return profile.image_prompts is not None


def request_of(job: Job) -> StyleTransferRequest:
    """Read what a job was asked for."""
    return StyleTransferRequest.model_validate_json(job.request)


def card(_profile: Profile) -> ModeCard:
    """What this mode's cards say."""
    return ModeCard(
        title=_title, details=_details, rows=_rows, drawn=lambda job: request_of(job).drawn
    )


def _title(job: Job, texts: Texts) -> str:
    """Show the words, or say what is done where there were none."""
    request = request_of(job)
    shown = "yes" if len(request.images) > 1 else "no"
    return request.prompt or texts("style-transfer-title", shown=shown)


def _details(job: Job, texts: Texts) -> str:
    request = request_of(job)
    held = texts("style-transfer-how", hold=texts(f"hold-{request.hold}"))
    lines = [
        how_made(job, request, held, texts),
        *in_style(request.style, texts),
        *left_out(request, texts),
    ]
    return "\n".join(lines)


def _rows(job: Job, texts: Texts) -> list[Row]:
    drawn = request_of(job).hold
    return [
        [
            button(
                texts("button-hold", hold=texts(f"hold-{hold}")),
                HeldPress(job_id=job.id, hold=hold),
            )
            for hold in HOLDS
            if hold != drawn
        ]
    ]


def help_lines(texts: Texts, profile: Profile) -> str:
    """How to ask for it."""
    shown = "yes" if _shows_styles(profile) else "no"
    return texts("style-transfer-help", holds=" | ".join(HOLDS), shown=shown)


FLOW: Final = Flow(
    mode="style_transfer",
    command="restyle",
    open=open_flow,
    routes=routes,
    card=card,
    help=help_lines,
    lead=Lead("style_transfer", label="style-transfer-lead", offer="style-transfer-offer"),
)

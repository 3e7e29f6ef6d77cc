"""One picture becomes others like it: sent along, replied to, or taken on by a button."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final, Literal, get_args

from aiogram import F, Router
from aiogram.filters import CommandObject
from aiogram.filters.callback_data import CallbackData
from aiogram.fsm.state import State, StatesGroup
from aiogram.types import CallbackQuery, Message

from bot.captions import how_made
from bot.cards import ModeCard
from bot.flows import Flow
from bot.gathering import Gathering, close, draw_again
from bot.keyboards import SEPARATOR, Row, button
from bot.leads import Lead
from bot.picture_draft import PictureDraft, Question, new_seed
from bot.presses import own_job
from bot.talk import Talk
from bot.texts import Texts
from pipelines.image_variations import ImageVariationsRequest, Likeness
from pipelines.profiles import Profile
from pipelines.requests import PICTURES_MAX
from storage.jobs import Job

LIKENESSES: Final[tuple[Likeness, ...]] = get_args(Likeness)


class Vary(StatesGroup):
    """The steps of this conversation."""

    picture = State()


class VariationsDraft(PictureDraft):
    """A picture, and how like it the others shall be."""

    mode: ClassVar[str] = "image_variations"
    pictures_max: ClassVar[int] = 1
    steps: ClassVar[Mapping[str, Sequence[str]]] = {"likeness": LIKENESSES}

    likeness: Likeness = "normal"

    @property
    def is_complete(self) -> bool:
        """Whether there is a picture."""
        return bool(self.pictures)

    def question(self, profile: Profile, texts: Texts) -> Question | None:  # noqa: ARG002
        """Ask for the picture; nothing else is needed."""
        if self.is_complete:
            return None
        return Question(texts("image-variations-ask"), [close(self.mode, texts)])

    def request(self, profile: Profile) -> ImageVariationsRequest:
        """Complete the draft into what the engine takes."""
        return ImageVariationsRequest(**self.drawing(profile), likeness=self.likeness)


class VariationsPress(CallbackData, prefix="vary", sep=SEPARATOR):
    """A press under a result that only this mode has."""

    action: Literal["likeness", "more"]
    job_id: int
    likeness: Likeness = "normal"


_GATHERING: Final = Gathering(VariationsDraft, Vary.picture)


def routes() -> Router:
    """The conversation at a glance; the rest of it is every picture mode's."""
    router = _GATHERING.routes(__name__)
    presses = router.callback_query
    presses.register(draw_likened, VariationsPress.filter(F.action == "likeness"))
    presses.register(draw_more, VariationsPress.filter(F.action == "more"))
    return router


async def open_flow(_message: Message, command: CommandObject, talk: Talk) -> None:
    """Draw variations of the picture sent along or replied to; without one ask for it."""
    await _GATHERING.open(talk, command.args or "")


async def draw_likened(_query: CallbackQuery, talk: Talk, callback_data: VariationsPress) -> None:
    """Draw from the same seed, more or less like the picture."""
    job = await own_job(talk.table, callback_data.job_id, talk.asker.user_id, FLOW.mode)
    changes = {"likeness": callback_data.likeness}
    await draw_again(talk, job, request_of(job).model_copy(update=changes))


async def draw_more(_query: CallbackQuery, talk: Talk, callback_data: VariationsPress) -> None:
    """Draw as many more as can be drawn at once."""
    job = await own_job(talk.table, callback_data.job_id, talk.asker.user_id, FLOW.mode)
    changes = {"n": PICTURES_MAX, "seed": new_seed()}
    await draw_again(talk, job, request_of(job).model_copy(update=changes))


def request_of(job: Job) -> ImageVariationsRequest:
    """Read what a job was asked for."""
    return ImageVariationsRequest.model_validate_json(job.request)


def card(_profile: Profile) -> ModeCard:
    """What this mode's cards say."""
    return ModeCard(
        title=lambda _job, texts: texts("image-variations-title"), details=_details, rows=_rows
    )


def _details(job: Job, texts: Texts) -> str:
    request = request_of(job)
    likeness = texts(f"likeness-{request.likeness}")
    return how_made(job, request, texts("image-variations-how", likeness=likeness), texts)


def _rows(job: Job, texts: Texts) -> list[Row]:
    drawn = request_of(job).likeness
    others = [
        button(
            texts("button-likeness", likeness=texts(f"likeness-{likeness}")),
            VariationsPress(action="likeness", job_id=job.id, likeness=likeness),
        )
        for likeness in LIKENESSES
        if likeness != drawn
    ]
    more = button(texts("button-four-more"), VariationsPress(action="more", job_id=job.id))
    return [[*others, more]]


def help_lines(texts: Texts, _profile: Profile) -> str:
    """How to ask for variations."""
    return texts("image-variations-help", likenesses=" | ".join(LIKENESSES))


FLOW: Final = Flow(
    mode="image_variations",
    command="variations",
    open=open_flow,
    routes=routes,
    card=card,
    help=help_lines,
    lead=Lead("image_variations", label="image-variations-lead", offer="image-variations-offer"),
)

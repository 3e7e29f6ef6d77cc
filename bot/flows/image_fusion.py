"""Two to four pictures become one: gathered one by one or as an album, then weighed by buttons."""

from typing import ClassVar, Final, Literal, Self

from aiogram import F, Router
from aiogram.filters import CommandObject
from aiogram.filters.callback_data import CallbackData
from aiogram.fsm.state import State, StatesGroup
from aiogram.types import CallbackQuery, Message

from bot.captions import how_made
from bot.cards import ModeCard
from bot.flows import Flow
from bot.gathering import Gathering, close, draw_and_close
from bot.keyboards import SEPARATOR, Row, button
from bot.leads import Lead
from bot.picture_draft import HeldPicture, PictureDraft, Question, ratio_of
from bot.presses import REPEATABLE, Press, Stale, own_job
from bot.talk import Talk
from bot.texts import Texts
from pipelines.image_fusion import ImageFusionRequest
from pipelines.profiles import Profile
from pipelines.requests import FUSED_MAX
from storage.jobs import Job

FUSED_MIN: Final = 2
WEIGHT_MAX: Final = 5
WEIGHT_USUAL: Final = 3


class Fuse(StatesGroup):
    """The steps of this conversation."""

    pictures = State()


class FusionDraft(PictureDraft):
    """Pictures and what each weighs.

    Attributes:
        weights: whole numbers from 1 to :data:`WEIGHT_MAX`, of as many pictures as were weighed;
            the others weigh :data:`WEIGHT_USUAL`.
    """

    mode: ClassVar[str] = "image_fusion"
    pictures_max: ClassVar[int] = FUSED_MAX

    weights: tuple[int, ...] = ()

    @classmethod
    def again(cls, job: Job, profile: Profile) -> Self:
        """Start from a fusion that was drawn; the seed is left open."""
        request = request_of(job)
        return cls(
            pictures=tuple(
                HeldPicture(key=image.key, parent_id=job.parent_id) for image in request.images
            ),
            weights=tuple(round(weight) for weight in request.weights),
            ratio=ratio_of(request, profile),
            n=request.n,
            reply_to=job.reply_to_message_id,
        )

    @property
    def every_weight(self) -> tuple[int, ...]:
        """One for each picture."""
        usual = (WEIGHT_USUAL,) * len(self.pictures)
        return (*self.weights, *usual)[: len(self.pictures)]

    def weighing(self, index: int, change: int) -> Self | None:
        """Let a picture weigh more or less; ``None`` where there is no such picture or weight."""
        weights = list(self.every_weight)
        if not 0 <= index < len(weights) or not 1 <= weights[index] + change <= WEIGHT_MAX:
            return None
        weights[index] += change
        return self.model_copy(update={"weights": tuple(weights)})

    @property
    def is_complete(self) -> bool:
        """Whether there are enough pictures."""
        return len(self.pictures) >= FUSED_MIN

    def question(self, profile: Profile, texts: Texts) -> Question:
        """Ask for pictures until there are two; from then on it is a menu."""
        count = len(self.pictures)
        if not self.is_complete:
            text = texts("image-fusion-ask", count=count, limit=str(FUSED_MAX))
            return Question(text, [close(self.mode, texts)])
        lines = [texts("image-fusion-menu", count=count)]
        if room := self.room(profile):
            lines.append(texts("image-fusion-more", room=str(room)))
        rows: list[Row] = [
            _weight_row(index, weight) for index, weight in enumerate(self.every_weight)
        ]
        rows.append(draw_and_close(self.mode, texts))
        return Question("\n".join(lines), rows, is_menu=True)

    def request(self, profile: Profile) -> ImageFusionRequest:
        """Complete the draft into what the engine takes."""
        weights = tuple(float(weight) for weight in self.every_weight)
        return ImageFusionRequest(**self.drawing(profile), weights=weights)


class WeightPress(CallbackData, prefix="weight", sep=SEPARATOR):
    """A press in the menu: let the picture weigh more or less, or tell its part of all."""

    action: Literal["less", "share", "more"]
    index: int


class FusionPress(CallbackData, prefix="fuse", sep=SEPARATOR):
    """A press under a result that only this mode has."""

    action: Literal["weights"]
    job_id: int


_GATHERING: Final = Gathering(FusionDraft, Fuse.pictures)
_CHANGES: Final = {"less": -1, "more": 1}


def routes() -> Router:
    """The conversation at a glance; the rest of it is every picture mode's."""
    router = _GATHERING.routes(__name__)
    presses = router.callback_query
    presses.register(tell_share, WeightPress.filter(F.action == "share"), flags=REPEATABLE)
    presses.register(weigh, WeightPress.filter(), flags=REPEATABLE)
    presses.register(open_menu, FusionPress.filter())
    return router


async def open_flow(_message: Message, command: CommandObject, talk: Talk) -> None:
    """Take the pictures sent along or replied to, and ask for what is missing."""
    await _GATHERING.open(talk, command.args or "")


async def weigh(_query: CallbackQuery, talk: Talk, callback_data: WeightPress) -> None:
    """Change a picture's weight by one step; at the end of the steps nothing happens."""
    draft = await _GATHERING.pressed(talk)
    changed = draft.weighing(callback_data.index, _CHANGES[callback_data.action])
    await _GATHERING.show_anew(talk, changed or draft)


async def tell_share(
    _query: CallbackQuery, talk: Talk, press: Press, callback_data: WeightPress
) -> None:
    """Tell how much of the whole a picture is."""
    weights = (await _GATHERING.pressed(talk)).every_weight
    index = callback_data.index
    if not 0 <= index < len(weights):
        raise Stale
    percent = str(round(100 * weights[index] / sum(weights)))
    await press.answer(talk.texts("image-fusion-share", number=str(index + 1), percent=percent))


async def open_menu(_query: CallbackQuery, talk: Talk, callback_data: FusionPress) -> None:
    """Offer the weights of a fusion that was drawn, to be changed and drawn again."""
    job = await own_job(talk.table, callback_data.job_id, talk.asker.user_id, FLOW.mode)
    await _GATHERING.go_on(talk, FusionDraft.again(job, talk.profile))


def _weight_row(index: int, weight: int) -> Row:
    bar = "▰" * weight + "▱" * (WEIGHT_MAX - weight)
    return [
        button("−", WeightPress(action="less", index=index)),
        button(f"{index + 1} {bar}", WeightPress(action="share", index=index)),
        button("+", WeightPress(action="more", index=index)),
    ]


def request_of(job: Job) -> ImageFusionRequest:
    """Read what a job was asked for."""
    return ImageFusionRequest.model_validate_json(job.request)


def card(_profile: Profile) -> ModeCard:
    """What this mode's cards say."""
    return ModeCard(title=_title, details=_details, rows=_rows)


def _title(job: Job, texts: Texts) -> str:
    return texts("image-fusion-title", count=len(request_of(job).images))


def _details(job: Job, texts: Texts) -> str:
    request = request_of(job)
    weights = " : ".join(f"{weight:g}" for weight in request.weights)
    return how_made(job, request, texts("image-fusion-how", weights=weights), texts)


def _rows(job: Job, texts: Texts) -> list[Row]:
    return [[button(texts("button-weights"), FusionPress(action="weights", job_id=job.id))]]


def help_lines(texts: Texts, _profile: Profile) -> str:
    """How to ask for a fusion."""
    return texts("image-fusion-help")


FLOW: Final = Flow(
    mode="image_fusion",
    command="fuse",
    open=open_flow,
    routes=routes,
    card=card,
    help=help_lines,
    lead=Lead(
        "image_fusion",
        label="image-fusion-lead",
        offer="image-fusion-offer",
        pictures_max=FUSED_MAX,
    ),
)

"""Pictures and a sentence become one: a photo with a caption, /mix, or words said of a picture."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final, Literal, Self, get_args

from aiogram import F, Router
from aiogram.enums import ChatType
from aiogram.filters import CommandObject, StateFilter
from aiogram.filters.callback_data import CallbackData
from aiogram.fsm.state import State, StatesGroup
from aiogram.types import CallbackQuery, Message

from bot.captions import how_made, in_style, left_out
from bot.cards import ModeCard
from bot.flows import Flow
from bot.gathering import Gathering, close, draw_again
from bot.keyboards import COPIED_MAX_CHARS, SEPARATOR, Row, button, copying
from bot.leads import Lead
from bot.offering import OfferDraft, Offered
from bot.options import styles_of
from bot.picture_draft import HeldPicture, Question, WordedPictureDraft, ratio_of
from bot.presses import own_job
from bot.prompts import utf16_length
from bot.replies import put_away_shown
from bot.talk import Talk, caption_of, is_no_command, shows_picture
from bot.texts import Texts
from bot.uploads import has_picture
from pipelines.profiles import Profile
from pipelines.requests import FUSED_MAX, TEXT_MAX_CHARS
from pipelines.styles import NO_STYLE
from pipelines.text_image_fusion import Balance, TextImageFusionRequest
from storage.jobs import Job
from storage.people import Settings

BALANCES: Final[tuple[Balance, ...]] = get_args(Balance)
PRIVATE: Final = F.chat.type == ChatType.PRIVATE


class Mix(StatesGroup):
    """The steps of this conversation."""

    asked = State()


class MixDraft(WordedPictureDraft):
    """Pictures, words, and which of the two weigh more.

    Attributes:
        old: the words of the picture that this is to be another of, offered to be copied.
    """

    mode: ClassVar[str] = "text_image_fusion"
    pictures_max: ClassVar[int] = FUSED_MAX
    steps: ClassVar[Mapping[str, Sequence[str]]] = {"balance": BALANCES}

    balance: Balance = "even"
    old: str = ""

    @classmethod
    def fresh(cls, settings: Settings, profile: Profile) -> Self:
        """Start from the person's settings, as far as this profile can follow them."""
        style = settings.style if settings.style in styles_of(profile) else NO_STYLE
        return super().fresh(settings, profile).model_copy(update={"style": style})

    @classmethod
    def again(cls, job: Job, profile: Profile) -> Self:
        """Start from a picture that was drawn, and leave open what it shall be now."""
        request = request_of(job)
        return cls(
            pictures=tuple(
                HeldPicture(key=image.key, parent_id=job.parent_id) for image in request.images
            ),
            ratio=ratio_of(request, profile),
            n=request.n,
            seed=request.seed,
            negative=request.negative_prompt,
            style=request.style if request.style in styles_of(profile) else NO_STYLE,
            wording=request.wording,
            balance=request.balance,
            reply_to=job.reply_to_message_id,
            old=request.prompt,
        )

    @property
    def is_complete(self) -> bool:
        """Whether there are pictures and words."""
        return bool(self.pictures and self.prompt)

    def question(self, profile: Profile, texts: Texts) -> Question | None:  # noqa: ARG002
        """Ask for the picture, then for the words."""
        if self.is_complete:
            return None
        rows: list[Row] = [close(self.mode, texts)]
        if not self.pictures:
            return Question(texts("text-image-fusion-ask-picture"), rows)
        if 1 <= utf16_length(self.old) <= COPIED_MAX_CHARS:
            rows = [[copying(texts("button-copy"), self.old)], *rows]
        return Question(texts("text-image-fusion-ask-words", limit=str(TEXT_MAX_CHARS)), rows)

    def request(self, profile: Profile) -> TextImageFusionRequest:
        """Complete the draft into what the engine takes."""
        return TextImageFusionRequest(
            **self.drawing(profile), **self.wording_fields(), balance=self.balance
        )


class MixPress(CallbackData, prefix="mix", sep=SEPARATOR):
    """A press under a result that only this mode has."""

    action: Literal["balance", "edit"]
    job_id: int
    balance: Balance = "even"


_GATHERING: Final = Gathering(MixDraft, Mix.asked)


def is_captioned(_message: Message, album: tuple[Message, ...]) -> bool:
    """Whether pictures come with words of the person who sends them."""
    return bool(caption_of(album))


def routes() -> Router:
    """The conversation at a glance; the rest of it is every picture mode's."""
    router = _GATHERING.routes(__name__)
    free = StateFilter(None, Offered.words)
    router.message.register(mix, free, PRIVATE, has_picture, is_captioned, is_no_command)
    router.message.register(mix, free, PRIVATE, F.text, shows_picture, is_no_command)
    router.message.register(mix_offered, Offered.words, PRIVATE, F.text, is_no_command)
    router.callback_query.register(draw_balanced, MixPress.filter(F.action == "balance"))
    router.callback_query.register(edit_words, MixPress.filter(F.action == "edit"))
    return router


async def open_flow(_message: Message, command: CommandObject, talk: Talk) -> None:
    """Take the words, and the pictures sent along or replied to; ask for what is missing."""
    await _GATHERING.open(talk, command.args or "")


async def mix(_message: Message, talk: Talk) -> None:
    """Take what is said of a picture in a private chat, below it or in reply, as its change."""
    await _GATHERING.open(talk, talk.said)


async def mix_offered(_message: Message, talk: Talk) -> None:
    """Take what is said after the question about a picture as words about it."""
    offer = await OfferDraft.of(talk.state)
    draft = MixDraft.fresh(talk.settings, talk.profile)
    if offer is not None:
        draft = draft.adding(offer.uploads, talk.profile)
        await put_away_shown(talk.message, offer.shown_id)
    await _GATHERING.begin(talk, draft, talk.said)


async def draw_balanced(_query: CallbackQuery, talk: Talk, callback_data: MixPress) -> None:
    """Draw from the same seed, with more of the picture or more of the words."""
    job = await own_job(talk.table, callback_data.job_id, talk.asker.user_id, FLOW.mode)
    changes = {"balance": callback_data.balance}
    await draw_again(talk, job, request_of(job).model_copy(update=changes))


async def edit_words(_query: CallbackQuery, talk: Talk, callback_data: MixPress) -> None:
    """Ask for other words; everything else, the seed as well, stays as it was."""
    job = await own_job(talk.table, callback_data.job_id, talk.asker.user_id, FLOW.mode)
    await _GATHERING.go_on(talk, MixDraft.again(job, talk.profile))


def request_of(job: Job) -> TextImageFusionRequest:
    """Read what a job was asked for."""
    return TextImageFusionRequest.model_validate_json(job.request)


def card(_profile: Profile) -> ModeCard:
    """What this mode's cards say."""
    return ModeCard(
        title=lambda job, _texts: request_of(job).prompt,
        details=_details,
        rows=_rows,
        drawn=lambda job: request_of(job).drawn,
    )


def _details(job: Job, texts: Texts) -> str:
    request = request_of(job)
    lines = [
        how_made(job, request, texts(f"balance-{request.balance}"), texts),
        *in_style(request.style, texts),
        *left_out(request, texts),
    ]
    return "\n".join(lines)


def _rows(job: Job, texts: Texts) -> list[Row]:
    """One step towards the words, one towards the picture, where there is one."""
    at = BALANCES.index(request_of(job).balance)
    steps: list[tuple[str, int]] = [
        ("button-balance-words", at - 1),
        ("button-balance-picture", at + 1),
    ]
    shifts = [
        button(texts(label), MixPress(action="balance", job_id=job.id, balance=BALANCES[to]))
        for label, to in steps
        if 0 <= to < len(BALANCES)
    ]
    edit = button(texts("button-edit"), MixPress(action="edit", job_id=job.id))
    return [shifts, [edit]] if len(shifts) > 1 else [[*shifts, edit]]


def help_lines(texts: Texts, _profile: Profile) -> str:
    """How to ask for it."""
    return texts("text-image-fusion-help", balances=" | ".join(BALANCES))


FLOW: Final = Flow(
    mode="text_image_fusion",
    command="mix",
    open=open_flow,
    routes=routes,
    card=card,
    help=help_lines,
    lead=Lead(
        "text_image_fusion",
        label="text-image-fusion-lead",
        offer="text-image-fusion-offer",
        pictures_max=FUSED_MAX,
        takes_words=True,
    ),
)

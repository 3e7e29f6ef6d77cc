"""The buttons every card has, whatever the mode: cancel, again, file, delete, send again."""

import logging
import secrets
from collections.abc import Awaitable, Mapping
from dataclasses import replace

from aiogram import F, Router
from aiogram.exceptions import AiogramError, TelegramBadRequest, TelegramEntityTooLarge
from aiogram.types import CallbackQuery, Message

from bot.cards import CardPress
from bot.delivery import TelegramDelivery
from bot.jobs.job import Asker
from bot.jobs.ports import ChatGone
from bot.jobs.service import JobService
from bot.presses import NotReady, Press, Stale, own_job, pressed_once
from bot.replies import answer
from bot.sender import SendUnknown
from bot.texts import Texts
from pipelines.contracts import SEED_MAX, AnyMode, Request, WordedRequest
from pipelines.profiles import Profile
from storage.blobs import BlobGone
from storage.jobs import Job, Jobs

logger = logging.getLogger(__name__)


def routes() -> Router:
    """Every button and what it does."""
    router = Router(name=__name__)
    router.callback_query.middleware(pressed_once)
    router.callback_query.register(cancel, CardPress.filter(F.action == "cancel"))
    router.callback_query.register(again, CardPress.filter(F.action == "again"))
    router.callback_query.register(as_typed, CardPress.filter(F.action == "typed"))
    router.callback_query.register(as_file, CardPress.filter(F.action == "file"))
    router.callback_query.register(delete, CardPress.filter(F.action == "delete"))
    router.callback_query.register(resend, CardPress.filter(F.action == "resend"))
    return router


async def cancel(
    _query: CallbackQuery,
    press: Press,
    callback_data: CardPress,
    texts: Texts,
    asker: Asker,
    jobs: JobService,
    table: Jobs,
) -> None:
    """Withdraw a job that waits or runs; its card says so by itself."""
    job = await own_job(table, callback_data.job_id, asker.user_id)
    took_effect = await jobs.cancel(job.id, asker.user_id)
    await press.answer(texts("toast-cancelling") if took_effect else texts("toast-too-late"))


async def again(
    _query: CallbackQuery,
    press: Press,
    callback_data: CardPress,
    texts: Texts,
    asker: Asker,
    jobs: JobService,
    table: Jobs,
    modes: Mapping[str, AnyMode],
    profile: Profile,
) -> None:
    """Ask for the same once more, with a new seed."""
    job = await own_job(table, callback_data.job_id, asker.user_id)
    request = _request_of(job, modes, profile)
    seed = secrets.randbelow(SEED_MAX + 1)
    asker = replace(asker, reply_to_message_id=job.reply_to_message_id)
    await jobs.submit(asker, job.mode, request.again(seed), job.parent_id)
    await press.answer(texts("toast-again"))


async def as_typed(
    _query: CallbackQuery,
    press: Press,
    callback_data: CardPress,
    texts: Texts,
    asker: Asker,
    jobs: JobService,
    table: Jobs,
    modes: Mapping[str, AnyMode],
    profile: Profile,
) -> None:
    """Draw the typed words themselves, from the same seed."""
    job = await own_job(table, callback_data.job_id, asker.user_id)
    request = _request_of(job, modes, profile)
    if not isinstance(request, WordedRequest):
        raise Stale
    asker = replace(asker, reply_to_message_id=job.reply_to_message_id)
    await jobs.submit(asker, job.mode, request.as_typed(), job.parent_id)
    await press.answer(texts("toast-drawing"))


async def as_file(
    _query: CallbackQuery,
    press: Press,
    callback_data: CardPress,
    texts: Texts,
    asker: Asker,
    table: Jobs,
    delivery: TelegramDelivery,
    is_replayed: bool,
) -> None:
    """Send the pictures as they were made."""
    job = _drawn(await own_job(table, callback_data.job_id, asker.user_id))
    await press.answer(texts("toast-file"))
    if is_replayed:
        # The files may be there already: whoever misses them presses again.
        await answer(press.message, texts("error-interrupted"))
        return
    upload = _upload(delivery.send_files(job), press.message, texts)
    delivery.beside(upload, name=f"files of job {job.id}")


async def delete(
    _query: CallbackQuery,
    press: Press,
    callback_data: CardPress,
    texts: Texts,
    asker: Asker,
    table: Jobs,
    delivery: TelegramDelivery,
) -> None:
    """Take a result out of the chat."""
    job = await own_job(table, callback_data.job_id, asker.user_id)
    if not job.is_over:
        raise NotReady
    await press.answer(texts("toast-deleted"))
    try:
        await delivery.remove(job)
    except TelegramBadRequest:
        await answer(press.message, texts("toast-kept"))


async def resend(
    _query: CallbackQuery,
    press: Press,
    callback_data: CardPress,
    texts: Texts,
    asker: Asker,
    table: Jobs,
    delivery: TelegramDelivery,
    is_replayed: bool,
) -> None:
    """Send an album of which nobody knows whether it arrived."""
    job = _drawn(await own_job(table, callback_data.job_id, asker.user_id))
    await press.answer(texts("toast-sending-again"))
    if is_replayed:
        await answer(press.message, texts("error-interrupted"))
        return
    upload = _upload(delivery.send_album_again(job), press.message, texts)
    delivery.beside(upload, name=f"album of job {job.id}")


async def _upload(sending: Awaitable[None], message: Message, texts: Texts) -> None:
    """Wait for what a press asked for, after its update is done, and say why it does not come."""
    try:
        try:
            await sending
        except BlobGone:
            await answer(message, texts("error-blob-gone"))
        except (TelegramBadRequest, TelegramEntityTooLarge):
            await answer(message, texts("error-files-refused"))
    except (AiogramError, ChatGone, SendUnknown) as fault:
        logger.warning("what was asked for under message %s: %s", message.message_id, fault)


def _request_of(job: Job, modes: Mapping[str, AnyMode], profile: Profile) -> Request:
    """Read what a job was asked for, to ask for it again.

    Raises:
        Stale: the profile is another by now, and does not serve this mode.
    """
    mode = modes[job.mode]
    if not mode.is_served(profile):
        raise Stale
    request: Request = mode.request_type.model_validate_json(job.request)
    return request


def _drawn(job: Job) -> Job:
    if job.result is None:
        raise NotReady
    return job

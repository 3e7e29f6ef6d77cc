"""What the tests of all modes that start from pictures share."""

from typing import Any, Final, TypeVar

import pytest

from bot.app import App
from bot.normaliser import Normaliser
from bot.uploads import Intake
from pipelines.contracts import ImageRequest
from storage.job import JOB_STATES
from storage.jobs import Job
from tests.building import until_seen
from tests.jobs.fakes import until
from tests.normalising import NormaliserHere
from tests.pipelines.handed_in import jpeg
from tests.telegram import Chatter, RecordingSession

SERVED: Final[dict[str, Any]] = {
    "image_prompts": {"steps": 5},
    "shapes": {"steps": 5, "edges": "gradient"},
}
TAKES_PICTURES: Final = pytest.mark.parametrize("serves", [SERVED], ids=["pictures"])

RequestT = TypeVar("RequestT", bound=ImageRequest)


def look_quickly(app: App) -> None:
    """Spare a test the processes."""
    _look_with(app, NormaliserHere())


def look_for_real(app: App) -> None:
    """Look at pictures as the program does: in a process of their own."""
    _look_with(app, Normaliser())


def _look_with(app: App, normaliser: Normaliser) -> None:
    app.dispatcher["intake"] = Intake(app.bot, app.jobs._blobs, app.table, normaliser)


def photo(
    session: RecordingSession, name: str = "p", data: bytes | None = None, **fields: Any
) -> dict[str, Any]:
    """What a message with a photo carries; every ``name`` is another picture."""
    session.files[name] = data or jpeg(96 + sum(name.encode()) % 64, 64)
    size = {"file_id": name, "file_unique_id": name, "width": 96, "height": 64}
    return {"photo": [size], **fields}


def document(
    session: RecordingSession, data: bytes, mime_type: str, name: str = "d"
) -> dict[str, Any]:
    session.files[name] = data
    return {"document": {"file_id": name, "file_unique_id": name, "mime_type": mime_type}}


async def jobs_of(app: App, someone: Chatter) -> list[Job]:
    return await app.table.of_user(someone.user_id, JOB_STATES)


async def asked(app: App, someone: Chatter, request_type: type[RequestT]) -> list[RequestT]:
    return [request_type.model_validate_json(job.request) for job in await jobs_of(app, someone)]


async def drawn(app: App, someone: Chatter, sentence: str = "a fox") -> int:
    """Have a picture drawn from words; returns its job."""
    before = len(await jobs_of(app, someone))
    await someone.says(sentence)
    await until_seen(someone, "Again", times=1)
    await until(lambda: "🎲 Again" in someone.last.buttons)
    jobs = await jobs_of(app, someone)
    assert len(jobs) == before + 1
    return jobs[-1].id


STICKER: Final[dict[str, Any]] = {
    "sticker": {
        "file_id": "s",
        "file_unique_id": "s",
        "type": "regular",
        "width": 1,
        "height": 1,
        "is_animated": False,
        "is_video": False,
    }
}

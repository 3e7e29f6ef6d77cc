"""What a person sees of the prompt step: the new words, the way back, and the setting."""

import io
import math
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from bot.app import App
from bot.config import Config
from pipelines.contracts import Drawn, Output, Work, WorkerDied
from pipelines.engine.local import LocalEngine
from pipelines.prompting.chat import NO_ANSWER, REFUSED, UNUSABLE
from storage.jobs import Job
from tests.building import chatter, configured, running, until_seen
from tests.flows.test_text_to_image import asked, jobs_of
from tests.jobs.fakes import FakeEngine, drawn, until, until_told
from tests.pipelines.prompting.llm_server import (
    LanguageServer,
    language_server,
    saying,
    trickling,
)
from tests.telegram import Chatter, FakeClock, RecordingSession

ROOT = Path(__file__).parents[2]
SOMEWHERE = {"endpoint": {"url": "http://127.0.0.1:9/v1", "model": "m"}}
VIXEN = Drawn(words="a vixen in the snow, soft light")


@pytest.fixture
async def app(
    tmp_path: Path, session: RecordingSession, engine: FakeEngine, clock: FakeClock
) -> AsyncIterator[App]:
    async with running(configured(tmp_path, prompting=SOMEWHERE), session, engine, clock) as app:
        yield app


def rewording(drawn: Drawn) -> Any:
    """Reword as the engine does: once, and only what wants it."""

    def reword(work: Work) -> Drawn | None:
        request: Any = work.request
        return drawn if request.wording == "beautified" and request.drawn is None else None

    return reword


async def test_the_words_that_were_drawn_are_shown_below_those_that_were_typed(
    vera: Chatter, engine: FakeEngine
) -> None:
    engine.reword = rewording(VIXEN)
    await vera.says("a fox")
    await until_seen(vera, "Again")

    assert vera.last.text.startswith("a fox\n🪄 Drawn:\na vixen in the snow, soft light\nseed ")
    assert [entity.type for entity in vera.last.entities] == ["expandable_blockquote"] * 2
    second = vera.last.entities[1].extract_from(vera.last.text)
    assert second == VIXEN.words


async def test_the_card_says_that_the_words_are_being_prepared(
    vera: Chatter, engine: FakeEngine, session: RecordingSession
) -> None:
    shown: list[str] = []
    session.after = lambda method: shown.append(str(getattr(method, "text", "")))
    engine.reword = rewording(VIXEN)
    engine.words_gate.clear()
    await vera.says("a fox")
    await until(lambda: any("Preparing the prompt" in text for text in shown))
    engine.words_gate.set()
    await until_seen(vera, "Again")


async def test_one_press_draws_the_typed_words_from_the_same_seed(
    vera: Chatter, app: App, engine: FakeEngine
) -> None:
    engine.reword = rewording(VIXEN)
    await vera.says("a fox --seed 5")
    await until_seen(vera, "As typed")
    assert await vera.presses("As typed") == "Drawing it."
    await until_seen(vera, "Again", times=2)

    first, second = await asked(app, vera)
    assert (first.words, first.seed) == (VIXEN.words, 5)
    assert (second.words, second.wording, second.seed) == ("a fox", "as-typed", 5)
    assert second == first.as_typed()
    assert "Drawn:" not in vera.last.text
    assert not any("As typed" in label for label in vera.last.buttons)


async def test_again_another_quality_and_the_options_keep_the_words(
    vera: Chatter, app: App, engine: FakeEngine
) -> None:
    engine.reword = rewording(VIXEN)
    await vera.says("a fox")
    await until_seen(vera, "Again")
    picture = vera.last
    await vera.presses("Again", picture)
    await vera.presses("🌱", picture)
    await vera.presses("Options", picture)
    await vera.presses("16:9")
    await vera.presses("Draw")

    requests = await asked(app, vera)
    assert [request.words for request in requests] == [VIXEN.words] * 4
    assert len({request.seed for request in requests}) == 3


async def test_other_words_are_looked_at_anew(vera: Chatter, app: App, engine: FakeEngine) -> None:
    engine.reword = rewording(VIXEN)
    await vera.says("a fox")
    await until_seen(vera, "Edit")
    engine.reword = rewording(Drawn(words="a hound, running"))
    await vera.presses("Edit")
    await vera.says("a dog")
    await until_seen(vera, "Again", times=2)

    assert [request.words for request in await asked(app, vera)] == [
        VIXEN.words,
        "a hound, running",
    ]


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (NO_ANSWER, "did not answer"),
        (REFUSED, "declined"),
        (UNUSABLE, "no usable words"),
        ("prompting-of-a-later-version", "did not answer"),
    ],
)
async def test_who_gets_the_typed_words_is_told_why(
    vera: Chatter, engine: FakeEngine, code: str, says: str
) -> None:
    engine.reword = rewording(Drawn(words="a fox", code=code))
    await vera.says("a fox")
    await until_seen(vera, "Again")

    assert says in vera.last.text
    assert "Drawn:" not in vera.last.text
    assert not any("As typed" in label for label in vera.last.buttons)


async def test_a_model_that_gave_no_words_is_asked_again(
    vera: Chatter, app: App, engine: FakeEngine
) -> None:
    engine.reword = rewording(Drawn(words="a fox", code=NO_ANSWER))
    await vera.says("a fox")
    await until_seen(vera, "Again")
    engine.reword = rewording(VIXEN)
    await vera.presses("Again")
    await until_seen(vera, "As typed")
    assert [request.words for request in await asked(app, vera)] == ["a fox", VIXEN.words]


async def test_an_attempt_after_a_crash_does_not_ask_again(
    vera: Chatter, app: App, engine: FakeEngine
) -> None:
    seen: list[Drawn | None] = []

    def fate(work: Work) -> Output | Exception:
        request: Any = work.request
        seen.append(request.drawn)
        return WorkerDied(had_begun=True) if len(seen) == 1 else drawn(work)

    engine.reword, engine.fate = rewording(VIXEN), fate
    await vera.says("a fox")
    await until_seen(vera, "Again")

    assert seen == [None, VIXEN]
    assert VIXEN.words in vera.last.text


async def test_what_is_left_out_is_shown_as_it_was_translated(
    vera: Chatter, engine: FakeEngine
) -> None:
    engine.reword = rewording(Drawn(words="a fox", negative_words="people, crowds"))
    await vera.says("a fox --no люди, толпа")
    await until_seen(vera, "Again")
    assert "without: люди, толпа\n🪄 without: people, crowds" in vera.last.text
    assert "Drawn:" not in vera.last.text


async def test_as_typed_pressed_twice_draws_once(
    vera: Chatter, app: App, engine: FakeEngine
) -> None:
    engine.reword = rewording(VIXEN)
    await vera.says("a fox")
    await until_seen(vera, "As typed")
    picture = vera.last
    await vera.presses("As typed", picture)
    await vera.presses("As typed", picture)
    assert [request.words for request in await asked(app, vera)] == [VIXEN.words, "a fox"]


async def test_who_cancels_while_the_words_are_prepared_gets_nothing(
    vera: Chatter, app: App, engine: FakeEngine
) -> None:
    engine.reword = rewording(VIXEN)
    engine.words_gate.clear()
    await vera.says("a fox")
    await until(lambda: "Preparing the prompt" in vera.last.text)
    assert await vera.presses("Cancel") == "Cancelled."
    engine.words_gate.set()
    await until(lambda: "✖️ Cancelled." in vera.last.text)
    [job] = await jobs_of(app, vera)
    assert job.state == "cancelled"
    assert job.id in engine.cancelled


async def test_a_bot_stopped_while_the_words_are_prepared_begins_anew(
    tmp_path: Path, session: RecordingSession, clock: FakeClock
) -> None:
    config = configured(tmp_path, prompting=SOMEWHERE)
    first, second = FakeEngine(), FakeEngine()
    first.reword = second.reword = rewording(VIXEN)
    first.words_gate.clear()
    async with running(config, session, first, clock) as app:
        vera = chatter(app, session)
        await vera.says("a fox")
        await until(lambda: "Preparing the prompt" in vera.last.text)
    async with running(config, session, second, clock) as app:
        await until_seen(chatter(app, session), "As typed")
        [request] = await asked(app, vera)
        assert request.words == VIXEN.words


async def test_a_russian_chat_is_told_in_russian(
    app: App, session: RecordingSession, engine: FakeEngine
) -> None:
    masha = chatter(app, session, language="ru")
    engine.reword = rewording(Drawn(words="a vixen", negative_words="people"))
    await masha.says("лиса --no люди")
    await until_seen(masha, "Как написано")
    assert masha.last.text.startswith("лиса\n🪄 Нарисовано:\na vixen\nзерно ")
    assert masha.last.text.endswith("без: люди\n🪄 без: people")


async def test_an_album_says_what_was_drawn_too(vera: Chatter, engine: FakeEngine) -> None:
    engine.reword = rewording(VIXEN)
    await vera.says("a fox --n 2")
    await until_seen(vera, "As typed")
    assert f"🪄 Drawn:\n{VIXEN.words}\n" in vera.last.text


@pytest.mark.parametrize("typed", ["a" * 1000, "🦊" * 400, "a fox"])
async def test_both_texts_fit_into_a_caption(
    vera: Chatter, engine: FakeEngine, typed: str
) -> None:
    words = "🌲" + "very " * 300 + "long"
    engine.reword = rewording(Drawn(words=words))
    await vera.says(typed)
    await until_seen(vera, "As typed")
    assert len(vera.last.text.encode("utf-16-le")) // 2 <= 1024
    first, second = [entity.extract_from(vera.last.text) for entity in vera.last.entities]
    assert typed.startswith(first.rstrip("…"))
    assert words.startswith(second.rstrip("…"))
    assert len(second) > 400


async def test_the_improving_is_switched_off_in_the_settings(vera: Chatter, app: App) -> None:
    await vera.says("/settings")
    assert "🪄 Improve prompts: yes" in vera.last.text
    await vera.presses("🪄 Improve prompts")
    assert "🪄 Improve prompts: no" in vera.last.text
    await vera.says("a fox")
    await vera.presses("🪄 Improve prompts")
    await vera.says("a fox")

    assert [request.wording for request in await asked(app, vera)] == ["translated", "beautified"]


async def test_without_a_language_model_there_is_no_such_setting(
    tmp_path: Path, session: RecordingSession, engine: FakeEngine, clock: FakeClock
) -> None:
    async with running(configured(tmp_path), session, engine, clock) as app:
        vera = chatter(app, session)
        await vera.says("/settings")
        assert "Improve" not in vera.last.text
        assert not any("Improve" in label for label in vera.last.buttons)
        assert await vera.presses_data("set|beautify|no", vera.last.id) == (
            "This button is out of date."
        )


async def test_as_typed_of_somebody_elses_picture_is_refused(
    vera: Chatter, app: App, session: RecordingSession, engine: FakeEngine
) -> None:
    engine.reword = rewording(VIXEN)
    await vera.says("a fox")
    await until_seen(vera, "As typed")
    other = chatter(app, session, user_id=8)
    toast = await other.presses_data("card|typed|1", vera.last.id)
    assert toast == "This button belongs to someone else's picture."


@pytest.fixture
def server() -> Iterator[LanguageServer]:
    with language_server() as server:
        yield server


@pytest.fixture
async def real(
    tmp_path: Path, server: LanguageServer, session: RecordingSession, clock: FakeClock
) -> AsyncIterator[App]:
    """The bot with a real engine: a worker process, the shipped weights, a server's answers."""
    endpoint = {"url": server.url, "model": "chatty", "key": "secret"}
    profile = {
        "weights_dir": ROOT / "weights/micro",
        "device": "cpu",
        "threads": 1,
        "prompt_languages": ["en", "ru"],
        "qualities": {"base": {"steps": 10}},
    }
    config = configured(
        tmp_path, prompting={"endpoint": endpoint, "timeout_s": 5}, profile=profile
    )
    engine = LocalEngine(config.weights, config.prompting)
    async with running(config, session, engine, clock) as app:
        yield app


async def drawn_next(app: App, someone: Chatter) -> Job:
    """Wait for the newest job to be drawn and told."""
    [*_, job] = await jobs_of(app, someone)
    await until_told(app.table, job.id, timeout_s=120)
    return await app.table.get(job.id)


def picture_of(config: Config, job: Job) -> Image.Image:
    assert job.result is not None
    key = job.result.pictures[0].png_key
    return Image.open(io.BytesIO((config.storage.blobs / key[:2] / key).read_bytes()))


def colours(picture: Image.Image) -> tuple[str, str]:
    """What is in the middle and what is in the corners."""
    width, height = picture.size
    names = {"red": (220, 40, 40), "blue": (40, 80, 220), "white": (245, 245, 245)}

    def name(at: tuple[int, int]) -> str:
        pixel: Any = picture.convert("RGB").getpixel(at)
        return min(names, key=lambda known: math.dist(pixel, names[known]))

    corners = {name((x, y)) for x in (4, width - 5) for y in (4, height - 5)}
    return name((width // 2, height // 2)), " and ".join(sorted(corners))


@pytest.mark.slow
async def test_what_the_language_model_says_is_what_is_on_the_picture(
    real: App, session: RecordingSession, server: LanguageServer
) -> None:
    vera = chatter(real, session)
    server.behave = saying('Prompt: "a large blue square on a white background"')
    await vera.says("a large red circle on a blue background --seed 11")
    improved = await drawn_next(real, vera)
    assert colours(picture_of(real.config, improved)) == ("blue", "white")
    assert "🪄 Drawn:\na large blue square on a white background\nseed 11" in vera.last.text
    assert server.asked[0]["messages"][1]["content"] == "a large red circle on a blue background"
    assert server.headers[0]["Authorization"] == "Bearer secret"

    await vera.presses("As typed")
    typed = await drawn_next(real, vera)
    assert typed.id != improved.id
    assert colours(picture_of(real.config, typed)) == ("red", "blue")
    assert "seed 11 " in vera.last.text
    assert len(server.asked) == 1

    begun = threading.Event()

    def never(exchange: Any) -> None:
        begun.set()
        trickling(exchange)

    server.behave = never
    await vera.says("a large blue circle on a white background")
    await until(begun.is_set, timeout_s=60)
    await until(lambda: "Preparing the prompt" in vera.last.text, timeout_s=60)
    assert await vera.presses("Cancel") == "Cancelled."
    cancelled = await drawn_next(real, vera)
    assert cancelled.state == "cancelled"
    assert server.left.wait(5)  # the server is told, and the device is free at once

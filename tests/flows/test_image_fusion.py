from pathlib import Path
from typing import Any

import pytest

from bot.app import App
from pipelines.image_fusion import ImageFusionRequest
from tests.building import chatter, configured, running, until_seen
from tests.flows.pictures import (
    STICKER,
    TAKES_PICTURES,
    drawn,
    jobs_of,
    look_for_real,
    look_quickly,
    photo,
)
from tests.flows.pictures import asked as all_asked
from tests.jobs.fakes import FakeEngine
from tests.pipelines.handed_in import jpeg
from tests.telegram import Chatter, FakeClock, RecordingSession

pytestmark = TAKES_PICTURES

STALE = "This button is out of date."


async def asked(app: App, someone: Chatter) -> list[ImageFusionRequest]:
    return await all_asked(app, someone, ImageFusionRequest)


async def test_an_album_with_the_command_is_weighed_and_fused(
    vera: Chatter, app: App, session: RecordingSession
) -> None:
    look_for_real(app)
    await vera.sends_album(
        photo(session, "a", jpeg(200, 100)),
        photo(session, "b", caption="/fuse --n 2 --seed 7"),
        photo(session, "c"),
    )
    menu = vera.last
    assert menu.text == (
        "🧬 I have 3 pictures. How much shall be taken from each?\nYou can send me 1 more."
    )
    assert [label for label in menu.buttons if "▰" in label] == [
        f"{number} ▰▰▰▱▱" for number in (1, 2, 3)
    ]
    assert await vera.presses("Draw", on=menu) == "Drawing it."
    await until_seen(vera, "Again")

    [request] = await asked(app, vera)
    assert (len(request.images), request.weights) == (3, (3.0, 3.0, 3.0))
    assert (request.width_px, request.height_px, request.n, request.seed) == (256, 128, 2, 7)
    assert vera.last.text.startswith("3 pictures in one\nseed 7…8 · 256×128 · weights 3 : 3 : 3")
    assert menu not in vera.sees


async def test_pictures_come_one_by_one_and_the_message_says_how_many_there_are(
    vera: Chatter, app: App, session: RecordingSession
) -> None:
    await vera.says("/fuse")
    assert vera.last.text.startswith("Send me the pictures to fuse, two to 4,")
    for name, says in [
        ("a", "I have one picture. Send me another"),
        ("b", "🧬 I have 2 pictures. How much shall be taken from each?\nYou can send me 2 more."),
        ("c", "🧬 I have 3 pictures."),
        ("d", "🧬 I have 4 pictures. How much shall be taken from each?"),
    ]:
        await vera.sends(**photo(session, name))
        assert vera.last.text.startswith(says)
        assert len(vera.sees) == 1
    await vera.sends(**photo(session, "e"))
    assert vera.last.text.startswith("I can use at most 4 pictures here, and there are 5.")
    assert "🧬 I have 4 pictures." in vera.last.text
    await vera.presses("Draw")

    assert [len(request.images) for request in await asked(app, vera)] == [4]


async def test_an_album_that_is_too_much_leaves_what_was_there(
    vera: Chatter, app: App, session: RecordingSession
) -> None:
    await vera.says("/fuse")
    await vera.sends_album(photo(session, "a"), photo(session, "b"))
    await vera.sends_album(*(photo(session, name) for name in "cdefghijkl"))
    assert "I can use at most 2 pictures here, and there are 10." in vera.last.text
    await vera.sends(**STICKER)
    await vera.says("and now?")
    assert vera.last.text.startswith("Only the pictures count here, not the words.\n🧬 I have 2")
    await vera.presses("Draw")

    assert [len(request.images) for request in await asked(app, vera)] == [2]


async def test_a_button_knows_the_results_it_is_meant_for(vera: Chatter, app: App) -> None:
    other = await drawn(app, vera)
    for data in (f"fuse|weights|{other}", f"vary|more|{other}|normal", f"mix|edit|{other}|even"):
        assert await vera.presses_data(data, vera.last.id) == STALE
    assert await vera.presses_data(f"held|{other}|normal", vera.last.id) == STALE
    assert len(await jobs_of(app, vera)) == 1


async def test_the_same_picture_twice_counts_once(
    vera: Chatter, session: RecordingSession
) -> None:
    await vera.says("/fuse")
    for _ in range(2):
        await vera.sends(**photo(session, data=jpeg()))
    assert vera.last.text.startswith("I have one picture.")


async def test_weights_are_set_in_steps_and_end_where_the_steps_end(
    vera: Chatter, app: App, session: RecordingSession
) -> None:
    await vera.says("/fuse")
    await vera.sends_album(photo(session, "a"), photo(session, "b"))
    menu = vera.last
    for _ in range(3):
        assert await vera.presses_data("weight|more|0", menu.id) == ""
        assert await vera.presses_data("weight|less|1", menu.id) == ""
    assert {"1 ▰▰▰▰▰", "2 ▰▱▱▱▱"} <= set(menu.buttons)
    assert await vera.presses("1 ▰", on=menu) == "Picture 1: 83 %"
    await vera.sends(**photo(session, "c"))
    menu = vera.last
    assert {"1 ▰▰▰▰▰", "2 ▰▱▱▱▱", "3 ▰▰▰▱▱"} <= set(menu.buttons)
    await vera.presses("Draw", on=menu)

    assert [request.weights for request in await asked(app, vera)] == [(5.0, 1.0, 3.0)]


@pytest.mark.parametrize(
    "data", ["weight|more|0", "weight|share|1", "gather|image_fusion|draw", "fuse|weights|99"]
)
async def test_a_button_of_a_menu_that_is_over_does_nothing(
    vera: Chatter, app: App, session: RecordingSession, clock: FakeClock, data: str
) -> None:
    await vera.says("/fuse")
    await vera.sends_album(photo(session, "a"), photo(session, "b"))
    menu = vera.last
    for index in (2, 9, -1):
        assert await vera.presses_data(f"weight|share|{index}", menu.id) == STALE
    await vera.presses("Draw", on=menu)
    clock.now += 3
    assert await vera.presses_data(data, menu.id) in {
        STALE,
        "This picture is not known any more.",
    }
    assert len(await asked(app, vera)) == 1


async def test_go_cannot_be_pressed_before_there_are_two(
    vera: Chatter, app: App, session: RecordingSession
) -> None:
    await vera.says("/fuse")
    await vera.sends(**photo(session))
    assert await vera.presses_data("gather|image_fusion|draw", vera.last.id) == STALE
    assert await asked(app, vera) == []


async def test_a_result_is_fused_with_another_picture_by_its_button(
    vera: Chatter, app: App, session: RecordingSession
) -> None:
    parent = await drawn(app, vera)
    card = vera.last
    await vera.presses("Fuse with", on=card)
    assert vera.last.text.startswith("I have one picture. Send me another")
    await vera.sends(**photo(session))
    await vera.presses("Draw")
    await until_seen(vera, "Weights")

    first, second = await jobs_of(app, vera)
    [request] = [ImageFusionRequest.model_validate_json(second.request)]
    assert first.result is not None
    assert request.images[0].key == first.result.pictures[0].png_key
    assert second.parent_id == parent
    assert card in vera.sees


async def test_weights_of_a_result_can_be_changed(
    vera: Chatter, app: App, session: RecordingSession, clock: FakeClock
) -> None:
    await vera.sends_album(photo(session, "a", caption="/fuse --seed 7"), photo(session, "b"))
    await vera.presses("Draw")
    await until_seen(vera, "Weights")
    card = vera.last
    assert await vera.presses("Weights", on=card) == ""
    menu = vera.last
    await vera.presses_data("weight|more|1", menu.id)
    clock.now += 3
    await vera.presses("Draw", on=menu)

    first, second = await asked(app, vera)
    assert (first.weights, second.weights) == ((3.0, 3.0), (3.0, 4.0))
    assert first.images == second.images
    assert (first.width_px, first.height_px) == (second.width_px, second.height_px)


async def test_a_draft_survives_a_restart(
    tmp_path: Path,
    session: RecordingSession,
    engine: FakeEngine,
    clock: FakeClock,
    serves: dict[str, Any],
) -> None:
    config = configured(tmp_path, profile=serves)
    async with running(config, session, engine, clock) as app:
        look_quickly(app)
        vera = chatter(app, session)
        await vera.says("/fuse --seed 7")
        await vera.sends_album(photo(session, "a"), photo(session, "b"))
        await vera.presses_data("weight|more|0", vera.last.id)
    async with running(config, session, FakeEngine(), clock) as app:
        look_quickly(app)
        vera = chatter(app, session)
        await vera.sends(**photo(session, "c"))
        await vera.presses("Draw")
        [request] = await asked(app, vera)
        assert (request.weights, request.seed) == ((4.0, 3.0, 3.0), 7)


async def test_a_menu_whose_size_the_profile_lost_is_stale(
    tmp_path: Path,
    session: RecordingSession,
    engine: FakeEngine,
    clock: FakeClock,
    serves: dict[str, Any],
) -> None:
    async with running(configured(tmp_path, profile=serves), session, engine, clock) as app:
        look_quickly(app)
        vera = chatter(app, session)
        await vera.says("/fuse --ar 16:9")
        await vera.sends_album(photo(session, "a"), photo(session, "b"))
        menu = vera.last
    square = {**serves, "sizes": {"1:1": {"width_px": 128, "height_px": 128}}}
    config = configured(tmp_path, profile=square)
    async with running(config, session, FakeEngine(), clock) as app:
        vera = chatter(app, session)
        assert await vera.presses("Draw", on=menu) == STALE
        look_quickly(app)
        await vera.sends_album(photo(session, "c"), photo(session, "d"))
        await vera.presses("Draw")
        assert [request.width_px for request in await asked(app, vera)] == [128]


async def test_a_refused_press_keeps_the_menu(
    tmp_path: Path,
    session: RecordingSession,
    engine: FakeEngine,
    clock: FakeClock,
    serves: dict[str, Any],
) -> None:
    config = configured(tmp_path, profile=serves, burst=1, refill_per_minute=6)
    async with running(config, session, engine, clock) as app:
        look_quickly(app)
        vera = chatter(app, session)
        await vera.says("a fox")
        await vera.sends_album(photo(session, "a", caption="/fuse"), photo(session, "b"))
        menu = vera.last
        for _ in range(2):
            assert "in 10 s" in await vera.presses("Draw", on=menu)
        clock.now += 10
        assert await vera.presses("Draw", on=menu) == "Drawing it."
        assert len(await jobs_of(app, vera)) == 2


async def test_pictures_that_are_gone_are_said_to_be(
    vera: Chatter, app: App, session: RecordingSession
) -> None:
    await vera.sends_album(photo(session, "a", caption="/fuse"), photo(session, "b"))
    for blob in app.config.storage.blobs.rglob("*"):
        if blob.is_file():
            blob.unlink()
    menu = vera.last
    await vera.presses("Draw")
    assert menu not in vera.sees
    assert vera.last.text.startswith("A picture this starts from is not kept any more.")
    assert "Send me the pictures to fuse" in vera.last.text
    assert await asked(app, vera) == []
    await vera.sends_album(photo(session, "c"), photo(session, "d"))
    await vera.presses("Draw")

    assert [len(request.images) for request in await asked(app, vera)] == [2]


async def test_in_a_group_pictures_are_gathered_by_replies(
    app: App, session: RecordingSession
) -> None:
    vera = chatter(app, session, chat_id=-100)
    oleg = chatter(app, session, chat_id=-100, user_id=8)
    number = await vera.sends(**photo(session, "a"), caption="/fuse")
    question = vera.last
    assert question.text.startswith("Vera, reply to this message: I have one picture.")
    await oleg.sends(
        **photo(session, "x"), reply_to_message=vera.message(question.id, text="question")
    )
    assert vera.last is question
    second = await vera.sends(
        **photo(session, "b"), reply_to_message=vera.message(question.id, text="question")
    )
    menu = vera.last
    assert menu.text.startswith("🧬 I have 2 pictures.")
    assert menu.reply_to == second > number
    assert await oleg.presses("Draw", on=menu) == STALE
    await vera.presses("Draw", on=menu)

    [job] = await jobs_of(app, vera)
    assert job.reply_to_message_id == second


@pytest.mark.parametrize(("count", "title"), [(2, "2 картинки в одной"), (4, "4 картинки в")])
async def test_russians_read_russian(
    app: App, session: RecordingSession, count: int, title: str
) -> None:
    masha = chatter(app, session, language="ru")
    await masha.says("/fuse")
    assert masha.last.text.startswith("Пришлите картинки, которые надо соединить")
    await masha.sends_album(*(photo(session, f"p{number}") for number in range(count)))
    assert masha.last.text.startswith(f"🧬 Картинок: {count}. Сколько взять от каждой?")
    await masha.presses("Нарисовать")
    await until_seen(masha, "⚖️ Доли")
    assert masha.last.text.startswith(title)

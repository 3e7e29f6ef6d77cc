"""What survives a restart, and that nothing grows without a bound."""

import asyncio
import os
import signal
import sqlite3
import sys
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestServer

from playground.errors import StateError
from playground.files import FileStore
from playground.model import Content
from playground.rates import Limits
from playground.server import build_app, new_playground
from playground.state import StateFile
from playground.text import FormattedText
from playground.world import DEFAULT_TOKEN, Settings, World, populate
from tests.playground.client import (
    ALICE,
    GROUP,
    MARIA,
    Api,
    begin,
    button,
    eventually,
    keyboard,
    picture,
)

SETTINGS = Settings(limits=Limits(enabled=False))


@asynccontextmanager
async def running(path: Path, settings: Settings = SETTINGS) -> AsyncIterator[Api]:
    """A playground over a state file, from start to a clean stop."""
    state = StateFile(path)
    made = new_playground(path.parent, settings=settings, state=state)
    server = TestServer(build_app(made))
    await server.start_server()
    try:
        async with Api(str(server.make_url("")).rstrip("/"), DEFAULT_TOKEN) as api:
            yield api
    finally:
        await server.close()


async def state_of(api: Api) -> Any:
    state = (await api.http.get(f"{api.base}/playground/control/state")).json()
    for chat in state["chats"]:
        chat.pop("has_more")
    return state


async def test_people_chats_messages_and_bots_are_there_again(tmp_path: Path) -> None:
    path = tmp_path / "town.db"
    async with running(path) as api:
        await api.start()
        first = await api.call("sendMessage", chat_id=ALICE, text="<b>hi</b>", parse_mode="HTML")
        reply = {"message_id": first["message_id"]}
        rows = keyboard([button("go")])
        files = {"photo": ("a.png", picture())}
        sent = await api.call(
            "sendPhoto", files, chat_id=ALICE, reply_markup=rows, reply_parameters=reply
        )
        source = {"from_chat_id": ALICE, "message_id": sent["message_id"]}
        await api.call("forwardMessage", chat_id=GROUP, **source)
        await api.act(react={"message_id": first["message_id"], "emoji": "🔥"})
        await api.call("setMyCommands", commands=[{"command": "go", "description": "Go"}])
        await api.call("setChatMenuButton", chat_id=ALICE, menu_button={"type": "commands"})
        await api.http.post(
            f"{api.base}/page/people", json={"name": "Zoë", "language": "de", "premium": True}
        )
        async with Api(api.base, "777:second") as second:
            await second.call("getMe")
        gone = await api.call("sendMessage", chat_id=ALICE, text="gone")
        await api.call("deleteMessage", chat_id=ALICE, message_id=gone["message_id"])
        before = await state_of(api)
    async with running(path) as api:
        assert await state_of(api) == before
        again = await api.call("sendPhoto", chat_id=ALICE, photo=sent["photo"][0]["file_id"])
        assert again["photo"] == sent["photo"]
        assert again["message_id"] > gone["message_id"]
        await api.download(sent["photo"][-1]["file_id"])
        number = sent["message_id"]
        assert await api.call("editMessageCaption", chat_id=ALICE, message_id=number, caption="x")


async def test_updates_that_wait_come_after_the_restart_and_confirmed_ones_do_not(
    tmp_path: Path,
) -> None:
    path = tmp_path / "town.db"
    async with running(path) as api:
        await api.start()
        await api.act(text="one")
        [confirmed] = await api.updates()
        await api.act(text="two")
        await api.call("getUpdates", allowed_updates=["message"])
    async with running(path) as api:
        [waiting] = await api.updates()
        assert waiting["message"]["text"] == "two"
        assert waiting["update_id"] == confirmed["update_id"] + 1
        await api.act(text="three")
        [fresh] = await api.updates()
        assert fresh["update_id"] > waiting["update_id"]


async def test_inline_messages_and_payments_go_on(tmp_path: Path) -> None:
    path = tmp_path / "town.db"
    async with running(path) as api:
        await api.start()
        query = (await api.act(inline={"bot": 12345, "query": "x"}))["query"]
        row = {
            "type": "article",
            "id": "1",
            "title": "x",
            "input_message_content": {"message_text": "x"},
            "reply_markup": keyboard([button("go")]),
        }
        await api.call("answerInlineQuery", inline_query_id=query, results=[row])
        await api.act(choose={"query": query, "result": "1"})
        number = (await api.updates())[-1]["chosen_inline_result"]["inline_message_id"]
        invoice: dict[str, Any] = {
            "title": "x",
            "description": "x",
            "payload": "x",
            "currency": "XTR",
        }
        prices = [{"label": "x", "amount": 1}]
        sent = await api.call("sendInvoice", chat_id=ALICE, prices=prices, **invoice)
        await api.act(pay={"message_id": sent["message_id"]})
        query = (await api.updates())[0]["pre_checkout_query"]["id"]
        await api.call("answerPreCheckoutQuery", pre_checkout_query_id=query, ok=True)
        payment = (await api.updates())[0]["message"]["successful_payment"]
    charge = {
        "user_id": ALICE,
        "telegram_payment_charge_id": payment["telegram_payment_charge_id"],
    }
    async with running(path) as api:
        assert await api.call("editMessageText", inline_message_id=number, text="y") is True
        assert await api.call("refundStarPayment", **charge) is True
    async with running(path) as api:
        assert "ALREADY" in await api.refused("refundStarPayment", **charge)


async def test_edits_reactions_albums_and_who_is_out_are_there_again(tmp_path: Path) -> None:
    path = tmp_path / "town.db"
    async with running(path) as api:
        await api.start()
        sent = await api.call("sendMessage", chat_id=ALICE, text="before")
        number = sent["message_id"]
        await api.call("editMessageText", chat_id=ALICE, message_id=number, text="after")
        fire = [{"type": "emoji", "emoji": "🔥"}]
        await api.call("setMessageReaction", chat_id=ALICE, message_id=number, reaction=fire)
        files = {name: (f"{name}.png", picture()) for name in ("a", "b")}
        media = [{"type": "photo", "media": f"attach://{name}"} for name in files]
        await api.call("sendMediaGroup", files, chat_id=ALICE, media=media)
        await api.start(MARIA)
        await api.control("kick", chat="group")
        await api.control("deactivate", person=MARIA)
        before = await state_of(api)
    async with running(path) as api:
        assert await state_of(api) == before
        assert "kicked" in await api.refused("sendMessage", chat_id=GROUP, text="x")
        assert "deactivated" in await api.refused("sendMessage", chat_id=MARIA, text="x")


async def test_an_invoice_behind_a_link_can_still_be_paid(tmp_path: Path) -> None:
    path = tmp_path / "town.db"
    async with running(path) as api:
        link = await api.call(
            "createInvoiceLink",
            title="x",
            description="x",
            payload="x",
            currency="XTR",
            prices=[{"label": "x", "amount": 1}],
        )
    async with running(path) as api:
        await api.act(pay={"slug": link.rpartition("$")[2]})
        assert (await api.updates())[-1]["pre_checkout_query"]["total_amount"] == 1


async def test_what_is_confirmed_at_once_after_a_restart_stays_confirmed(tmp_path: Path) -> None:
    path = tmp_path / "town.db"
    async with running(path) as api:
        await api.act(text="waiting")
    state = StateFile(path)
    made = new_playground(tmp_path, settings=SETTINGS, state=state)
    assert made.saver
    made.world.seat(DEFAULT_TOKEN).updates.clear()
    state.write(made.saver.collect())
    assert list(state.pending()) == []
    state.close()


async def test_a_call_in_progress_at_the_end_is_saved(tmp_path: Path) -> None:
    path = tmp_path / "town.db"
    async with Api("", DEFAULT_TOKEN) as patient:
        async with running(path) as api:
            await api.start()
            await api.control("faults", method="sendMessage", delay_ms=300)
            patient.base = api.base
            last = begin(patient.call("sendMessage", chat_id=ALICE, text="the last word"))
            await asyncio.sleep(0.1)
        number = (await last)["message_id"]
    async with running(path) as api:
        assert await api.call("deleteMessage", chat_id=ALICE, message_id=number) is True


async def test_only_its_own_files_are_ever_removed(tmp_path: Path) -> None:
    path = tmp_path / "town.db"
    async with running(path):
        pass
    folder = tmp_path / "town.db.files"
    (folder / "holiday.jpg").write_bytes(b"somebody's")
    orphan = folder / f"photos_file_{'0' * 16}.jpg"
    orphan.write_bytes(b"nobody's")
    async with running(path):
        assert (folder / "holiday.jpg").exists()
        assert not orphan.exists()


async def test_a_second_playground_does_not_open_the_same_file(tmp_path: Path) -> None:
    path = tmp_path / "town.db"
    async with running(path):
        with pytest.raises(StateError, match="locked"):
            StateFile(path)


def test_what_is_no_state_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database, but long enough to be looked at closely" * 3)
    with pytest.raises(StateError, match="not a database"):
        StateFile(path)
    with pytest.raises(StateError, match="unable to open"):
        StateFile(tmp_path / "nowhere" / "town.db")
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as connection:
        connection.execute("PRAGMA user_version = 9")
    connection.close()
    with pytest.raises(StateError, match="another version, 9"):
        StateFile(other)


async def test_another_token_of_the_same_bot_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "town.db"
    async with running(path):
        pass
    state = StateFile(path)
    with pytest.raises(StateError, match="another token"):
        new_playground(tmp_path, "12345:other", state=state)
    state.close()


async def test_only_what_is_kept_in_memory_is_kept_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "town.db"
    settings = Settings(messages_per_chat=5, stored_bytes=3000, limits=Limits(enabled=False))
    async with running(path, settings) as api:
        await api.start()
        for number in range(12):
            files = {"document": (f"{number}.bin", os.urandom(1000))}
            await api.call("sendDocument", files, chat_id=ALICE)
    with sqlite3.connect(path) as connection:
        [messages] = connection.execute("SELECT count(*) FROM message").fetchone()
        [media] = connection.execute("SELECT count(*) FROM record WHERE kind = 'media'").fetchone()
    connection.close()
    kept = list((tmp_path / "town.db.files").iterdir())
    assert (messages, media, len(kept)) == (5, 3, 3)


async def started(path: Path, port: int = 0) -> tuple[asyncio.subprocess.Process, Api]:
    """The real command; returns it with a client once it serves."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "playground",
        "--port",
        str(port),
        "--no-limits",
        "--state",
        str(path),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout
    line = (await process.stdout.readline()).decode()
    return process, Api(line.removeprefix("Open ").strip().rstrip("/"), DEFAULT_TOKEN)


async def test_a_killed_playground_has_lost_at_most_its_last_moments(tmp_path: Path) -> None:
    path = tmp_path / "town.db"
    process, api = await started(path)
    try:
        await api.start()
        files = {"document": ("a.bin", b"kept" * 100)}
        sent = await api.call("sendDocument", files, chat_id=ALICE)
        await api.act(text="still waiting")
        await asyncio.sleep(1)
    finally:
        process.send_signal(signal.SIGKILL)
        await process.wait()
        await api.http.aclose()
    process, api = await started(path)
    try:
        [waiting] = await api.updates()
        assert waiting["message"]["text"] == "still waiting"
        assert await api.download(sent["document"]["file_id"]) == b"kept" * 100
    finally:
        process.terminate()
        assert await process.wait() == 0
        await api.http.aclose()


def test_memory_stays_flat_over_many_messages(tmp_path: Path) -> None:
    settings = Settings(messages_per_chat=100)
    world = World(FileStore(tmp_path), settings)
    seat = populate(world, DEFAULT_TOKEN)
    chat = world.chats["group"]

    def post(count: int) -> int:
        for number in range(count):
            world.post(chat, seat.bot, Content(FormattedText(f"message {number}" * 5)))
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    before = post(2100)  # more than the page's log of events holds
    after = post(3000)
    tracemalloc.stop()
    assert len(chat.messages) == 100
    assert after - before < 200_000


def test_a_state_that_cannot_be_written_is_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    state = StateFile(tmp_path / "town.db")
    made = new_playground(tmp_path, state=state)
    assert made.saver
    statements = made.saver.collect()
    state._connection.execute("DROP TABLE record")
    assert made.saver._attempt(statements) == statements
    assert "cannot be written" in caplog.text
    state._prepare()
    assert made.saver._attempt(statements) == []
    assert len(state.read("person")) == 2
    state.close()


async def test_it_is_written_soon_and_not_only_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "town.db"
    async with running(path) as api:
        await api.act(text="now")
        copy = tmp_path / "copy.db"

        async def seen() -> bool:
            # The file itself is locked, so its parts are copied as a crash would leave them.
            for part in ("", "-wal"):
                source = path.with_name(path.name + part)
                copy.with_name(copy.name + part).write_bytes(source.read_bytes())
            connection = sqlite3.connect(copy)
            try:
                rows = connection.execute("SELECT body FROM message").fetchall()
            except sqlite3.Error:  # it was copied in the middle of a write
                return False
            finally:
                connection.close()
            return any('"now"' in body for (body,) in rows)

        assert await eventually(seen)

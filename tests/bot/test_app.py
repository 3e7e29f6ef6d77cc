"""The whole as one: built, run, asked how it is, stopped."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiogram import Bot
from aiogram.client.telegram import PRODUCTION
from aiohttp import ClientSession, web
from pydantic import SecretStr

from bot.app import App, build_app, open_bot
from bot.config import Config, TelegramConfig, WebConfig, WebhookConfig
from bot.greeting import introduce
from bot.inbox import ATTEMPTS_MAX, TokenRefused
from bot.web import SECRET_HEADER, listening
from bot.web.probe import probe
from storage.database import DatabaseUnusable
from tests.building import LIMITS, PROFILE, configured
from tests.jobs.fakes import FakeEngine, until
from tests.telegram import TOKEN, FakeClock, RecordingSession, refused, slow_down

ROOT = Path(__file__).parents[2]


class PatientSession(RecordingSession):
    """Answers an empty poll as late as Telegram does: when there is something to say."""

    async def make_request(
        self,
        bot: Bot,
        method: Any,
        timeout: int | None = None,  # noqa: ASYNC109 - aiogram's signature
    ) -> Any:
        if method.__api_method__ == "getUpdates":
            await until(lambda: bool(self.updates), timeout_s=600)
        return await super().make_request(bot, method, timeout)


class HeldSession(PatientSession):
    """Lets calls of one method wait until the test lets them pass."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.gate = asyncio.Event()
        self.is_waiting = asyncio.Event()

    async def make_request(
        self,
        bot: Bot,
        method: Any,
        timeout: int | None = None,  # noqa: ASYNC109 - aiogram's signature
    ) -> Any:
        if method.__api_method__ == self.name and not self.gate.is_set():
            self.is_waiting.set()
            await self.gate.wait()
        return await super().make_request(bot, method, timeout)


async def built(
    config: Config,
    session: RecordingSession,
    state: list[str],
    engine: FakeEngine | None = None,
) -> App:
    return await build_app(
        config,
        Bot(TOKEN, session=session),
        engine=engine or FakeEngine(),
        readiness=lambda: state[0],
        clock=FakeClock(),
    )


def message(number: int, text: str) -> dict[str, Any]:
    return {
        "update_id": number,
        "message": {
            "message_id": number,
            "date": 1,
            "text": text,
            "chat": {"id": 7, "type": "private", "first_name": "V"},
            "from": {"id": 7, "is_bot": False, "first_name": "V"},
        },
    }


def press(number: int, data: str, on: int) -> dict[str, Any]:
    pressed = {**message(number, "card")["message"], "message_id": on}
    query = {"id": str(number), "from": pressed["from"], "chat_instance": "1", "data": data}
    return {"update_id": number, "callback_query": {**query, "message": pressed}}


async def test_it_polls_draws_and_stops_in_good_order(tmp_path: Path) -> None:
    session = PatientSession()
    app = await built(configured(tmp_path), session, ["ready"])
    running = asyncio.ensure_future(app.run())  # noqa: TID251
    session.updates.append([message(1, "a fox")])
    await until(lambda: any("jpeg" in shown.content for shown in session.chats[7].values()))
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert "setMyCommands" in session.names()

    again = await built(configured(tmp_path), PatientSession(), ["ready"])
    await again.stop()


async def test_what_was_received_but_not_handled_is_handled_after_a_restart(
    tmp_path: Path,
) -> None:
    first = await built(configured(tmp_path), RecordingSession(), ["ready"])
    await first.reception._inbox.put(1, json.dumps(message(1, "a fox")))
    await first.stop()

    session = RecordingSession()
    second = await built(configured(tmp_path), session, ["ready"])
    await second.start()
    await until(lambda: any("jpeg" in shown.content for shown in session.chats[7].values()))
    await second.stop()


async def test_an_update_given_up_is_explained_once(tmp_path: Path) -> None:
    first = await built(configured(tmp_path), RecordingSession(), ["ready"])
    await first.reception._inbox.put(1, json.dumps(message(1, "a fox")))
    for _ in range(ATTEMPTS_MAX):
        await first.reception._inbox.attempt(1)
    await first.stop()

    session = RecordingSession()
    second = await built(configured(tmp_path), session, ["ready"])
    await second.start()
    await until(lambda: bool(session.chats[7]))
    assert await second.reception._inbox.pending() == []
    await second.stop()
    assert [shown.text for shown in session.chats[7].values()] == [
        second.languages["en"]("error-given-up")
    ]


async def test_cancel_is_answered_at_once_however_slow_everything_else_is(tmp_path: Path) -> None:
    session, engine = HeldSession("sendMessage"), FakeEngine()
    session.gate.set()
    engine.gate.clear()
    app = await built(configured(tmp_path), session, ["ready"], engine)
    await app.start()
    await app.reception.take(message(1, "a fox"))
    await until(lambda: any("preview" in shown.content for shown in session.chats[7].values()))
    session.gate.clear()
    await app.reception.take(message(2, "/help"))
    await session.is_waiting.wait()

    [card] = session.chats[7].values()
    [data] = [data for label, data in card.buttons.items() if "Cancel" in label]
    started = time.monotonic()
    await app.reception.take(press(3, data, on=card.id))
    await until(lambda: session.toasts() == [app.languages["en"]("toast-cancelling")])
    assert time.monotonic() - started < 0.3
    session.gate.set()
    await app.stop()


async def test_a_stop_gives_handlers_and_the_device_the_same_grace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.app.GRACE_S", 1.0)
    session, engine = HeldSession("sendMessage"), FakeEngine()
    session.gate.set()
    engine.gate.clear()
    app = await built(configured(tmp_path), session, ["ready"], engine)
    await app.start()
    await app.reception.take(message(1, "a fox"))
    await until(lambda: any("preview" in shown.content for shown in session.chats[7].values()))
    session.gate.clear()
    await app.reception.take(message(2, "/help"))
    await session.is_waiting.wait()
    started = time.monotonic()
    await app.stop()
    assert 1.0 <= time.monotonic() - started < 1.9

    again = await built(configured(tmp_path), RecordingSession(), ["ready"])
    assert await again.table.totals() == (1, 0)
    assert [number for number, _ in await again.reception._inbox.pending()] == [2]
    await again.stop()


async def test_the_introduction_writes_only_what_differs(tmp_path: Path) -> None:
    session = RecordingSession()
    app = await built(configured(tmp_path), session, ["ready"])
    await introduce(app.bot, app.languages, app.flows)
    assert sum(name.startswith("setMy") for name in session.names()) == 8
    session.calls.clear()
    await introduce(app.bot, app.languages, app.flows)
    assert not any(name.startswith("setMy") for name in session.names())
    session.profile["long", "ru"] = "old"
    await introduce(app.bot, app.languages, app.flows)
    assert [name for name in session.names() if name.startswith("setMy")] == ["setMyDescription"]
    await app.stop()


async def test_an_introduction_that_comes_too_often_silences_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    session = PatientSession()
    session.meets("setMyCommands", slow_down(86_400))
    app = await built(configured(tmp_path), session, ["ready"])
    running = asyncio.ensure_future(app.run())  # noqa: TID251
    await until(lambda: "were not registered" in caplog.text)
    started = app.poller._clock.monotonic()
    session.updates.append([message(1, "a fox")])
    await until(lambda: any("jpeg" in shown.content for shown in session.chats[7].values()))
    assert app.poller._clock.monotonic() - started < 60
    assert session.names().count("setMyCommands") == 1
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_a_refused_token_ends_the_run_before_it_begins_and_frees_everything(
    tmp_path: Path,
) -> None:
    session, engine = RecordingSession(), FakeEngine()
    session.meets("getMe", refused(401, "Unauthorized"))
    app = await built(configured(tmp_path), session, ["ready"], engine)
    session.before = lambda _method: pytest.fail("started") if engine.is_up else None
    with pytest.raises(TokenRefused):
        await app.run()
    assert session.names() == ["getMe"]
    reopened = await built(configured(tmp_path), session, ["ready"])
    await reopened.stop()


async def test_health_is_judged_by_engine_database_and_polls(tmp_path: Path) -> None:
    state = ["starting"]
    app = await built(configured(tmp_path), RecordingSession(), state)
    assert await app.health() == (
        True,
        {"engine": "starting", "database": "ok", "last_poll_age_s": None},
    )
    state[0] = "broken"
    assert (await app.health())[0] is False
    state[0] = "ready"
    await app.poller.insist(app.bot.me)
    clock = app.poller._clock
    assert isinstance(clock, FakeClock)
    clock.now += 30
    assert await app.health() == (
        True,
        {"engine": "ready", "database": "ok", "last_poll_age_s": 30.0},
    )
    clock.now += 100
    assert (await app.health())[0] is False
    await app.stop()
    is_well, figures = await app.health()
    assert (is_well, figures["database"]) == (False, "failing")


def called_back(data_dir: Path, port: int) -> Config:
    plain = configured(data_dir)
    hook = WebhookConfig(url="https://bot.example/", secret=SecretStr("s3"))
    return plain.model_copy(
        update={
            "telegram": plain.telegram.model_copy(update={"webhook": hook}),
            "web": WebConfig(port=port),
        }
    )


async def posted(port: int, update: dict[str, Any]) -> int:
    url, headers = f"http://127.0.0.1:{port}/webhook", {SECRET_HEADER: "s3"}
    async with (
        ClientSession() as client,
        client.post(url, json=update, headers=headers) as answer,
    ):
        return answer.status


async def test_an_update_that_comes_while_the_bot_starts_is_handled_once(
    tmp_path: Path, unused_tcp_port: int
) -> None:
    session = HeldSession("getMe")
    app = await built(called_back(tmp_path, unused_tcp_port), session, ["ready"])
    handled = []

    async def note(handler: Any, event: Any, data: dict[str, Any]) -> Any:
        handled.append(event.update_id)
        return await handler(event, data)

    app.dispatcher.update.outer_middleware(note)
    running = asyncio.ensure_future(app.run())  # noqa: TID251
    await session.is_waiting.wait()
    posting = asyncio.ensure_future(posted(unused_tcp_port, message(1, "a fox")))  # noqa: TID251
    await asyncio.sleep(0.05)
    assert handled == []
    session.gate.set()
    assert await posting == 200
    await until(lambda: any("jpeg" in shown.content for shown in session.chats[7].values()))
    assert handled == [1]
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_with_a_webhook_updates_come_over_http(tmp_path: Path, unused_tcp_port: int) -> None:
    session = RecordingSession()
    app = await built(called_back(tmp_path, unused_tcp_port), session, ["ready"])
    running = asyncio.ensure_future(app.run())  # noqa: TID251
    await until(lambda: "setWebhook" in session.names())
    assert await posted(unused_tcp_port, message(1, "a fox")) == 200
    await until(lambda: any("jpeg" in shown.content for shown in session.chats[7].values()))
    path = tmp_path / "config.yaml"
    path.write_text(_config(tmp_path, unused_tcp_port))
    assert await asyncio.to_thread(probe, path) is None
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert "Connection refused" in (await asyncio.to_thread(probe, path) or "")


@pytest.mark.parametrize(
    ("method", "status", "says"),
    [
        ("getMe", 401, "Telegram refuses the bot token: Unauthorized"),
        ("setWebhook", 400, "Telegram refuses the webhook http://b.example/webhook: Unauthorized"),
    ],
)
async def test_the_command_says_in_one_line_what_telegram_refuses(
    tmp_path: Path, unused_tcp_port_factory: Callable[[], int], method: str, status: int, says: str
) -> None:
    user = {"id": 42, "is_bot": True, "first_name": "Bot"}

    async def telegram(request: web.Request) -> web.Response:
        if request.path.endswith(method):
            body = {"ok": False, "error_code": status, "description": "Unauthorized"}
            return web.json_response(body, status=status)
        return web.json_response({"ok": True, "result": user})

    application, port = web.Application(), unused_tcp_port_factory()
    application.router.add_route("*", "/{path:.*}", telegram)
    (tmp_path / "config.yaml").write_text(_config(tmp_path, unused_tcp_port_factory()))
    own = {
        "BOT_API_BASE": f"http://127.0.0.1:{port}",
        "WEBHOOK_URL": "http://b.example",
        "LOG_LEVEL": "error",
    }
    async with listening(WebConfig(port=port), application):
        code, said = await asyncio.to_thread(command, tmp_path, own)
    assert (code, said[-1]) == (2, says)
    assert not any("Traceback" in line for line in said)


def _config(folder: Path, port: int | None = None) -> str:
    tree: dict[str, Any] = {
        "telegram": {"token": TOKEN},
        "storage": {"data_dir": str(folder / "data")},
        "limits": LIMITS,
        "profile": "tiny",
        "profiles": {"tiny": PROFILE},
    }
    return yaml.safe_dump({**tree, "web": {"port": port}} if port else tree)


def test_the_probe_says_why_it_cannot_ask(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    assert "cannot be read" in (probe(path) or "")
    path.write_text(_config(tmp_path))
    assert "no `web` section" in (probe(path) or "")


async def test_a_data_directory_in_use_is_refused(tmp_path: Path) -> None:
    app = await built(configured(tmp_path), RecordingSession(), ["ready"])
    with pytest.raises(DatabaseUnusable):
        await built(configured(tmp_path), RecordingSession(), ["ready"])
    await app.stop()


async def test_the_client_speaks_to_the_server_of_the_configuration() -> None:
    usual = open_bot(TelegramConfig(token=SecretStr(TOKEN)))
    assert usual.session.api is PRODUCTION
    base = "http://127.0.0.1:1"
    own = open_bot(TelegramConfig(token=SecretStr(TOKEN), api_base=base))
    assert own.session.api.api_url(TOKEN, "getMe") == f"{base}/bot{TOKEN}/getMe"
    for bot in (usual, own):
        assert bot.default.parse_mode is None
        await bot.session.close()


def command(folder: Path, environment: dict[str, str]) -> tuple[int, list[str]]:
    """Run ``python -m bot`` to its end; the exit code, and what it has to complain of."""
    done = subprocess.run(
        [sys.executable, "-m", "bot"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stderr.strip().splitlines()


@pytest.mark.parametrize(
    ("config", "environment", "says"),
    [
        ("", {}, "config.yaml: must be a mapping of keys to values"),
        (None, {"BOT_TOKEN": "bad"}, "config.yaml: telegram.token: must look like"),
        (None, {"DATA_DIR": "/dev/null/x"}, "cannot be written"),
    ],
)
def test_the_command_says_in_one_line_what_is_wrong(
    tmp_path: Path, config: str | None, environment: dict[str, str], says: str
) -> None:
    (tmp_path / "config.yaml").write_text(_config(tmp_path) if config is None else config)
    code, [said] = command(tmp_path, environment)
    assert code == 2
    assert says in said

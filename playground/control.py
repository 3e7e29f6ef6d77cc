"""For tests: act as a person, ask for failures, read what bots did. Not part of the Bot API."""

from dataclasses import replace
from typing import Any, TypeVar

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from playground import page_view, people
from playground.acting import act, find_chat, find_person
from playground.arguments import read_arguments
from playground.errors import bad_request
from playground.faults import Fault, Faults
from playground.given import integer
from playground.model import InlineMode
from playground.rates import Allowance, Limits
from playground.transcript import Transcript
from playground.world import World

_Model = TypeVar("_Model", bound=BaseModel)


class RateSettings(BaseModel):
    """Other limits than Telegram's; what is left out stays at its default."""

    model_config = ConfigDict(extra="forbid")

    enabled: bool = True
    chat_burst: float | None = Field(None, ge=1)
    chat_per_second: float | None = Field(None, gt=0)
    group_per_minute: float | None = Field(None, ge=1)
    overall_per_second: float | None = Field(None, ge=1)

    def limits(self) -> Limits:
        """Put the given figures over the defaults."""
        usual = Limits()
        chat = Allowance(
            self.chat_burst or usual.chat.burst, self.chat_per_second or usual.chat.per_second
        )
        group, overall = usual.group, usual.overall
        if self.group_per_minute:
            group = Allowance(self.group_per_minute, self.group_per_minute / 60)
        if self.overall_per_second:
            overall = Allowance(self.overall_per_second, self.overall_per_second)
        return replace(usual, overall=overall, chat=chat, group=group, enabled=self.enabled)


class Restart(BaseModel):
    """How long the Bot API is away."""

    model_config = ConfigDict(extra="forbid")

    down_ms: int = Field(0, ge=0, le=600_000)


class InlineSettings(BaseModel):
    """What BotFather's /setinline and /setinlinefeedback would set for a bot."""

    model_config = ConfigDict(extra="forbid")

    bot: int
    enabled: bool = True
    placeholder: str = InlineMode.placeholder
    feedback: bool = True


class Control:
    """The addresses under `/playground/control`."""

    def __init__(self, world: World, faults: Faults, transcript: Transcript) -> None:
        self._world = world
        self._faults = faults
        self._transcript = transcript

    def routes(self) -> list[web.RouteDef]:
        """List the addresses."""
        base = "/playground/control"
        return [
            web.get(f"{base}/state", self.state),
            web.post(f"{base}/send", self.send),
            web.get(f"{base}/transcript", self.transcript),
            web.delete(f"{base}/transcript", self.clear_transcript),
            web.post(f"{base}/faults", self.add_fault),
            web.delete(f"{base}/faults", self.clear_faults),
            web.post(f"{base}/rates", self.set_rates),
            web.post(f"{base}/duplicate-update", self.duplicate_update),
            web.post(f"{base}/expire-callbacks", self.expire_callbacks),
            web.post(f"{base}/block", self.block),
            web.post(f"{base}/inline", self.set_inline),
            web.post(f"{base}/kick", self.kick),
            web.post(f"{base}/deactivate", self.deactivate),
            web.post(f"{base}/restart", self.restart),
        ]

    async def state(self, _request: web.Request) -> web.Response:
        """Everybody, and every chat with all its messages."""
        world = self._world
        return web.json_response(
            {
                "people": [page_view.person(person) for person in world.people.values()],
                "bots": [page_view.bot(seat.bot) for seat in world.seats.values()],
                "chats": [
                    page_view.chat(chat, newest=len(chat.messages) or 1)
                    for chat in world.chats.values()
                ],
            }
        )

    async def send(self, request: web.Request) -> web.Response:
        """Act as a person; see `acting.act`."""
        return web.json_response(await act(self._world, await read_arguments(request)))

    async def transcript(self, request: web.Request) -> web.Response:
        """Calls so far; `method` and `after` (a call's number) narrow them."""
        after = integer(request.query.get("after", "0"), "after")
        calls = self._transcript.calls(request.query.get("method"), after)
        return web.json_response({"calls": calls})

    async def clear_transcript(self, _request: web.Request) -> web.Response:
        """Forget the calls so far."""
        self._transcript.clear()
        return web.json_response({"ok": True})

    async def add_fault(self, request: web.Request) -> web.Response:
        """Ask for a failure; see `faults.Fault`."""
        self._faults.add(await _read(request, Fault))
        return web.json_response({"ok": True})

    async def clear_faults(self, _request: web.Request) -> web.Response:
        """Let everything work again."""
        self._faults.clear()
        return web.json_response({"ok": True})

    async def set_rates(self, request: web.Request) -> web.Response:
        """Set other limits, or none with `enabled` false."""
        self._world.rates.replace((await _read(request, RateSettings)).limits())
        return web.json_response({"ok": True})

    async def duplicate_update(self, _request: web.Request) -> web.Response:
        """Hand out every bot's next update twice."""
        for seat in self._world.seats.values():
            seat.updates.duplicate_next = True
        return web.json_response({"ok": True})

    async def expire_callbacks(self, _request: web.Request) -> web.Response:
        """Let all pressed buttons that wait grow too old."""
        return web.json_response({"ok": True, "expired": self._world.presses.expire()})

    async def block(self, request: web.Request) -> web.Response:
        """Let a person block the bot, or with `blocked` false let it in again."""
        fields = (await read_arguments(request)).fields
        person = find_person(self._world, fields.get("person"))
        chat = find_chat(self._world, fields.get("chat"), person)
        people.set_blocked(self._world, chat, blocked=_is_on(fields.get("blocked")))
        return web.json_response({"ok": True})

    async def set_inline(self, request: web.Request) -> web.Response:
        """Turn a bot's inline mode or its feedback on or off."""
        given = await _read(request, InlineSettings)
        seat = self._world.seats.get(given.bot)
        if seat is None:
            raise bad_request("bot not found")
        seat.bot.inline = InlineMode(given.enabled, given.placeholder, given.feedback)
        self._world.events.add("bot", bot=page_view.bot(seat.bot))
        return web.json_response({"ok": True})

    async def kick(self, request: web.Request) -> web.Response:
        """Put a bot (by default the first) out of a group, or with `kicked` false take it in."""
        fields = (await read_arguments(request)).fields
        chat = find_chat(self._world, fields.get("chat", "group"), find_person(self._world, None))
        number = integer(fields.get("bot", next(iter(self._world.seats))), "bot")
        seat = self._world.seats.get(number)
        if seat is None:
            raise bad_request("bot not found")
        people.set_kicked(self._world, chat, seat.bot, kicked=_is_on(fields.get("kicked")))
        return web.json_response({"ok": True})

    async def deactivate(self, request: web.Request) -> web.Response:
        """Let a person delete the account, or with `deactivated` false think again."""
        fields = (await read_arguments(request)).fields
        person = find_person(self._world, fields.get("person"))
        gone = self._world.deactivated
        (gone.add if _is_on(fields.get("deactivated")) else gone.discard)(person.id)
        self._world.events.add("person", person=page_view.person(person))
        return web.json_response({"ok": True})

    async def restart(self, request: web.Request) -> web.Response:
        """Restart as Telegram's servers do: calls in progress are cut, later ones met by a 502.

        Nothing is forgotten: unconfirmed updates come again.
        """
        wanted = await _read(request, Restart)
        cut = self._faults.restart(wanted.down_ms / 1000)
        for seat in self._world.seats.values():
            seat.updates.release_poll()
        return web.json_response({"ok": True, "cut": cut})


def _is_on(value: object) -> bool:
    """Read a switch from a form or JSON; without one it is on."""
    return str(True if value is None else value).lower() not in {"false", "0"}


async def _read(request: web.Request, model: type[_Model]) -> _Model:
    fields: dict[str, Any] = (await read_arguments(request)).fields
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        raise bad_request(f"can't parse: {error.errors(include_url=False)[0]['msg']}") from error

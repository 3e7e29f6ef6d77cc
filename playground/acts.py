"""All that a person may do beside writing, by the name of the field that asks for it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from playground import choosing, gestures, opening, page_view, paying, people
from playground.errors import bad_request
from playground.given import Given
from playground.model import Chat, Json, Message, Person
from playground.world import World


@dataclass(frozen=True)
class Scene:
    """Who acts where."""

    world: World
    person: Person
    chat: Chat


Act: TypeAlias = Callable[[Scene, Given], Awaitable[Json]]


def shown(messages: list[Message]) -> Json:
    """Show the messages that an act brought."""
    return {"messages": [page_view.message(message) for message in messages]}


async def _press(at: Scene, given: Given) -> Json:
    place = given.number("message_id"), given.number("row", 0), given.number("column", 0)
    return {"query": people.press(at.world, at.chat, at.person, *place).id}


async def _edit(at: Scene, given: Given) -> Json:
    number, text = given.number("message_id"), given.text("text", "")
    return shown([gestures.edit(at.world, at.chat, at.person, number, text)])


async def _delete(at: Scene, given: Given) -> Json:
    numbers = given.numbers("message_ids")
    return {"deleted": gestures.delete(at.world, at.chat, at.person, numbers)}


async def _forward(at: Scene, given: Given) -> Json:
    source = at.world.chats.get(given.text("from"))
    if source is None:
        raise bad_request("chat not found")
    numbers = given.numbers("message_ids")
    return shown(gestures.forward(at.world, at.chat, at.person, source, numbers))


async def _react(at: Scene, given: Given) -> Json:
    emoji = given.text("emoji") if given.fields.get("emoji") else None
    gestures.react(at.world, at.chat, at.person, given.number("message_id"), emoji)
    return {"ok": True}


async def _stop_draft(at: Scene, given: Given) -> Json:
    gestures.stop_draft(at.world, at.chat, given.number("draft_id"))
    return {"ok": True}


async def _inline(at: Scene, given: Given) -> Json:
    seat = at.world.seats.get(given.number("bot"))
    if seat is None:
        raise bad_request("bot not found")
    text, offset = given.text("query", ""), given.text("offset", "")
    query = choosing.ask(at.world, at.chat, at.person, seat.bot, text, offset)
    return {"query": query.id}


async def _choose(at: Scene, given: Given) -> Json:
    names = given.text("query"), given.text("result")
    return shown([await choosing.choose(at.world, at.chat, at.person, *names)])


async def _web_app(at: Scene, given: Given) -> Json:
    source = given.text("source")
    row, column = given.number("row", 0), given.number("column", 0)
    if source == "button":
        number = given.number("message_id")
        app = opening.open_button(at.world, at.chat, at.person, number, row, column)
    elif source == "keyboard":
        app = opening.open_keyboard(at.world, at.chat, at.person, row, column)
    elif source == "menu":
        app = opening.open_menu(at.world, at.chat, at.person)
    elif source == "inline":
        app = opening.open_inline(at.world, at.chat, at.person, given.text("query"))
    else:
        raise bad_request("a Mini App opens from a button, keyboard, menu or inline")
    return opening.shown(app)


async def _web_app_data(at: Scene, given: Given) -> Json:
    names = given.text("app"), given.text("data", "")
    return shown([opening.send_data(at.world, at.person, *names)])


async def _close_app(at: Scene, given: Given) -> Json:
    at.world.apps.close(at.world.apps.find(given.text("app"), at.person))
    return {"ok": True}


async def _pay(at: Scene, given: Given) -> Json:
    if "slug" in given.fields:
        checkout = paying.pay_link(at.world, at.chat, at.person, given.text("slug"))
    else:
        number = given.number("message_id")
        checkout = paying.pay_message(at.world, at.chat, at.person, number)
    return {"payment": checkout.id}


ACTS: Final[dict[str, Act]] = {
    "press": _press,
    "edit": _edit,
    "delete": _delete,
    "forward": _forward,
    "react": _react,
    "stop_draft": _stop_draft,
    "inline": _inline,
    "choose": _choose,
    "web_app": _web_app,
    "web_app_data": _web_app_data,
    "close_app": _close_app,
    "pay": _pay,
}

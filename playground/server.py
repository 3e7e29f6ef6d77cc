"""The one place where the playground's parts meet, and the web application made of them."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from aiohttp import web

from playground.bot_endpoint import BotEndpoint
from playground.control import Control
from playground.errors import ApiError, StateError
from playground.faults import Faults
from playground.files import FileStore
from playground.guard import Guard, add_headers, guarded
from playground.nursery import Nursery
from playground.page_api import PageApi
from playground.restoring import load
from playground.state import Saver, StateFile
from playground.transcript import Transcript
from playground.webhooks import WebhookDelivery
from playground.world import DEFAULT_TOKEN, Settings, World, populate

_STATIC: Final = Path(__file__).parent / "static"


@dataclass
class Playground:
    """A world with everything that serves it."""

    world: World
    guard: Guard = field(default_factory=lambda: Guard("127.0.0.1"))
    bot_command: str | None = None
    faults: Faults = field(default_factory=Faults)
    transcript: Transcript = field(default_factory=Transcript)
    nursery: Nursery = field(default_factory=Nursery)
    webhook_delay_s: float = 1.0
    saver: Saver | None = None


def new_playground(
    folder: Path,
    token: str = DEFAULT_TOKEN,
    settings: Settings | None = None,
    guard: Guard | None = None,
    bot_command: str | None = None,
    state: StateFile | None = None,
) -> Playground:
    """Make a world with two people, a group and one bot, or the one a state file holds.

    Uploaded files are kept in `folder`, which must be empty and not shared, or beside `state`.

    Raises:
        ApiError: the token is malformed.
        StateError: the state file cannot be read, or knows the bot by another token.
    """
    chosen = settings or Settings()
    if state is None:
        world = World(FileStore(folder, chosen.stored_bytes), chosen)
        populate(world, token)
        return Playground(world, guard or Guard("127.0.0.1"), bot_command)
    world = World(FileStore(state.folder, chosen.stored_bytes, state.secret()), chosen)
    load(world, state)
    saver = Saver(world, state)
    try:
        populate(world, token)
    except ApiError as error:
        raise StateError(
            f"The state file {state.path} knows this bot by another token."
        ) from error
    return Playground(world, guard or Guard("127.0.0.1"), bot_command, saver=saver)


def build_app(playground: Playground) -> web.Application:
    """Make the application: bots under `/bot`, people under `/page`, tests under `/playground`."""
    world = playground.world
    endpoint = BotEndpoint(world, playground.faults, playground.transcript)
    delivery = WebhookDelivery(endpoint, playground.nursery, playground.webhook_delay_s)
    app = web.Application(middlewares=[guarded(playground.guard)])
    call = _with_webhooks(endpoint, world, delivery)
    app.router.add_route("GET", "/bot{token}/{method}", call)
    app.router.add_route("POST", "/bot{token}/{method}", call)
    app.router.add_get("/file/bot{token}/{path:.+}", endpoint.download)
    app.add_routes(PageApi(world, playground.bot_command).routes())
    app.add_routes(Control(world, playground.faults, playground.transcript).routes())
    app.router.add_get("/", _index)
    app.router.add_static("/static", _STATIC)
    app.on_response_prepare.append(add_headers)

    async def start(_app: web.Application) -> None:
        if playground.saver:
            playground.nursery.start(playground.saver.run(), "saving")
        for seat in world.seats.values():
            if seat.webhook is not None:
                delivery.serve(seat)

    async def let_go(_app: web.Application) -> None:
        world.close()

    async def end(_app: web.Application) -> None:
        # Not before the last call has been answered: it, too, is saved.
        await playground.nursery.close()

    app.on_startup.append(start)
    app.on_shutdown.append(let_go)
    app.on_cleanup.append(end)
    return app


def _with_webhooks(
    endpoint: BotEndpoint, world: World, delivery: WebhookDelivery
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def call(request: web.Request) -> web.StreamResponse:
        response = await endpoint.call(request)
        for seat in world.seats.values():
            if seat.webhook is not None:
                delivery.serve(seat)
        return response

    return call


async def _index(_request: web.Request) -> web.StreamResponse:
    return web.FileResponse(_STATIC / "index.html")

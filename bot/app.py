"""The composition root: the one place where parts meet, and the life of the whole."""

import asyncio
import logging
import secrets
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from aiogram import Bot, Dispatcher
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import PRODUCTION, TelegramAPIServer
from aiogram.fsm.strategy import FSMStrategy

from bot import card_buttons, commands, offering, settings
from bot.cards import ModeCard
from bot.clock import Clock
from bot.config import Config, TelegramConfig
from bot.context import Context
from bot.delivery import TelegramDelivery
from bot.errors import refuse_given_up, register_errors
from bot.flows import Flow, discover_flows
from bot.fsm import ConversationStorage
from bot.greeting import introduce
from bot.inbox import POLL_TIMEOUT_S, Poller, Raw, Reception
from bot.jobs.ports import Engine
from bot.jobs.service import JobService
from bot.leads import Lead
from bot.normaliser import Normaliser
from bot.outbox import Outbox
from bot.presses import Recent
from bot.sender import Sender
from bot.tasks import Tasks
from bot.texts import DEFAULT_LANGUAGE, Languages
from bot.uploads import Intake
from bot.web import Health, build_web, listening
from pipelines.contracts import AnyMode
from pipelines.profiles import Profile
from pipelines.registry import discover_modes
from storage.blobs import Blobs
from storage.conversations import Conversations
from storage.database import Database
from storage.inbox import Inbox
from storage.jobs import Jobs
from storage.people import People

logger = logging.getLogger(__name__)

DEAF_AFTER_S: Final = 4.0 * POLL_TIMEOUT_S
GRACE_S: Final = 1.5
"""For what is being handled, and for the batch that runs, when the bot is told to stop."""
STOP_S: Final = 9.0
"""For the whole goodbye: Docker by itself kills after ten seconds, and an engine at work may take
seven to leave. The next start takes up whatever this did not come to."""


@dataclass(frozen=True, slots=True)
class App:
    """A built bot. Tests feed its dispatcher; ``__main__`` runs it.

    Attributes:
        flows: of the modes that the profile serves; people are offered no others.
    """

    config: Config
    bot: Bot
    database: Database
    dispatcher: Dispatcher
    flows: Sequence[Flow]
    languages: Languages
    jobs: JobService
    table: Jobs
    people: People
    delivery: TelegramDelivery
    reception: Reception
    poller: Poller
    tasks: Tasks
    readiness: Callable[[], str]

    async def start(self) -> None:
        """Take up what the last run left, and begin to work; nothing is received yet."""
        await self.jobs.start()
        if left := await self.reception.replay():
            logger.info("%s updates of the last run are handled first", left)

    async def stop(self) -> None:
        """Finish or put back what is being done, and close everything."""
        try:
            async with asyncio.timeout(STOP_S):
                # At once, so that neither takes from the other's time.
                await asyncio.gather(self.reception.stop(GRACE_S), self.jobs.stop(GRACE_S))
                await self.delivery.stop()
                await self.tasks.stop()
        except TimeoutError:
            logger.warning("not everything came to an end; the next start takes it up")
        await self.database.close()
        await self.bot.session.close()

    async def run(self) -> None:
        """Serve until cancelled.

        Raises:
            TokenRefused: Telegram does not know the token.
            WebhookRefused: Telegram will not call the address of the ``webhook`` section.
            CannotListen: the port of the ``web`` section cannot be had.
        """
        webhook = self.config.telegram.webhook
        chosen = webhook.secret if webhook else None
        # Without a secret of the operator's own, a new one for every start will do.
        secret = chosen.get_secret_value() if chosen else secrets.token_urlsafe(32)
        is_started = asyncio.Event()

        async def take(update: Raw) -> None:
            # Not before the last run's updates are taken up: this might be among them.
            await is_started.wait()
            await self.reception.take(update)

        try:
            door = build_web(self.health, take if webhook else None, secret)
            async with listening(self.config.web, door):
                await self.poller.identify()
                await self.start()
                is_started.set()
                self.tasks.start(introduce(self.bot, self.languages, self.flows), "greeting")
                if webhook is None:
                    await self.poller.run()
                else:
                    await self.poller.be_called(f"{webhook.url.rstrip('/')}/webhook", secret)
        finally:
            await self.stop()

    async def health(self) -> tuple[bool, Health]:
        """Tell whether people are being served, and by what that is judged."""
        engine, silence_s = self.readiness(), self.poller.silence_s
        is_stored = await self._is_stored()
        figures: Health = {
            "engine": engine,
            "database": "ok" if is_stored else "failing",
            "last_poll_age_s": None if silence_s is None else round(silence_s, 1),
        }
        is_deaf = silence_s is not None and silence_s > DEAF_AFTER_S
        return engine != "broken" and is_stored and not is_deaf, figures

    async def _is_stored(self) -> bool:
        try:
            await self.table.totals()
        except (sqlite3.Error, ValueError) as fault:
            logger.error("the database does not answer: %s", fault)
            return False
        return True


def open_bot(telegram: TelegramConfig) -> Bot:
    """Make the client; nothing is connected yet.

    Markup is never parsed: what people type is shown as typed.
    """
    base = telegram.api_base
    api = TelegramAPIServer.from_base(base) if base else PRODUCTION
    return Bot(telegram.token.get_secret_value(), session=AiohttpSession(api=api, timeout=30))


async def build_app(
    config: Config,
    bot: Bot,
    *,
    engine: Engine,
    readiness: Callable[[], str] = lambda: "ready",
    clock: Clock | None = None,
) -> App:
    """Wire everything. Tests pass an engine and a clock of their own; nothing else is replaced.

    Args:
        config: the whole configuration.
        bot: a fresh one; the rules of sending are attached to its session.
        engine: draws; started and stopped by the app.
        readiness: the engine's state in one word, for ``/healthz``; "broken" is not well.
        clock: the machine's by default.

    Raises:
        DatabaseUnusable: the data directory cannot serve.
    """
    clock = clock or Clock()
    sender, languages, modes = Sender(clock), Languages(), discover_modes()
    flows, leads, cards = _conversations(config.weights, modes)
    database = await Database.open(config.storage.database)
    table, people = Jobs(database, clock), People(database, clock)
    blobs = _blobs(config, database, clock)
    outbox, intake = Outbox(bot, blobs), Intake(bot, blobs, table, Normaliser())
    delivery = _delivery(config, outbox, table, people, cards, languages, sender, clock)
    jobs = JobService(
        engine=engine,
        delivery=delivery,
        jobs=table,
        blobs=blobs,
        modes=modes,
        limits=config.limits,
        batch_pictures=config.weights.batch_pictures,
        clock=clock,
    )
    parts = {"jobs": jobs, "table": table, "people": people, "delivery": delivery}
    known = {"modes": modes, "cards": cards, "languages": languages}
    given = {**parts, **known, "intake": intake, "leads": leads}
    dispatcher = _dispatcher(config, database, people, flows, clock, given)
    bot.session.middleware(sender)
    reception = Reception(Inbox(database, clock), dispatcher, bot, clock)
    return App(
        config,
        bot,
        database,
        dispatcher,
        flows,
        languages,
        jobs,
        table,
        people,
        delivery,
        reception,
        Poller(bot, reception, clock),
        Tasks(),
        readiness,
    )


def _conversations(
    profile: Profile, modes: Mapping[str, AnyMode]
) -> tuple[list[Flow], list[Lead], dict[str, ModeCard]]:
    """Find the flows and leads of the modes that the profile serves, and the cards of all.

    A profile served before may have left jobs of other modes, and their cards are still shown.
    """
    every = discover_flows()
    served = [flow for flow in every if modes[flow.mode].is_served(profile)]
    leads = [flow.lead for flow in served if flow.lead]
    cards = {flow.mode: replace(flow.card(profile), leads=leads) for flow in every}
    return served, leads, cards


def _delivery(
    config: Config,
    outbox: Outbox,
    table: Jobs,
    people: People,
    cards: Mapping[str, ModeCard],
    languages: Languages,
    sender: Sender,
    clock: Clock,
) -> TelegramDelivery:
    return TelegramDelivery(
        outbox,
        table,
        people,
        modes=cards,
        languages=languages,
        pace=sender.pace,
        clock=clock,
        edit_interval_s=config.cards.edit_interval_s,
    )


def _blobs(config: Config, database: Database, clock: Clock) -> Blobs:
    return Blobs(
        config.storage.blobs,
        database,
        lifetime_s=config.storage.blob_lifetime_h * 3600,
        max_bytes=config.storage.blobs_max_bytes,
        clock=clock,
    )


def _dispatcher(
    config: Config,
    database: Database,
    people: People,
    flows: Sequence[Flow],
    clock: Clock,
    given: dict[str, Any],
) -> Dispatcher:
    """Route updates: commands, then conversations, then whatever is left.

    Everything in ``given`` can be asked for by name in any handler.
    """
    languages, recent = given["languages"], Recent(clock)
    dispatcher = Dispatcher(
        storage=ConversationStorage(Conversations(database, clock)),
        fsm_strategy=FSMStrategy.USER_IN_TOPIC,
        # What an update brings of its own; the defaults are for handlers of failures.
        texts=languages[DEFAULT_LANGUAGE],
        is_replayed=False,
        is_given_up=False,
        flows=flows,
        profile=config.weights,
        prompting=config.prompting,
        recent=recent,
        **given,
    )
    dispatcher.update.outer_middleware(Context(people, languages))
    dispatcher.update.outer_middleware(refuse_given_up)
    dispatcher.include_routers(
        commands.routes(flows),
        card_buttons.routes(),
        settings.routes(),
        *(flow.routes() for flow in flows),
        offering.routes(given["leads"]),
        commands.last_routes(),
    )
    register_errors(dispatcher)
    return dispatcher

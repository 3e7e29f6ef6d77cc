"""Conversations. One file per mode; each exposes exactly one ``FLOW``."""

import importlib
import pkgutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiogram import Router

from bot.cards import ModeCard
from bot.keyboards import Row
from bot.leads import Lead
from bot.texts import Texts
from pipelines.profiles import Profile

Handler = Callable[..., Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Flow:
    """One conversation: the mode it feeds, how it opens, how it goes on, what its cards say.

    Its texts have a sentence ``<mode>-command`` (for Telegram's menu) and ``<mode>-help``, with
    dashes for the underscores of the mode's name.

    Attributes:
        open: registered by the app ahead of every route table, so that a command always wins over
            a half-finished conversation and always starts from an empty draft.
        routes: builds a fresh router: a router can be attached only once, an app many times.
        card: what the mode adds to its cards, with this profile's weights.
        help: the sentence ``<mode>-help``, filled.
        examples: rows of buttons that show what can be asked.
        lead: the button it offers under every picture, where it can begin with one.
    """

    mode: str
    command: str
    open: Handler
    routes: Callable[[], Router]
    card: Callable[[Profile], ModeCard]
    help: Callable[[Texts, Profile], str]
    examples: Callable[[Texts, Profile], list[Row]] = lambda _texts, _profile: []
    lead: Lead | None = None


class MalformedFlow(Exception):
    """A flow file that does not keep the contract; the message names it."""


def discover_flows() -> list[Flow]:
    """Import each flow file once, in alphabetical order.

    Raises:
        MalformedFlow: a file of this package defines no ``FLOW``, or one of another mode.
    """
    flows = []
    for info in pkgutil.iter_modules(__path__):
        flow = getattr(importlib.import_module(f"{__name__}.{info.name}"), "FLOW", None)
        if not isinstance(flow, Flow) or flow.mode != info.name:
            raise MalformedFlow(f"bot/flows/{info.name}.py must define FLOW of mode {info.name}")
        flows.append(flow)
    return flows

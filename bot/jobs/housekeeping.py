"""What must be thrown away now and then."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from storage import quotas, turns
from storage.blobs import Blobs
from storage.conversations import Conversations
from storage.inbox import Inbox
from storage.jobs import Jobs
from storage.paces import Paces

logger = logging.getLogger(__name__)

Chore = Callable[[], Awaitable[int]]
"""Throws away what is no longer needed; returns how many."""


@dataclass(frozen=True, slots=True)
class Keeping:
    """How long things are kept, and how often it is looked. Pictures have their own lifetime."""

    every_s: float = 600.0
    jobs_s: float = 30 * 86_400.0
    updates_s: float = 7 * 86_400.0
    drafts_s: float = 30 * 86_400.0


def chores_of(
    keeping: Keeping,
    jobs: Jobs,
    blobs: Blobs,
    clock: Callable[[], float] = time.time,
) -> dict[str, Chore]:
    """Every chore there is, by what it throws away."""
    inbox, paces = Inbox(jobs.db, clock), Paces(jobs.db, clock)
    conversations = Conversations(jobs.db, clock)
    return {
        "blobs": blobs.collect,
        "jobs": lambda: jobs.forget_older_than(keeping.jobs_s),
        "updates": lambda: inbox.forget_older_than(keeping.updates_s),
        "drafts": lambda: conversations.forget_older_than(keeping.drafts_s),
        "paces": paces.forget_old,
        "turns": lambda: turns.forget_idle(jobs.db),
        "quota days": lambda: quotas.forget_old_days(jobs.db, clock()),
        "buckets": lambda: quotas.forget_old_buckets(jobs.db, clock()),
    }


async def keep_house(chores: Mapping[str, Chore], every_s: float) -> None:
    """Do all chores now and every ``every_s`` seconds; one that fails holds up no other."""
    while True:
        for name, chore in chores.items():
            try:
                count = await chore()
            except Exception:
                logger.exception("old %s cannot be thrown away", name)
            else:
                if count:
                    logger.info("threw away %d old %s", count, name)
        await asyncio.sleep(every_s)

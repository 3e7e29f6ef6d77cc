"""The optional state file: what a world keeps over a restart, in SQLite.

The world lives in memory; this writes behind it, every fraction of a second and in a thread, so
that no call waits for a disk. A kill -9 therefore loses at most what changed in the last
`FLUSH_EVERY_S` and the write that was under way. Bytes of files lie in a folder beside the file.

Waiting buttons, inline queries, open Mini Apps and drafts live seconds and are not kept.
"""

import asyncio
import json
import logging
import secrets
import sqlite3
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, TypeAlias

from playground import records
from playground.errors import StateError
from playground.model import Json
from playground.world import Seat, World

_log: Final = logging.getLogger(__name__)
FLUSH_EVERY_S: Final = 0.2
_VERSION: Final = 1
_TABLES: Final = """
CREATE TABLE IF NOT EXISTS record (
    kind TEXT NOT NULL, key TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (kind, key));
CREATE TABLE IF NOT EXISTS message (
    chat TEXT NOT NULL, id INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (chat, id));
CREATE TABLE IF NOT EXISTS pending (
    bot INTEGER NOT NULL, id INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (bot, id));
"""
Statement: TypeAlias = tuple[str, tuple[object, ...]]


class StateFile:
    """The database alone: opened, read whole, written in batches.

    Only one playground may have it open; a second one is refused.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        try:
            self._connection = sqlite3.connect(path, timeout=0.5, check_same_thread=False)
            self._prepare()
        except sqlite3.Error as error:
            raise StateError(f"Cannot use the state file {path}: {error}.") from error

    @property
    def folder(self) -> Path:
        """Where the bytes of files lie."""
        return self.path.with_name(f"{self.path.name}.files")

    def _prepare(self) -> None:
        connection = self._connection
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        [version] = connection.execute("PRAGMA user_version").fetchone()
        if version not in {0, _VERSION}:
            raise StateError(f"The state file {self.path} is of another version, {version}.")
        connection.executescript(_TABLES)
        connection.execute(f"PRAGMA user_version = {_VERSION}")
        connection.commit()
        self.folder.mkdir(exist_ok=True)

    def secret(self) -> bytes:
        """Give the key that file_ids are signed with, the same over all restarts."""
        for kept in self.read("secret"):
            return bytes.fromhex(kept["hex"])
        fresh = secrets.token_bytes(16)
        self.write([_put("secret", "", {"hex": fresh.hex()})])
        return fresh

    def read(self, kind: str) -> list[Json]:
        """Read all records of a kind, oldest first."""
        rows = self._connection.execute(
            "SELECT body FROM record WHERE kind = ? ORDER BY rowid", (kind,)
        )
        return [json.loads(body) for (body,) in rows]

    def messages(self) -> Iterable[tuple[str, Json]]:
        """Read all messages in order, each with its chat's key."""
        rows = self._connection.execute("SELECT chat, body FROM message ORDER BY chat, id")
        return ((chat, json.loads(body)) for chat, body in rows)

    def pending(self) -> Iterable[tuple[int, list[Any]]]:
        """Read all updates that wait, each with its bot's id."""
        rows = self._connection.execute("SELECT bot, body FROM pending ORDER BY bot, id")
        return ((bot, json.loads(body)) for bot, body in rows)

    def write(self, statements: list[Statement]) -> None:
        """Do all of it, or none."""
        with self._lock, self._connection:
            for statement, values in statements:
                self._connection.execute(statement, values)

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()


def _put(kind: str, key: object, body: Json) -> Statement:
    text = json.dumps(body, ensure_ascii=False)
    # An upsert leaves a record in its place among the others, which is the order of reading.
    statement = (
        "INSERT INTO record VALUES (?, ?, ?) "
        "ON CONFLICT (kind, key) DO UPDATE SET body = excluded.body"
    )
    return statement, (kind, str(key), text)


def _drop(kind: str, key: object) -> Statement:
    return "DELETE FROM record WHERE kind = ? AND key = ?", (kind, str(key))


class Saver:
    """Follows a world's changes and writes them behind it."""

    def __init__(self, world: World, file: StateFile) -> None:
        self._world = world
        self._file = file
        # Dictionaries for sets that keep their order.
        self._chats: dict[str, None] = {}
        self._messages: dict[tuple[str, int], None] = {}
        self._media: dict[str, None] = {}
        self._accounts = False
        self._saved_updates: dict[int, set[int]] = {}
        self._seen_changes: dict[int, int] = {}
        self._saved_payments: dict[str, int | None] = {}
        self._saved_links: set[str] = set()
        self._seen_payments = 0
        world.events.watch = self._note
        world.files.watch = self._media.setdefault

    def _note(self, kind: str, body: Json) -> None:
        """Mark what an event of the page's log is about: every change is told there."""
        if kind in {"reload", "bot", "person"}:
            self._accounts = True
            self._chats.update(dict.fromkeys(self._world.chats))
        key = body.get("chat")
        if not isinstance(key, str):
            return
        self._chats[key] = None
        if kind in {"message", "edited"}:
            self._messages[key, body["message"]["id"]] = None
        elif kind == "deleted":
            self._messages.update(dict.fromkeys((key, number) for number in body["messages"]))

    async def run(self) -> None:
        """Write now and then, until cancelled; then for the last time.

        What a full disk refused is tried again with what came after it.
        """
        waiting: list[Statement] = []
        try:
            while True:
                await asyncio.sleep(FLUSH_EVERY_S)
                waiting += self.collect()
                if waiting:
                    waiting = await asyncio.to_thread(self._attempt, waiting)
        finally:
            # On the way out nobody waits any more, so this may stop the loop for a moment.
            self._attempt([*waiting, *self.collect()])
            self._file.close()

    def _attempt(self, statements: list[Statement]) -> list[Statement]:
        """Write; gives back what could not be written."""
        try:
            self._file.write(statements)
        except sqlite3.Error:
            _log.exception("the state file cannot be written")
            return statements
        return []

    def collect(self) -> list[Statement]:
        """Turn what has changed since the last time into statements."""
        statements = [*self._account_rows(), *self._chat_rows(), *self._message_rows()]
        for unique_id in self._media:
            statements.append(_drop("media", unique_id))
            if media := self._world.files.known(unique_id):
                # Anew, behind all others: the oldest are the first to go.
                statements.append(_put("media", unique_id, records.media_record(media)))
        self._media.clear()
        for seat in self._world.seats.values():
            statements += self._update_rows(seat)
        return [*statements, *self._payment_rows()]

    def _account_rows(self) -> Iterable[Statement]:
        if not self._accounts:
            return
        self._accounts = False
        for person in self._world.people.values():
            gone = person.id in self._world.deactivated
            body = {**records.person_record(person), "deactivated": gone}
            yield _put("person", person.id, body)
        for seat in self._world.seats.values():
            yield _put("bot", seat.bot.id, records.bot_record(seat.bot))

    def _chat_rows(self) -> Iterable[Statement]:
        for key in self._chats:
            chat = self._world.chats[key]
            yield _put("chat", key, records.chat_record(chat))
            oldest = next(iter(chat.messages), chat.next_message_id)
            yield "DELETE FROM message WHERE chat = ? AND id < ?", (key, oldest)
        self._chats.clear()

    def _message_rows(self) -> Iterable[Statement]:
        for key, number in self._messages:
            message = self._world.chats[key].messages.get(number)
            if message is None:
                yield "DELETE FROM message WHERE chat = ? AND id = ?", (key, number)
            else:
                body = json.dumps(records.message_record(message), ensure_ascii=False)
                yield "INSERT OR REPLACE INTO message VALUES (?, ?, ?)", (key, number, body)
        self._messages.clear()

    def _update_rows(self, seat: Seat) -> Iterable[Statement]:
        """Write a bot's queue, what it asked for, and its webhook."""
        bot_id = seat.bot.id
        if self._seen_changes.get(bot_id) == seat.updates.changes:
            return
        self._seen_changes[bot_id] = seat.updates.changes
        pending = {update.id: update for update in seat.updates.pending}
        saved = self._saved_updates.get(bot_id)
        if saved is None:  # some may have been confirmed between reading the file and now
            yield "DELETE FROM pending WHERE bot = ?", (bot_id,)
            saved = set()
        for number in saved - pending.keys():
            yield "DELETE FROM pending WHERE bot = ? AND id = ?", (bot_id, number)
        for number in pending.keys() - saved:
            update = pending[number]
            body = json.dumps([number, update.kind, update.payload, update.dies_at])
            yield "INSERT OR REPLACE INTO pending VALUES (?, ?, ?)", (bot_id, number, body)
        self._saved_updates[bot_id] = set(pending)
        hook = seat.webhook
        body_of_seat: Json = {
            "bot": bot_id,
            "last_id": seat.updates.last_id,
            "allowed": seat.updates.allowed_updates,
            "webhook": [hook.url, hook.secret_token, hook.max_connections] if hook else None,
        }
        yield _put("seat", bot_id, body_of_seat)

    def _payment_rows(self) -> Iterable[Statement]:
        """Write payments, and the invoices behind links."""
        if self._world.till.changes == self._seen_payments:
            return
        self._seen_payments = self._world.till.changes
        payments = {known.charge_id: known for known in self._world.till.payments()}
        for charge_id in self._saved_payments.keys() - payments.keys():
            yield _drop("payment", charge_id)
        for charge_id, payment in payments.items():
            if self._saved_payments.get(charge_id, -1) != payment.refunded_at:
                yield _put("payment", charge_id, records.payment_record(payment))
        self._saved_payments = {name: known.refunded_at for name, known in payments.items()}
        links = {known.slug: known for known in self._world.till.links()}
        for slug in self._saved_links - links.keys():
            yield _drop("invoice", slug)
        for slug in links.keys() - self._saved_links:
            yield _put("invoice", slug, records.invoice_record(links[slug]))
        self._saved_links = set(links)

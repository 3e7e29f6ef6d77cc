"""The command: `python -m playground [--port 8081] [--bot "COMMAND ..."]`."""

import argparse
import logging
import re
import shlex
import sys
from pathlib import Path
from typing import Final

import quick_aiogram  # noqa: F401 - before anything else of ours imports aiogram
from playground.guard import LOCAL_NAMES
from playground.launcher import Options, run
from playground.rates import Limits
from playground.world import DEFAULT_TOKEN, Settings

_MB: Final = 1024 * 1024


def _token(text: str) -> str:
    if not re.fullmatch(r"\d{1,15}:[\w-]{1,64}", text, re.ASCII):
        raise argparse.ArgumentTypeError("a token looks like 12345:playground")
    return text


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError("a port is a number from 0 (any free one) to 65535")
    return int(text)


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1_000_000:
        raise argparse.ArgumentTypeError("a count is a number from 1 to 1000000")
    return int(text)


def _command(text: str) -> str:
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{error} in the command".lower()) from error
    if not words or not words[0]:
        raise argparse.ArgumentTypeError("a command is needed")
    return text


def _add_leniency(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="another name under which browsers and bots may reach this server",
    )
    parser.add_argument(
        "--no-limits", action="store_true", help="never answer 429, never slow a poll down"
    )
    parser.add_argument(
        "--allow-http", action="store_true", help="take http webhooks and Mini Apps, on any port"
    )


def _add_keeping(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--state",
        type=Path,
        metavar="FILE",
        help="keep everything over a restart in this file, and uploads in FILE.files; "
        "without it, all is gone in the end",
    )
    parser.add_argument(
        "--keep-messages",
        type=_count,
        default=Settings.messages_per_chat,
        metavar="N",
        help="newest messages kept in each chat",
    )
    parser.add_argument(
        "--keep-mb",
        type=_count,
        default=Settings.stored_bytes // _MB,
        metavar="N",
        help="newest megabytes of files kept",
    )


def _add_serving(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=_port, default=8081, help="port; 0 takes any free one")


def _add_bot(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--token", type=_token, default=DEFAULT_TOKEN, help="the bot's token")
    parser.add_argument(
        "--bot",
        type=_command,
        help="command that starts a bot; it gets BOT_TOKEN and BOT_API_BASE",
    )
    parser.add_argument("--name", default=Settings.bot_name, help="what bots are called at first")


def parse(arguments: list[str]) -> Options:
    """Read the command line; a mistake ends the program with one sentence."""
    parser = argparse.ArgumentParser(
        prog="playground", description="A Telegram on your own machine, for any bot."
    )
    for add in (_add_serving, _add_bot, _add_leniency, _add_keeping):
        add(parser)
    given = parser.parse_args(arguments)
    limits = Limits(enabled=not given.no_limits)
    return Options(
        given.host,
        given.port,
        given.token,
        given.bot,
        frozenset(given.allow_host),
        Settings(
            messages_per_chat=given.keep_messages,
            stored_bytes=given.keep_mb * _MB,
            limits=limits,
            bot_name=given.name,
            allow_http=given.allow_http,
            fetches=given.host in LOCAL_NAMES,
        ),
        given.state,
    )


def main() -> None:
    """Run the playground until it is told to stop or its bot ends."""
    logging.basicConfig(level=logging.WARNING, format="%(name)s: %(message)s")
    sys.exit(run(parse(sys.argv[1:])))


if __name__ == "__main__":
    main()

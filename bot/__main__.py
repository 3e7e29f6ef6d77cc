"""``python -m bot``: serve Telegram until told to stop."""

import asyncio
import logging
import signal
import sys

import quick_aiogram  # noqa: F401 - before anything else of ours imports aiogram
from bot.app import build_app, open_bot
from bot.config import Config, ConfigError, config_path, load_config, log_level
from bot.inbox import TokenRefused, WebhookRefused
from bot.web import CannotListen
from pipelines.engine.local import LocalEngine
from storage.database import DatabaseUnusable


async def serve(config: Config) -> None:
    """Build everything and run until the first SIGINT or SIGTERM."""
    serving = asyncio.current_task()
    told_to_stop = asyncio.Event()

    def stop() -> None:
        # A terminal and a supervisor may both ask; the second must not cut the goodbye short.
        if serving is not None and not told_to_stop.is_set():
            told_to_stop.set()
            serving.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    engine = LocalEngine(config.weights, config.prompting)
    app = await build_app(
        config,
        open_bot(config.telegram),
        engine=engine,
        readiness=lambda: engine.readiness.state,
    )
    try:
        await app.run()
    except asyncio.CancelledError:
        if not told_to_stop.is_set():
            raise


def main() -> int:
    """Return the exit code; what is wrong is said in one line."""
    try:
        logging.basicConfig(level=log_level(), format="%(levelname)s %(name)s: %(message)s")
        logging.getLogger("aiogram.event").setLevel(logging.WARNING)
        asyncio.run(serve(load_config(config_path())))
    except (ConfigError, DatabaseUnusable, CannotListen, TokenRefused, WebhookRefused) as fault:
        print(fault, file=sys.stderr)  # noqa: T201 - the operator reads this line
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())

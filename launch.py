"""``make run``: serve Telegram when there is a token, else a chat page on this machine.

With ``BOT_TOKEN`` in the environment or in ``.env`` the bot is started as it is. Without one, the
playground starts the very same bot against a Bot API server of its own and opens a chat page.
Either way this process becomes the one it starts: signals and exit codes are that program's.
"""

import os
import shlex
import sys
from pathlib import Path
from typing import Final

from dotenv import load_dotenv

ROOT: Final = Path(__file__).parent


def command() -> list[str]:
    """Return the program to become, as its argument vector."""
    bot = [sys.executable, "-m", "bot"]
    if os.environ.get("BOT_TOKEN", "").strip():
        return bot
    os.environ.setdefault("LOG_LEVEL", "warning")  # the address is what matters here
    port = os.environ.get("PORT", "8081")
    playground = [sys.executable, "-m", "playground", "--port", port, "--name", "Kandinsky"]
    return [*playground, "--bot", shlex.join(bot)]


def main() -> None:
    """Become the bot, or the playground with the bot in it."""
    os.chdir(ROOT)
    load_dotenv(ROOT / ".env")
    argv = command()
    os.execv(argv[0], argv)  # noqa: S606 - our own interpreter, no shell


if __name__ == "__main__":
    main()

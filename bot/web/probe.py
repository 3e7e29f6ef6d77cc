"""``python -m bot.web.probe``: exit code 0 if the bot on this machine says that it is well."""

import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Final

from bot.config import ConfigError, config_path, load_config

TIMEOUT_S: Final = 4.0


def probe(path: Path) -> str | None:
    """Ask ``/healthz``; return what is wrong, or ``None``."""
    try:
        web = load_config(path).web
    except ConfigError as fault:
        return str(fault)
    if web is None:
        return f"{path}: there is no `web` section, so nothing can be asked"
    host = "127.0.0.1" if web.host in {"0.0.0.0", "::"} else web.host  # noqa: S104 - compared
    url = f"http://{host}:{web.port}/healthz"
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S):
            return None
    except (urllib.error.URLError, TimeoutError) as fault:
        return f"{url}: {fault}"


if __name__ == "__main__":
    sys.exit(probe(config_path()))

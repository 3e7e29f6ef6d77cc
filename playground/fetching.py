"""Files that a bot names by address: taken from this machine alone, never from outside.

A bot's own web server usually runs beside the playground, so a picture it offers by address can be
had without the network; any other address is refused as Telegram refuses one it cannot reach.
A playground that strangers can reach fetches nothing, lest they read this machine's own servers.
"""

import ipaddress
from typing import Final
from urllib.parse import urlsplit

import aiohttp

from playground.errors import bad_request
from playground.files import Details
from playground.model import Media, MediaKind
from playground.world import World

MAX_PHOTO_URL_BYTES: Final = 5 * 1024 * 1024
MAX_FILE_URL_BYTES: Final = 20 * 1024 * 1024
UNREACHABLE: Final = "wrong file identifier/HTTP URL specified"
_DOCUMENTS: Final = ("image/gif", "application/pdf", "application/zip")
_TIMEOUT: Final = aiohttp.ClientTimeout(total=10)


async def store_from(
    world: World, kind: MediaKind, url: str, said: Details | None = None
) -> Media:
    """Load a file from this machine and keep it as a bot's own upload.

    Raises:
        ApiError: as `fetch`, a document that is no GIF, PDF or ZIP, or the store's own refusals.
    """
    limit = MAX_PHOTO_URL_BYTES if kind == "photo" else MAX_FILE_URL_BYTES
    content, mime = await fetch(world, url, limit)
    if kind == "document" and mime not in _DOCUMENTS:
        raise bad_request("wrong type of the web page content")
    name = urlsplit(url).path.rpartition("/")[2]
    return await world.files.store(kind, content, name, mime, said)


def is_here(url: str) -> bool:
    """Whether an address is on this very machine."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        if parts.scheme not in {"http", "https"}:
            return False
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


async def fetch(world: World, url: str, max_bytes: int) -> tuple[bytes, str]:
    """Load a file from this machine.

    Returns:
        Its bytes and its MIME type.

    Raises:
        ApiError: it is not on this machine, not there, or over `max_bytes`; or this world
            fetches nothing.
    """
    if not (world.settings.fetches and is_here(url)):
        raise bad_request(UNREACHABLE)
    try:
        async with (
            aiohttp.ClientSession(timeout=_TIMEOUT) as session,
            session.get(url, allow_redirects=False) as response,
        ):
            if response.status != 200:
                raise bad_request("failed to get HTTP URL content")
            content = bytearray()
            async for chunk in response.content.iter_chunked(65536):
                content += chunk
                if len(content) > max_bytes:
                    raise bad_request("failed to get HTTP URL content")
            return bytes(content), response.content_type
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise bad_request("failed to get HTTP URL content") from error

"""The files of all messages: real bytes in a temporary folder, found by file_id.

A file_id belongs to one bot and never expires; file_unique_id depends on the content alone. Names
on disk are made here, so nothing a user or a bot sends becomes a path.
"""

import asyncio
import hashlib
import hmac
import mimetypes
import re
import secrets
from base64 import urlsafe_b64encode
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from playground import pictures
from playground.containers import Clip, read_clip
from playground.errors import bad_request
from playground.model import Media, MediaKind, StoredFile

MAX_UPLOAD_BYTES: Final = 50 * 1024 * 1024
MAX_DOWNLOAD_BYTES: Final = 20 * 1024 * 1024
MAX_STORED_BYTES: Final = 2 * 1024**3
MAX_STORED_FILES: Final = 20_000
_PREFIX: Final[dict[MediaKind, str]] = {
    "photo": "AgAC",
    "document": "BQAC",
    "video": "BAAC",
    "animation": "CgAC",
    "audio": "CQAC",
    "voice": "AwAC",
}
_MIME_TYPES: Final = {"mp4": "video/mp4", "webm": "video/webm", "gif": "image/gif"}
# Only what is certainly the store's own is ever removed from a folder a user may have chosen.
_OWN_NAME: Final = re.compile(r"[a-z]+s_file_[0-9a-f]{16}\.[a-z0-9]{1,8}")
_T = TypeVar("_T")


@dataclass(frozen=True)
class Details:
    """What a sender says of a file beside its bytes; 0 and None leave it to the file itself."""

    width_px: int = 0
    height_px: int = 0
    duration_s: int = 0
    title: str | None = None
    performer: str | None = None
    thumbnail: bytes | None = None


def safe_file_name(name: str) -> str:
    """Keep the last part of a path-like name, printable, at most 128 characters."""
    last = name.replace("\\", "/").rpartition("/")[2]
    printable = "".join(char for char in last if char.isprintable()).strip(". ")
    return printable[-128:] or "file"


class FileStore:
    """Keeps bytes by content up to a total size; the oldest go first.

    Photos of one upload share a list of sizes, so that resending any of them yields all.
    """

    def __init__(
        self,
        folder: Path,
        max_total_bytes: int = MAX_STORED_BYTES,
        secret: bytes | None = None,
    ) -> None:
        self._folder = folder
        self._max_total_bytes = max_total_bytes
        self._total_bytes = 0
        self._secret = secret or secrets.token_bytes(16)
        # Told the unique id of each file that is kept or let go.
        self.watch: Callable[[str], None] = _nobody
        self._media: OrderedDict[str, Media] = OrderedDict()
        self._by_path: dict[str, StoredFile] = {}
        self._told: dict[str, set[int]] = {}

    async def store(
        self,
        kind: MediaKind,
        content: bytes,
        file_name: str,
        mime_type: str | None = None,
        details: Details | None = None,
    ) -> Media:
        """Keep an upload; photos are checked and encoded again, everything else stays as it is.

        Raises:
            ApiError: the file is empty or over 50 MiB, or the photo is not acceptable.
        """
        if not content:
            raise bad_request("file must be non-empty")
        if len(content) > MAX_UPLOAD_BYTES:
            raise bad_request("file is too big")
        name = safe_file_name(file_name)
        if kind == "photo":
            encoded = await _in_thread(lambda: pictures.encode_sizes(content, name))
            # Salted: equal thumbnails of different photos must not be taken for one file.
            salt = await _in_thread(lambda: hashlib.sha256(content).hexdigest())
            sizes = [
                await self._write(kind, data, "jpg", width, height, salt=salt)
                for data, width, height in encoded
            ]
            return self._remember(Media(kind, tuple(sizes)))
        return self._remember(
            await self._store_as_is(kind, content, name, mime_type, details or Details())
        )

    async def _store_as_is(
        self,
        kind: MediaKind,
        content: bytes,
        name: str,
        mime_type: str | None,
        said: Details,
    ) -> Media:
        mime = mimetypes.guess_type(name)[0] or mime_type or "application/octet-stream"
        clip = None
        if kind != "document":
            clip = await _in_thread(lambda: read_clip(content))
        found = clip or Clip("mp4")
        frame = (0, 0) if kind in {"document", "audio", "voice"} else _frame(said, found)
        stored = await self._write(kind, content, _extension(name, clip), *frame, salt=name)
        small = await _in_thread(lambda: _small_picture(kind, mime, content, said))
        thumbnail = None
        if small:
            salt = stored.unique_id  # as with photos: a thumbnail belongs to one file alone
            thumbnail = await self._write("photo", small[0], "jpg", *small[1:], salt=salt)
        if clip and mime == "application/octet-stream":
            mime = _MIME_TYPES[clip.container]
        return Media(
            kind,
            (stored,),
            name,
            mime,
            duration_s=said.duration_s or found.duration_s,
            thumbnail=thumbnail,
            title=said.title,
            performer=said.performer,
        )

    async def _write(
        self,
        kind: MediaKind,
        content: bytes,
        extension: str,
        width_px: int = 0,
        height_px: int = 0,
        *,
        salt: str = "",
    ) -> StoredFile:
        digest = await _in_thread(lambda: _digest(f"{kind}\0{salt}\0", content))
        unique_id = "AQAD" + urlsafe_b64encode(digest[:9]).decode()
        path = f"{kind}s/file_{digest[:8].hex()}.{extension}"
        stored = StoredFile(unique_id, path, len(content), kind, width_px, height_px)
        if path not in self._by_path:
            target = self._on_disk(stored)
            await _in_thread(lambda: target.write_bytes(content))
        if path not in self._by_path:  # again: another upload of it may have been quicker
            self._by_path[path] = stored
            self._total_bytes += len(content)
        return stored

    def _remember(self, media: Media) -> Media:
        for size in media.sizes:
            self._media[size.unique_id] = media
            self._media.move_to_end(size.unique_id)
        if media.thumbnail:
            alone = Media("photo", (media.thumbnail,))
            self._media.setdefault(media.thumbnail.unique_id, alone)
        self.watch(media.file.unique_id)
        kept = len(media.sizes) + bool(media.thumbnail)
        while self._is_full() and len(self._media) > kept:
            _, oldest = self._media.popitem(last=False)
            self._forget(oldest)
        return media

    def _is_full(self) -> bool:
        # The count keeps the memory flat where the files are tiny.
        return self._total_bytes > self._max_total_bytes or len(self._media) > MAX_STORED_FILES

    def known(self, unique_id: str) -> Media | None:
        """Find a file by what is the same for all bots."""
        return self._media.get(unique_id)

    def restore(self, kept: Iterable[Media]) -> None:
        """Take up the files of an earlier run; those no one knows any more are removed."""
        for media in kept:
            if not all(self._on_disk(stored).exists() for stored in _parts(media)):
                continue  # let go of when less was to be kept
            for stored in _parts(media):
                if stored.path not in self._by_path:
                    self._by_path[stored.path] = stored
                    self._total_bytes += stored.size_bytes
            self._remember(media)
        named = {self._on_disk(stored) for stored in self._by_path.values()}
        for found in self._folder.iterdir():
            if _OWN_NAME.fullmatch(found.name) and found not in named:
                found.unlink()

    def _forget(self, media: Media) -> None:
        self.watch(media.file.unique_id)
        for stored in _parts(media):
            self._media.pop(stored.unique_id, None)
            self._told.pop(stored.path, None)
            if self._by_path.pop(stored.path, None):
                self._total_bytes -= stored.size_bytes
                self._on_disk(stored).unlink(missing_ok=True)

    def _on_disk(self, stored: StoredFile) -> Path:
        return self._folder / stored.path.replace("/", "_")

    def file_id(self, bot_id: int, stored: StoredFile) -> str:
        """Name a file for one bot; another bot cannot use the same name."""
        return f"{_PREFIX[stored.kind]}{stored.unique_id}{self._signature(bot_id, stored)}"

    def _signature(self, bot_id: int, stored: StoredFile) -> str:
        message = f"{bot_id}:{stored.unique_id}".encode()
        return urlsafe_b64encode(hmac.digest(self._secret, message, "sha256")[:18]).decode()

    def _find(self, bot_id: int, file_id: str) -> tuple[Media, StoredFile] | None:
        media = self._media.get(file_id[4:20])
        for stored in media.sizes if media else ():
            if self.file_id(bot_id, stored) == file_id and media:
                return media, stored
        return None

    def resend(self, bot_id: int, file_id: str, kind: MediaKind) -> Media:
        """Find a file by the bot's own file_id, to send it again as what it was.

        Raises:
            ApiError: no such file_id, or the file is of another kind.
        """
        found = self._find(bot_id, file_id)
        if found is None:
            raise bad_request("wrong remote file identifier specified: Wrong string length")
        if found[0].kind != kind:
            raise bad_request(f"can't use file of type {found[0].kind.title()} as {kind.title()}")
        return found[0]

    def locate(self, bot_id: int, file_id: str) -> StoredFile:
        """Find one file (of a photo, that very size), which the bot may then download.

        Raises:
            ApiError: no such file_id, or over the 20 MiB a bot may download.
        """
        found = self._find(bot_id, file_id)
        if found is None or found[1].path not in self._by_path:
            raise bad_request("wrong file_id or the file is temporarily unavailable")
        if found[1].size_bytes > MAX_DOWNLOAD_BYTES:
            raise bad_request("file is too big")
        self._told.setdefault(found[1].path, set()).add(bot_id)
        return found[1]

    def path_for_bot(self, bot_id: int, path: str) -> Path | None:
        """Give the file behind a `file_path`, to a bot that was told this path."""
        return self.path_on_disk(path) if bot_id in self._told.get(path, ()) else None

    def path_on_disk(self, path: str) -> Path | None:
        """Give the file behind a `file_path`; a lookup by name, never a walk in a folder."""
        stored = self._by_path.get(path)
        return self._on_disk(stored) if stored else None


def _digest(salt: str, content: bytes) -> bytes:
    digest = hashlib.sha256(salt.encode())
    digest.update(content)
    return digest.digest()


def _nobody(_unique_id: str) -> None:
    """Be told in vain."""


def _parts(media: Media) -> tuple[StoredFile, ...]:
    return (*media.sizes, media.thumbnail) if media.thumbnail else media.sizes


def _extension(name: str, clip: Clip | None) -> str:
    """Choose the ending of a path: of a known container its own, lest it cannot be played."""
    suffix = Path(name).suffix.lstrip(".").lower()
    if clip:
        return "mov" if suffix == "mov" and clip.container == "mp4" else clip.container
    return suffix if suffix.isascii() and suffix.isalnum() and len(suffix) < 9 else "bin"


def _frame(said: Details, found: Clip) -> tuple[int, int]:
    return said.width_px or found.width_px, said.height_px or found.height_px


def _small_picture(
    kind: MediaKind, mime: str, content: bytes, said: Details
) -> tuple[bytes, int, int] | None:
    """Take the sender's thumbnail, or make one where the file itself is a picture."""
    if said.thumbnail is not None:
        given = pictures.given_thumbnail(said.thumbnail)
        if given:
            return given
    if kind in {"document", "animation"} and mime.startswith("image/"):
        return pictures.make_thumbnail(content)
    return None


async def _in_thread(work: Callable[[], _T]) -> _T:
    return await asyncio.to_thread(work)

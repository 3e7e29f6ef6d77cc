"""Files of a repository in the hub's protocol: which there are, and bringing one here.

`huggingface_hub` does the transfers and honours HF_ENDPOINT, HF_TOKEN and its other variables. Its
own `hf_hub_download` begins a file anew after the process died, which is hours lost on a file of
12 GB; so the partial file is ours, and only the bytes that are missing are asked for.
"""

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from huggingface_hub import HfApi, hf_hub_url
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.file_download import http_get
from huggingface_hub.utils import build_hf_headers

from pipelines.checkpoints.errors import BadCheckpoint, FetchError, one_line
from pipelines.profiles import Hub, HubItem

_ANSWER_TIMEOUT_S: Final = 30
_SHA256_DIGITS: Final = 64


@dataclass(frozen=True, slots=True)
class Published:
    """One file of a repository, at one commit.

    Attributes:
        digest: sha256 of the contents in hexadecimal, or, of a small file that git itself keeps,
            git's sha1 of a header and the contents.
    """

    repository: str
    commit: str
    path: str
    size_bytes: int
    digest: str

    @property
    def url(self) -> str:
        """Where it lies; a commit never changes."""
        url: str = hf_hub_url(self.repository, self.path, revision=self.commit)
        return url

    def is_in(self, path: Path) -> bool:
        """Whether that is what the file holds; reads all of it."""
        if len(self.digest) == _SHA256_DIGITS:
            with path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest() == self.digest
        header = f"blob {self.size_bytes}\0".encode()
        found = hashlib.sha1(header + path.read_bytes(), usedforsecurity=False)
        return found.hexdigest() == self.digest


def published(hub: Hub, items: Iterable[HubItem]) -> dict[HubItem, list[Published]]:
    """Ask the hub for the files of the items.

    Raises:
        FetchError: the hub does not answer, or has no such repository, revision or file, or a file
            of another size than the profile states.
    """
    try:
        info = HfApi().model_info(
            hub.repository,
            revision=hub.revision,
            files_metadata=True,
            timeout=_ANSWER_TIMEOUT_S,
        )
    except Exception as error:  # what the network raises depends on where it is broken
        msg = f"{hub.repository} at {hub.revision} cannot be listed: {one_line(error)}"
        raise FetchError(msg) from error
    everything = [
        Published(
            hub.repository,
            info.sha or hub.revision,
            sibling.rfilename,
            sibling.size or 0,
            sibling.lfs.sha256 if sibling.lfs else sibling.blob_id or "",
        )
        for sibling in info.siblings or []
    ]
    return {item: _files_of(hub, item, everything) for item in items}


def _files_of(hub: Hub, item: HubItem, everything: list[Published]) -> list[Published]:
    """A path names a file, or the files of a folder that no other item names."""
    wanted = hub.files[item]
    others = {file.path for other, file in hub.files.items() if other != item}
    found = [
        file
        for file in everything
        if file.path == wanted.path
        or (file.path.rpartition("/")[0] == wanted.path and file.path not in others)
    ]
    if not found:
        msg = f"{hub.repository} has no {wanted.path} at {hub.revision}"
        raise FetchError(msg)
    size_bytes = sum(file.size_bytes for file in found)
    if wanted.bytes not in {None, size_bytes}:
        msg = f"{hub.repository}: {wanted.path}: expected {wanted.bytes} bytes, found {size_bytes}"
        raise FetchError(msg)
    return found


def place(file: Published, folder: Path) -> Path:
    """Say where in ``folder`` the file lies once it is here; another version lies elsewhere."""
    return folder / file.digest[:16] / Path(file.path).name


def missing_bytes(file: Published, folder: Path) -> int:
    """How much of the file is not here yet."""
    target = place(file, folder)
    if target.is_file():
        return 0
    partial = _partial(target)
    here_bytes = partial.stat().st_size if partial.is_file() else 0
    return file.size_bytes - here_bytes if here_bytes <= file.size_bytes else file.size_bytes


def download(file: Published, folder: Path) -> Path:
    """Bring the file to ``folder``, going on where an earlier attempt ended.

    Returns:
        Its path. A file of that name is whole and holds what the hub says it holds.

    Raises:
        BadCheckpoint: what came is not what the hub announced.
        FetchError: it could not be transferred or written.
    """
    target = place(file, folder)
    if target.is_file():
        return target
    partial = _partial(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _transfer(file, partial)
        is_whole = partial.stat().st_size == file.size_bytes and file.is_in(partial)
        if is_whole:
            partial.replace(target)
    except OSError as error:
        if isinstance(error, HfHubHTTPError) or error.errno is None:
            msg = f"{file.url} cannot be fetched: {one_line(error)}"
        else:
            msg = f"{partial} cannot be written: {error.strerror}"
        raise FetchError(msg) from error
    except Exception as error:  # what the network raises depends on where it is broken
        msg = f"{file.url} cannot be fetched: {one_line(error)}"
        raise FetchError(msg) from error
    if not is_whole:
        partial.unlink()
        expected = f"{file.size_bytes} bytes with the digest {file.digest}, as {file.repository}"
        raise BadCheckpoint(partial, f"{expected} announces; what came was removed")
    return target


def _partial(target: Path) -> Path:
    return target.with_name(f"{target.name}.partial")


def _transfer(file: Published, partial: Path) -> None:
    with partial.open("ab") as contents:
        if contents.tell() > file.size_bytes:
            contents.truncate(0)
            contents.seek(0)
        http_get(
            file.url,
            contents,
            resume_size=contents.tell(),
            headers=build_hf_headers(),
            expected_size=file.size_bytes,
            displayed_filename=Path(file.path).name,
        )
        contents.flush()
        os.fsync(contents.fileno())

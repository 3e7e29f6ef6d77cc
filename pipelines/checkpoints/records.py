"""What has been made of what: the records of finished parts, and the manifest made from them."""

import hashlib
import json
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, ValidationError

from pipelines.profiles import Hub, HubItem
from pipelines.weights import MANIFEST, FileRecord

WORK: Final = ".fetch"
"""The folder inside a weights folder where originals and unfinished parts lie."""

Sources = Mapping[HubItem, Sequence[Path]]
"""The fetched files of each item."""


@dataclass(frozen=True)
class Conversion:
    """What a part is made of, and where.

    Attributes:
        files: what was fetched for it.
        hub: where that is published, and the shapes of the profile's models.
        weights_dir: what was fetched before; what the part requires is there and whole.
        made: an empty folder, in which the part is made.
        say: tells the operator one line.
    """

    files: Sources
    hub: Hub
    weights_dir: Path
    made: Path
    say: Callable[[str], None]


@dataclass(frozen=True)
class Part:
    """What is fetched and converted in one go, because its files belong together.

    Attributes:
        name: what people call it.
        needs: the published items it is made of.
        makes: the files and folders it becomes in the weights folder.
        convert: makes them in an empty folder; raises BadCheckpoint if a source does not fit.
        is_variant: whether one may do without it; the others every variant needs.
        may_need: published items that it makes use of where there are any.
        may_make: what it becomes besides, depending on what is published.
        requires: files and folders of other parts, which it is made to go with.
    """

    name: str
    needs: tuple[HubItem, ...]
    makes: tuple[str, ...]
    convert: Callable[[Conversion], None]
    is_variant: bool = False
    may_need: tuple[HubItem, ...] = ()
    may_make: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()

    def items(self, hub: Hub) -> list[HubItem]:
        """List what it is made of where it comes from this hub."""
        return [*self.needs, *(item for item in self.may_need if item in hub.files)]


class PartRecord(BaseModel):
    """Where a finished part came from, and what it goes with."""

    model_config = ConfigDict(frozen=True)

    commit: str
    sources: dict[HubItem, str]
    licences: dict[HubItem, str] = {}
    originals: dict[str, str]
    """Digests by path in the repository."""

    required: dict[str, str] = {}
    """Digests by path in the weights folder: other files of these names are not those meant."""


class FinishedPart(PartRecord):
    """A part that lies in its place and waits for the rest of the set."""

    files: dict[str, FileRecord]


class FetchedManifest(BaseModel):
    """The manifest of a fetched set; the component store reads its ``files``."""

    model_config = ConfigDict(frozen=True)

    licence: str
    parts: dict[str, PartRecord] = {}
    files: dict[str, FileRecord] = {}

    @classmethod
    def read(cls, folder: Path, licence: str) -> "FetchedManifest":
        """Read the folder's manifest; none, or one that is not ours, is an empty one."""
        try:
            return cls.model_validate_json((folder / MANIFEST).read_bytes())
        except (OSError, ValidationError):
            return cls(licence=licence)

    def has(self, part: Part, hub: Hub, folder: Path) -> bool:
        """Whether the part is there, whole, made of what the profile names, for what is there."""
        record, files = self.parts.get(part.name), self.files_of(part)
        return (
            record is not None
            and record.sources == sources(part, hub)
            and record.required == self.digests(part.requires)
            and _places(files) >= set(part.makes)
            and are_whole(files, folder)
        )

    def files_of(self, part: Part) -> dict[str, FileRecord]:
        """The part's share of the files."""
        return self._files_in({*part.makes, *part.may_make})

    def digests(self, places: Collection[str]) -> dict[str, str]:
        """Give the digests of the files in these places of the folder, by path."""
        return {name: record.sha256 for name, record in self._files_in(places).items()}

    def lacks(self, places: Collection[str], folder: Path) -> list[str]:
        """Say which places of the folder are empty, or hold what is not whole."""
        return [
            place
            for place in places
            if not (files := self._files_in({place})) or not are_whole(files, folder)
        ]

    def outlived(self) -> list[str]:
        """Name the parts that were made to go with files that have changed since."""
        now = {name: record.sha256 for name, record in self.files.items()}.items()
        return [name for name, part in self.parts.items() if not part.required.items() <= now]

    def _files_in(self, places: Collection[str]) -> dict[str, FileRecord]:
        return {n: r for n, r in self.files.items() if n.partition("/")[0] in places}

    def without(self, part: Part) -> "FetchedManifest":
        """The manifest of a folder in which that part is about to change."""
        gone = self.files_of(part)
        return FetchedManifest(
            licence=self.licence,
            parts={name: record for name, record in self.parts.items() if name != part.name},
            files={name: record for name, record in self.files.items() if name not in gone},
        )

    def joined(self, part: Part, finished: FinishedPart) -> "FetchedManifest":
        """The manifest of a folder in which that part has come to lie."""
        others = self.without(part)
        record = PartRecord(**finished.model_dump(exclude={"files"}))
        return FetchedManifest(
            licence=self.licence,
            parts={**others.parts, part.name: record},
            files={**others.files, **finished.files},
        )

    def write(self, folder: Path) -> None:
        """Replace the folder's manifest in one step."""
        write_json(folder / MANIFEST, self.model_dump(mode="json", by_alias=True))


def sources(part: Part, hub: Hub) -> dict[HubItem, str]:
    """Name the repository and path of each item the part is made of."""
    return {item: f"{hub.repository}/{hub.files[item].path}" for item in part.items(hub)}


def licences(part: Part, hub: Hub) -> dict[HubItem, str]:
    """Give the licence of each item the part is made of, as its publisher states it."""
    return {item: hub.files[item].licence for item in part.items(hub)}


def are_whole(files: Mapping[str, FileRecord], folder: Path) -> bool:
    """Whether all files are there, in their size."""
    return all(
        (folder / name).is_file() and (folder / name).stat().st_size == record.size_bytes
        for name, record in files.items()
    )


def recorded(folder: Path) -> dict[str, FileRecord]:
    """Take down bytes and sha256 of every file in the folder, by path relative to it."""
    return {
        path.relative_to(folder).as_posix(): FileRecord(
            bytes=path.stat().st_size, sha256=_sha256(path)
        )
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def write_json(path: Path, contents: Mapping[str, Any]) -> None:
    """Write a file that is either there and whole or not there, whatever happens meanwhile."""
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("w", encoding="utf-8") as file:
        json.dump(contents, file, indent=1)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make sure that the names in a folder outlive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _places(files: Collection[str]) -> set[str]:
    return {name.partition("/")[0] for name in files}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

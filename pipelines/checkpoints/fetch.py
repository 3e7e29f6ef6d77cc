"""From a repository on a hub to a weights folder the component store accepts.

Part by part: download, convert, move into place, take down what was made. The manifest comes last,
and a folder is nothing without it; so whenever this is interrupted, even by a power cut, there is
either the set that was there before or the new one, and the next run goes on where this one ended.

In the weights folder ``.fetch/`` keeps the originals, which nothing reads after conversion: it may
be deleted at any time, at the price of downloading again what is not finished.
"""

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from huggingface_hub.utils import WeakFileLock
from pydantic import ValidationError

from pipelines.checkpoints.errors import FetchError
from pipelines.checkpoints.hub import Published, download, missing_bytes, place, published
from pipelines.checkpoints.records import (
    WORK,
    Conversion,
    FetchedManifest,
    FinishedPart,
    Part,
    are_whole,
    licences,
    recorded,
    sources,
    sync_folder,
    write_json,
)
from pipelines.profiles import Hub, HubItem, Profile

_GB: Final = 1e9
_LOCK_TIMEOUT_S: Final = 0.1
Say = Callable[[str], None]
"""Tells the operator one line."""

Listing = Mapping[HubItem, Sequence[Published]]
"""A part's published files, by item."""


def fetch(
    profile: Profile, parts: Sequence[Part], say: Say, *, discards_originals: bool = False
) -> None:
    """Bring the parts of a profile into its weights folder; those that are there stay.

    Args:
        profile: whose weights.
        parts: which of them; see :func:`chosen`.
        say: is told what happens.
        discards_originals: whether a part's originals are deleted once it is converted.

    Raises:
        FetchError: one line that says what is wrong; running again goes on from there.
    """
    hub, folder = _hub(profile), profile.weights_dir
    try:
        with _alone(folder):
            manifest = FetchedManifest.read(folder, profile.licence)
            missing = [part for part in parts if not manifest.has(part, hub, folder)]
            if not missing:
                say(f"{folder}: everything is there, nothing to do")
            else:
                _check_required(profile, missing, manifest)
                listed = {part.name: published(hub, part.items(hub)) for part in missing}
                manifest = _bring(missing, profile, listed, say, discards=discards_originals)
                say(f"{folder}: {', '.join(manifest.parts)}: ready")
            for line in _advice(profile, manifest):
                say(line)
    except OSError as error:
        msg = f"{error.filename or folder}: {error.strerror or error}"
        raise FetchError(msg) from error


def chosen(profile: Profile, parts: Sequence[Part], only: Sequence[str]) -> list[Part]:
    """Pick the parts a profile publishes: the shared ones, and all variants or those named.

    Raises:
        FetchError: the profile publishes nothing, or what nothing is made of, or no such variant.
    """
    hub = _hub(profile)
    offered = [part for part in parts if hub.files.keys() >= set(part.needs)]
    used = {item for part in offered for item in part.items(hub)}
    if idle := sorted(hub.files.keys() - used):
        msg = f"{hub.repository}: there is {idle[0]}, and nothing is made of it alone"
        raise FetchError(msg)
    variants = [part.name for part in offered if part.is_variant]
    for name in only:
        if name not in variants:
            msg = f"{name} is none of {', '.join(variants) or 'the variants: there are none'}"
            raise FetchError(msg)
    return [part for part in offered if not part.is_variant or not only or part.name in only]


def _bring(
    parts: Sequence[Part],
    profile: Profile,
    listed: Mapping[str, Listing],
    say: Say,
    *,
    discards: bool,
) -> FetchedManifest:
    """Make all the parts and, when the last of them lies in its place, write the manifest."""
    hub, folder = _hub(profile), profile.weights_dir
    done = _finished_before(parts, hub, folder, listed)
    due = [part for part in parts if part.name not in done]
    _check_space(folder, [listed[part.name] for part in due], discards=discards)
    for part in due:
        done[part.name] = _finish(part, profile, listed[part.name], say)
        if discards:
            _discard(folder, listed[part.name])
    manifest = FetchedManifest.read(folder, profile.licence)
    for part in parts:
        manifest = manifest.joined(part, done[part.name])
    manifest.write(folder)
    for part in parts:
        _record(part, folder).unlink(missing_ok=True)
    return manifest


def _check_required(profile: Profile, parts: Sequence[Part], manifest: FetchedManifest) -> None:
    """Refuse to add to weights that are not there."""
    for part in parts:
        if lacking := manifest.lacks(part.requires, profile.weights_dir):
            msg = f"{part.name} goes with {', '.join(lacking)} of the profile {profile.name}"
            msg = f"{profile.weights_dir}: {msg}; first get that: {profile.fetch_command}"
            raise FetchError(msg)


def _advice(profile: Profile, manifest: FetchedManifest) -> Iterator[str]:
    """Say what is left for the operator to do."""
    for name in manifest.outlived():
        yield f"{name} was made for weights that have changed since: fetch it again"
    section = _hub(profile).serves
    if section and getattr(profile, section) is None:
        use = f"to use it, give the profile {profile.name} a section {section}"
        yield f"{use}: see docs/weights.md"


def _hub(profile: Profile) -> Hub:
    if profile.hub is None:
        msg = f"the profile {profile.name} has no hub section: there is nothing to fetch"
        raise FetchError(msg)
    return profile.hub


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep a second fetch out of the same folder."""
    work = folder / WORK
    work.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        try:
            stack.enter_context(WeakFileLock(work / "lock", timeout=_LOCK_TIMEOUT_S))
        except TimeoutError as error:
            msg = f"{folder}: another fetch is at work here"
            raise FetchError(msg) from error
        yield


def _finished_before(
    parts: Sequence[Part], hub: Hub, folder: Path, listed: Mapping[str, Listing]
) -> dict[str, FinishedPart]:
    """Find the parts that an earlier run finished before it was interrupted."""
    done = {}
    manifest = FetchedManifest.read(folder, licence="")
    for part in parts:
        try:
            known = FinishedPart.model_validate_json(_record(part, folder).read_bytes())
        except (OSError, ValidationError):
            continue
        is_meant = (known.sources, known.originals, known.required) == (
            sources(part, hub),
            _digests(listed[part.name]),
            manifest.digests(part.requires),
        )
        if is_meant and are_whole(known.files, folder):
            done[part.name] = known
    return done


def _check_space(folder: Path, parts: Sequence[Listing], *, discards: bool) -> None:
    """Refuse what would fill the disk; converted, a part is as large as it was published."""
    taken_bytes = peak_bytes = 0
    for listing in parts:
        files = _all(listing)
        size_bytes = sum(file.size_bytes for file in files)
        taken_bytes += sum(missing_bytes(file, _originals(folder)) for file in files) + size_bytes
        peak_bytes = max(peak_bytes, taken_bytes)
        if discards:
            taken_bytes -= size_bytes
    free_bytes = shutil.disk_usage(folder).free
    if peak_bytes > free_bytes:
        msg = f"{folder}: {peak_bytes / _GB:.1f} GB are needed, {free_bytes / _GB:.1f} GB are free"
        raise FetchError(msg)


def _finish(part: Part, profile: Profile, listing: Listing, say: Say) -> FinishedPart:
    """Download and convert one part, and make it lie in its place."""
    hub, folder = _hub(profile), profile.weights_dir
    files = _all(listing)
    _record(part, folder).unlink(missing_ok=True)
    size_bytes = sum(file.size_bytes for file in files)
    licence = ", ".join(sorted(set(licences(part, hub).values())))
    say(f"{part.name}: {len(files)} files, {size_bytes / _GB:.1f} GB, licence: {licence}")
    fetched = {
        item: [download(file, _originals(folder)) for file in of_item]
        for item, of_item in listing.items()
    }
    made = folder / WORK / "converting"
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir()
    required = FetchedManifest.read(folder, licence="").digests(part.requires)
    part.convert(Conversion(fetched, hub, folder, made, say))
    finished = FinishedPart(
        commit=files[0].commit,
        sources=sources(part, hub),
        licences=licences(part, hub),
        originals=_digests(listing),
        required=required,
        files=recorded(made),
    )
    _move_into_place(part, made, folder)
    write_json(_record(part, folder), finished.model_dump(mode="json", by_alias=True))
    return finished


def _move_into_place(part: Part, made: Path, folder: Path) -> None:
    """Exchange what lies in the part's place: never a new UNet beside an old projection."""
    manifest = FetchedManifest.read(folder, licence="")
    if part.name in manifest.parts:
        manifest.without(part).write(folder)
    for name in (*part.makes, *part.may_make):
        old = folder / name
        shutil.rmtree(old) if old.is_dir() else old.unlink(missing_ok=True)
    for path in made.iterdir():
        path.replace(folder / path.name)
    sync_folder(folder)


def _discard(folder: Path, listing: Listing) -> None:
    for file in _all(listing):
        place(file, _originals(folder)).unlink(missing_ok=True)


def _all(listing: Listing) -> list[Published]:
    return [file for of_item in listing.values() for file in of_item]


def _digests(listing: Listing) -> dict[str, str]:
    return {file.path: file.digest for file in _all(listing)}


def _originals(folder: Path) -> Path:
    return folder / WORK / "original"


def _record(part: Part, folder: Path) -> Path:
    path = folder / WORK / "finished" / f"{part.name}.json"
    path.parent.mkdir(exist_ok=True)
    return path

"""Bringing what is published into a weights folder; what is converted is of no concern here."""

import json
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub.utils import WeakFileLock

from pipelines.checkpoints.errors import FetchError
from pipelines.checkpoints.fetch import chosen, fetch
from pipelines.checkpoints.hub import place, published
from pipelines.checkpoints.records import Conversion, Part
from pipelines.profiles import Hub, HubItem, Profile
from pipelines.weights import ComponentStore, WeightsError
from tests.pipelines.checkpoints.hub import LocalHub, answering
from tests.pipelines.kandinsky3.published import hub_section

UNET = "weights/kandinsky3_flash.pt"
MOVQ = "weights/movq.pt"
ENCODER = "weights/flan_ul2_encoder"
FILE_BYTES = 40_000


def copied(work: Conversion) -> None:
    for item, paths in work.files.items():
        (work.made / item).mkdir()
        for path in paths:
            (work.made / item / path.name).write_bytes(path.read_bytes())


def part(name: str, *items: HubItem, is_variant: bool = False) -> Part:
    return Part(name, items, items, copied, is_variant)


PARTS = (
    part("text_encoder", "text_encoder"),
    part("movq", "movq"),
    part("base", "unet", "conditioning", is_variant=True),
    part("flash", "unet_flash", "conditioning_flash", is_variant=True),
)


@pytest.fixture
def profile(profile: Profile) -> Profile:
    """All but inpainting, of which nothing is made here."""
    assert profile.hub is not None
    files = {item: f for item, f in profile.hub.files.items() if "inpainting" not in item}
    return profile.model_copy(update={"hub": profile.hub.model_copy(update={"files": files})})


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalHub]:
    """A repository of the right names with some bytes in each file."""
    files = hub_section()["files"]
    paths = [file["path"] for item, file in files.items() if "inpainting" not in item]
    paths += ["README.md", f"{ENCODER}/config.json", f"{ENCODER}/one.bin", f"{ENCODER}/two.bin"]
    for number, path in enumerate(paths):
        if path != ENCODER:
            file = tmp_path / "repository" / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(bytes([number]) * FILE_BYTES)
    with answering(tmp_path / "repository", monkeypatch) as hub:
        yield hub


def bring(profile: Profile, *only: str, discards_originals: bool = False) -> list[str]:
    """Fetch, and return what was said."""
    said: list[str] = []
    parts = chosen(profile, PARTS, only)
    fetch(profile, parts, said.append, discards_originals=discards_originals)
    return said


def verify(profile: Profile) -> None:
    """See that every file is what the manifest says, as the store does."""
    ComponentStore(profile, torch.device("cpu")).verify()


def manifest(profile: Profile) -> dict[str, Any]:
    contents: dict[str, Any] = json.loads((profile.weights_dir / "manifest.json").read_text())
    return contents


def folders(profile: Profile) -> set[str]:
    return {path.name for path in profile.weights_dir.iterdir() if path.name != ".fetch"}


def test_the_manifest_says_whence_everything_came(profile: Profile, hub: LocalHub) -> None:
    bring(profile)
    verify(profile)
    parts = manifest(profile)["parts"]
    assert set(parts) == {"text_encoder", "movq", "base", "flash"}
    assert parts["flash"]["sources"] == {
        "unet_flash": "someone/drawings/weights/kandinsky3_flash.pt",
        "conditioning_flash": "someone/drawings/weights/flan_ul2_encoder/projection_flash.pt",
    }
    original = next((profile.weights_dir / ".fetch").rglob("kandinsky3_flash.pt"))
    assert parts["flash"]["originals"][UNET].startswith(original.parent.name)
    encoder = {path.name for path in (profile.weights_dir / "text_encoder").iterdir()}
    assert encoder == {"config.json", "one.bin", "two.bin"}


def test_fetching_again_does_nothing_and_asks_nobody(
    profile: Profile, hub: LocalHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    bring(profile)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    before = {path: path.stat().st_mtime_ns for path in profile.weights_dir.rglob("*")}
    assert bring(profile) == [f"{profile.weights_dir}: everything is there, nothing to do"]
    assert {path: path.stat().st_mtime_ns for path in profile.weights_dir.rglob("*")} == before


def test_a_variant_alone_takes_what_it_needs_and_the_rest_can_follow(
    profile: Profile, hub: LocalHub
) -> None:
    bring(profile, "flash")
    assert {path for path, _ in hub.requests} == {
        MOVQ,
        UNET,
        f"{ENCODER}/projection_flash.pt",
        f"{ENCODER}/config.json",
        f"{ENCODER}/one.bin",
        f"{ENCODER}/two.bin",
    }
    verify(profile)
    hub.requests.clear()
    bring(profile)
    assert hub.requests == [("weights/kandinsky3.pt", 0), (f"{ENCODER}/projection.pt", 0)]
    verify(profile)
    assert folders(profile) >= {"unet", "unet_flash", "movq", "text_encoder", "manifest.json"}


def test_a_profile_that_names_another_file_gets_it(profile: Profile, hub: LocalHub) -> None:
    bring(profile, "flash")
    section = profile.model_dump(mode="json")["hub"]
    section["files"]["movq"]["path"] = "weights/kandinsky3.pt"
    other = profile.model_copy(update={"hub": Hub.model_validate(section)})
    hub.requests.clear()
    bring(other, "flash")
    assert hub.requests == [("weights/kandinsky3.pt", 0)]
    verify(other)


class Killed(BaseException):
    """What nothing in the program catches."""


@pytest.mark.parametrize(
    "step",
    [
        "fetch.download",
        "fetch.recorded",
        "fetch._move_into_place",
        "fetch.sync_folder",
        "fetch.write_json",
        "fetch.FetchedManifest.write",
        "records.sync_folder",
    ],
)
def test_a_fetch_interrupted_at_any_step_leaves_nothing_half_made(
    profile: Profile, hub: LocalHub, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def die(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(f"pipelines.checkpoints.{step}", die)
        with pytest.raises(Killed):
            bring(profile, "flash")
    with pytest.raises(WeightsError, match="to get it: python -m pipelines fetch tiny"):
        verify(profile)
    arrived = {path for path, _ in hub.requests}
    hub.requests.clear()
    bring(profile, "flash")
    verify(profile)
    assert {path for path, _ in hub.requests}.isdisjoint(arrived)


def test_an_exchange_interrupted_half_way_leaves_no_mixture(
    profile: Profile, hub: LocalHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A damaged part is made again; meanwhile the rest of the set stays what it was."""
    bring(profile)
    damaged = profile.weights_dir / "unet_flash" / "kandinsky3_flash.pt"
    damaged.write_bytes(b"")

    def die(_: Path) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr("pipelines.checkpoints.fetch.sync_folder", die)
        with pytest.raises(Killed):
            bring(profile)
    verify(profile)
    assert set(manifest(profile)["parts"]) == {"text_encoder", "movq", "base"}
    hub.requests.clear()
    bring(profile)
    assert hub.requests == []
    verify(profile)
    assert damaged.stat().st_size == FILE_BYTES


def test_originals_are_deleted_when_asked(profile: Profile, hub: LocalHub) -> None:
    bring(profile, discards_originals=True)
    left = [path for path in (profile.weights_dir / ".fetch").rglob("*") if path.is_file()]
    assert {path.name for path in left} <= {"lock"}
    assert bring(profile)[0].endswith("nothing to do")


def test_a_second_fetch_into_the_same_folder_is_refused(profile: Profile, hub: LocalHub) -> None:
    (profile.weights_dir / ".fetch").mkdir(parents=True)
    with (
        WeakFileLock(profile.weights_dir / ".fetch" / "lock"),
        pytest.raises(FetchError, match="another fetch is at work here"),
    ):
        bring(profile)


@pytest.mark.parametrize("discards_originals", [False, True])
def test_a_disk_too_small_is_noticed_before_the_first_byte(
    profile: Profile, hub: LocalHub, discards_originals: bool
) -> None:
    hub.announced_bytes[UNET] = 10**16
    hub.announced_bytes["weights/kandinsky3.pt"] = 10**16
    needed = "30000000.0" if discards_originals else "40000000.0"
    with pytest.raises(FetchError, match=f"{needed} GB are needed, .* GB are free"):
        bring(profile, discards_originals=discards_originals)
    assert hub.requests == []


def test_a_download_that_cannot_be_written_is_named(profile: Profile, hub: LocalHub) -> None:
    assert profile.hub is not None
    for file in chain.from_iterable(published(profile.hub, profile.hub.files).values()):
        target = place(file, profile.weights_dir / ".fetch" / "original")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.with_name(f"{target.name}.partial").symlink_to("/dev/full")
    with pytest.raises(FetchError, match=r"\.partial cannot be written: No space left on device"):
        bring(profile)


def test_a_conversion_that_cannot_be_written_is_named(profile: Profile, hub: LocalHub) -> None:
    def full(work: Conversion) -> None:
        raise OSError(28, "No space left on device", work.made / "weights")

    with pytest.raises(FetchError, match=r"converting/weights: No space left on device"):
        fetch(profile, [Part("movq", ("movq",), ("movq",), full)], lambda _: None)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"repository": "someone/nothing"}, "someone/nothing at main cannot be listed"),
        ({"revision": "other"}, "someone/drawings at other cannot be listed"),
    ],
)
def test_what_the_hub_does_not_have_is_named(
    profile: Profile, hub: LocalHub, change: dict[str, str], said: str
) -> None:
    assert profile.hub is not None
    other = profile.model_copy(update={"hub": profile.hub.model_copy(update=change)})
    with pytest.raises(FetchError, match=said):
        bring(other)


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ({"path": MOVQ, "bytes": 7}, f"movq.pt: expected 7 bytes, found {FILE_BYTES}"),
        ({"path": "weights/vq.pt", "about_bytes": 7}, "someone/drawings has no weights/vq.pt"),
    ],
)
def test_a_published_file_that_is_not_the_one_meant_is_refused(
    profile: Profile, hub: LocalHub, file: dict[str, object], said: str
) -> None:
    section = profile.model_dump(mode="json")["hub"]
    section["files"]["movq"] = {"licence": "none", **file}
    other = profile.model_copy(update={"hub": Hub.model_validate(section)})
    with pytest.raises(FetchError, match=said):
        bring(other)
    assert hub.requests == []


def test_a_hub_that_does_not_answer_is_named(
    profile: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(FetchError, match="someone/drawings at main cannot be listed"):
        bring(profile)


def cut(contents: bytes) -> bytes:
    return contents[: len(contents) // 2]


def flip_a_bit(contents: bytes) -> bytes:
    return contents[:-9] + bytes([contents[-9] ^ 1]) + contents[-8:]


@pytest.mark.parametrize("damage", [cut, flip_a_bit])
@pytest.mark.parametrize("path", [MOVQ, f"{ENCODER}/config.json"])
def test_what_does_not_arrive_as_announced_is_named(
    profile: Profile, hub: LocalHub, path: str, damage: Callable[[bytes], bytes]
) -> None:
    contents = hub.contents(path)
    assert contents is not None
    hub.sent[path] = damage(contents)
    with pytest.raises(FetchError, match=str(FILE_BYTES)) as caught:
        bring(profile, "flash")
    assert Path(path).name in str(caught.value)
    assert "\n" not in str(caught.value)
    del hub.sent[path]
    bring(profile, "flash")
    verify(profile)

import asyncio
import io
from pathlib import Path

import pytest
from PIL import Image

from bot import normaliser
from bot.normaliser import (
    LOOKED_AT_ONCE,
    FileTooLarge,
    ForeignFormat,
    Normaliser,
    NotAPicture,
    TooManyPixels,
    TooMuchWork,
    Unfit,
)
from bot.texts import Languages
from pipelines import uploads
from tests.jobs.fakes import until
from tests.pipelines.handed_in import animation, bomb, heic, jpeg, zip_file

LANGUAGES = Languages()


async def test_a_picture_comes_back_normalised(tmp_path: Path) -> None:
    made = await Normaliser().normalise(jpeg(3072, 1024))
    assert (made.width_px, made.height_px, made.is_first_frame) == (1536, 512, False)
    assert Image.open(io.BytesIO(made.png)).size == (1536, 512)


async def test_of_an_animation_it_is_said() -> None:
    assert (await Normaliser().normalise(animation("GIF"))).is_first_frame


@pytest.mark.parametrize(
    ("data", "refusal"),
    [
        (zip_file(), NotAPicture),
        (heic(), ForeignFormat),
        (jpeg()[:400], Unfit),
        (bomb(10_000, 5_001), TooManyPixels),
        (b"x" * (normaliser.BYTES_MAX + 1), FileTooLarge),
    ],
    ids=["a zip", "an iPhone's", "half a JPEG", "a bomb", "too long a file"],
)
async def test_what_is_no_picture_is_refused_by_its_own_sentence(
    data: bytes, refusal: type[Unfit]
) -> None:
    with pytest.raises(Unfit) as caught:
        await Normaliser().normalise(data)
    assert type(caught.value) is refusal
    assert LANGUAGES["ru"](caught.value.code, **caught.value.params)
    assert LANGUAGES["en"](caught.value.code, **caught.value.params)


def test_every_code_of_the_program_has_a_refusal_here() -> None:
    kinds: list[type[uploads.Unfit]] = [uploads.Unfit, *uploads.Unfit.__subclasses__()]
    assert len(kinds) > 5
    assert {kind.code for kind in kinds} == set(normaliser._UNFIT)


def test_both_sides_go_by_the_same_limits() -> None:
    assert normaliser.BYTES_MAX == uploads.BYTES_MAX
    assert normaliser.LONGEST_PX == uploads.LONGEST_PX


def is_gone(note: Path) -> bool:
    """Whether there is no process of the number in the note, not even a zombie."""
    return not Path(f"/proc/{int(note.read_text())}").exists()


@pytest.fixture
def sleeper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program that notes its number and never comes to an end."""
    note = tmp_path / "pid"
    script = f"echo $$ > {note}.part; mv {note}.part {note}; exec sleep 600"
    monkeypatch.setattr(normaliser, "COMMAND", ("/bin/sh", "-c", script))
    return note


async def test_a_process_that_takes_too_long_is_killed(sleeper: Path) -> None:
    with pytest.raises(TooMuchWork):
        await Normaliser(limit_s=2).normalise(b"x" * 2**20)
    assert is_gone(sleeper)


async def test_a_process_nobody_waits_for_any_more_is_killed(sleeper: Path) -> None:
    waiting = asyncio.ensure_future(Normaliser().normalise(b"x"))  # noqa: TID251
    await until(sleeper.exists)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert is_gone(sleeper)


@pytest.mark.parametrize(
    "script",
    [
        "kill -SEGV $$",
        "exit 3",
        "echo nonsense",
        """echo '{"code": 7}'""",
        """echo '{"code": "error-made-up", "params": {}}'""",
    ],
)
async def test_a_process_that_a_picture_brought_down_blames_the_picture(
    monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    monkeypatch.setattr(normaliser, "COMMAND", ("/bin/sh", "-c", script))
    with pytest.raises(Unfit) as caught:
        await Normaliser().normalise(jpeg())
    assert caught.value.code == "error-upload-broken"


async def test_the_process_is_not_told_our_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOT_TOKEN", "42:SECRET")
    monkeypatch.setattr(normaliser, "COMMAND", ("/bin/sh", "-c", f"env > {tmp_path}/env"))
    with pytest.raises(Unfit):
        await Normaliser().normalise(jpeg())
    told = (tmp_path / "env").read_text()
    assert "PATH=" in told
    assert "SECRET" not in told


@pytest.mark.parametrize("end", ["XCPU", "KILL"])
async def test_a_process_that_reached_its_limits_says_so(
    monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    monkeypatch.setattr(normaliser, "COMMAND", ("/bin/sh", "-c", f"kill -{end} $$"))
    with pytest.raises(TooMuchWork):
        await Normaliser().normalise(jpeg())


async def test_no_more_are_looked_at_at_once_than_there_is_room_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "log"
    script = f"echo + >> {log}; cat > {tmp_path}/in; sleep 0.05; echo - >> {log}; echo no"
    monkeypatch.setattr(normaliser, "COMMAND", ("/bin/sh", "-c", script))
    one = Normaliser()
    await asyncio.gather(*(one.normalise(b"x") for _ in range(8)), return_exceptions=True)
    depth, deepest = 0, 0
    for line in log.read_text().split():
        depth += 1 if line == "+" else -1
        deepest = max(deepest, depth)
    assert log.read_text().count("+") == 8
    assert deepest == LOOKED_AT_ONCE

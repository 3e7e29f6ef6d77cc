import io
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml
from PIL import Image

import pipelines.__main__ as command
from pipelines.__main__ import main
from pipelines.contracts import ImageRequest, Mode, OnStep, Output, Picture, Pipeline
from pipelines.requests import DrawingRequest
from pipelines.weights import ComponentStore
from tests.pipelines.handed_in import halves, saved, turned_jpeg
from tests.pipelines.micro import make_profile

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def config_path(weights_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("config") / "config.yaml"
    profile = make_profile(weights_dir).model_dump(mode="json")
    missing = profile | {"weights_dir": "nowhere"}
    profiles = {"tiny": profile, "missing": missing}
    path.write_text(yaml.safe_dump({"profile": "tiny", "profiles": profiles}))
    return path


def draw(config_path: Path, *arguments: str) -> None:
    main(["text_to_image", "--config", str(config_path), *arguments])


def test_a_command_draws_a_picture_with_a_progress_bar(config_path: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.png"
    arguments = ["--prompt", "a red circle", "--negative", "green", "--seed", "7", "--ar", "2:3"]
    arguments += ["--config", str(config_path), "-o", str(out)]
    done = subprocess.run(
        [sys.executable, "-m", "pipelines", "text_to_image", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    with Image.open(out) as image:
        assert image.size == (64, 128)
    assert re.fullmatch(rf"{re.escape(str(out))}  seed 7  \d+\.\d s\n", done.stdout)


def test_the_same_seed_draws_the_same_picture(config_path: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        draw(config_path, "--prompt", "a cat", "--seed", "3", "-o", str(tmp_path / f"{name}.png"))
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()


def test_without_a_seed_each_picture_is_another(config_path: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        draw(config_path, "--prompt", "a cat", "-o", str(tmp_path / f"{name}.png"))
    assert (tmp_path / "one.png").read_bytes() != (tmp_path / "two.png").read_bytes()


def test_several_pictures_are_numbered(
    config_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("--n", "2", "--seed", "1", "--quality", "flash", "--style", "anime")
    draw(config_path, "--prompt", "a cat", *arguments, "-o", str(tmp_path / "cat.jpg"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cat-1.jpg", "cat-2.jpg"]
    assert (tmp_path / "cat-1.jpg").read_bytes().startswith(b"\xff\xd8")
    assert "seed 2" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--prompt", ""], "--prompt: String should have at least 1 character"),
        (["--prompt", "a" * 1001], "--prompt: String should have at most 1000 characters"),
        (["--prompt", "a\x07"], "--prompt: control characters are not text"),
        (["--n", "0"], "--n: Input should be greater than or equal to 1"),
        (["--seed", "abc"], "--seed: Input should be a valid integer"),
        (["--ar", "99:1"], "--ar: 99:1 is none of 1:1, 2:3"),
        (["--quality", "best"], "--quality: invalid choice: 'best'"),
        (["--style", "x"], "--style: no such style; there are: none"),
        (["--bogus", "1"], "unrecognized arguments: --bogus"),
        (["--config", "nowhere.yaml"], "nowhere.yaml cannot be read"),
        (["--profile", "huge"], "there is no profile 'huge'"),
        (["-o", "out.gif"], "out.gif must end with one of .png"),
        (["-o", "nowhere/out.png"], "there is no folder nowhere"),
    ],
    ids=lambda value: " ".join(value)[:20] if isinstance(value, list) else "",
)
def test_bad_input_is_answered_in_one_line(
    config_path: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    said: str,
) -> None:
    with pytest.raises(SystemExit) as caught:
        draw(config_path, "--prompt", "a", "-o", str(tmp_path / "out.png"), *arguments)
    complaint = capsys.readouterr().err
    assert caught.value.code == 2
    assert said in complaint
    assert complaint.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [[], ["nope"], ["text_to_image"]])
def test_an_incomplete_command_is_answered_in_one_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_missing_weights_are_named(
    config_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        draw(config_path, "--prompt", "a", "--profile", "missing", "-o", str(tmp_path / "a.png"))
    assert caught.value.code == 1
    assert str(config_path.parent / "nowhere" / "manifest.json") in capsys.readouterr().err


class CopyRequest(DrawingRequest, ImageRequest):
    """The first of some pictures, as it is."""

    weights: tuple[float, ...] = ()

    @property
    def batch_key(self) -> str:
        return "copy"


def copied(store: ComponentStore) -> Pipeline[CopyRequest]:
    def copy(requests: Sequence[CopyRequest], on_step: OnStep) -> dict[int, Output]:
        [request] = requests
        png = request.images[0].data
        with Image.open(io.BytesIO(png)) as image:
            return {0: Output((Picture(png, b"", *image.size, seed=len(request.weights)),), 0.1)}

    return copy


@pytest.fixture
def copying(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mode that starts from pictures, and one that these weights cannot serve."""
    copy = Mode("copy", CopyRequest, 1, copied)
    never = Mode("never", CopyRequest, 1, copied, is_served=lambda _profile: False)
    monkeypatch.setattr(command, "discover_modes", lambda: {"copy": copy, "never": never})


@pytest.mark.usefixtures("copying")
def test_pictures_to_start_from_are_files_and_normalised_like_anybodys(
    config_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cat, dog = tmp_path / "cat.jpg", tmp_path / "dog.gif"
    cat.write_bytes(turned_jpeg(6))
    dog.write_bytes(saved(halves(), "GIF"))
    out = tmp_path / "out.png"
    images = ["--images", str(cat), str(dog), "--weights", "1", "2.5"]
    main(["copy", *images, "--config", str(config_path), "-o", str(out)])
    with Image.open(out) as image:
        assert (image.format, image.size) == ("PNG", (96, 64))
    assert "seed 2" in capsys.readouterr().out


@pytest.mark.usefixtures("copying")
@pytest.mark.parametrize(
    ("mode", "content", "said"),
    [
        ("copy", b"a zip, say", "cat.png: not-a-picture"),
        ("copy", saved(halves(4, 4), "PNG"), "cat.png: too-small width_px 4, height_px 4"),
        ("copy", None, "cat.png: No such file or directory"),
        ("never", saved(halves(), "PNG"), "never: the weights of"),
    ],
)
def test_what_cannot_be_started_from_is_answered_in_one_line(
    config_path: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    mode: str,
    content: bytes | None,
    said: str,
) -> None:
    path = tmp_path / "cat.png"
    if content is not None:
        path.write_bytes(content)
    options = ["--images", str(path), "--config", str(config_path), "-o", str(tmp_path / "o.png")]
    with pytest.raises(SystemExit) as caught:
        main([mode, *options])
    complaint = capsys.readouterr().err
    assert caught.value.code == 2
    assert said in complaint
    assert complaint.count("\n") == 1

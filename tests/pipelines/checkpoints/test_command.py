"""`python -m pipelines fetch`, as an operator types it."""

import signal
import time
from pathlib import Path

import pytest

from pipelines.__main__ import main
from pipelines.kandinsky3.model import Kandinsky3
from pipelines.profiles import Profile, Quality
from pipelines.text_to_image import TextToImage, TextToImageRequest
from pipelines.weights import ComponentStore, WeightsError
from tests.pipelines.checkpoints.conftest import PATIENCE_S, run, started
from tests.pipelines.checkpoints.hub import serving

UNET = "weights/kandinsky3_flash.pt"


def draw(profile: Profile, quality: Quality) -> None:
    recipe = TextToImage(Kandinsky3(ComponentStore.open(profile)), profile)
    request = TextToImageRequest(
        prompt="a red cat", width_px=64, height_px=64, quality=quality, seed=1
    )
    output = recipe([request], lambda _: frozenset())[0]
    assert output.pictures[0].png.startswith(b"\x89PNG")


def test_all_that_was_fetched_draws_a_picture(fetched: Profile) -> None:
    draw(fetched, "refined")


@pytest.mark.slow
def test_a_fetch_killed_in_a_download_goes_on_where_it_was(
    config: Path, profile: Profile, repository: Path
) -> None:
    size = (repository / UNET).stat().st_size
    with serving(repository) as hub:
        hub.halt_at[UNET] = size // 2
        with started(config, hub, "--only", "flash") as command:
            assert hub.halted.wait(timeout=PATIENCE_S)
            partial = written(profile, "kandinsky3_flash.pt.partial")
            command.send_signal(signal.SIGKILL)
            command.communicate(timeout=PATIENCE_S)
        with pytest.raises(WeightsError, match="python -m pipelines fetch tiny"):
            ComponentStore.open(profile)
        here = partial.stat().st_size
        assert 0 < here < size

        hub.halt_at.clear()
        hub.requests.clear()
        assert "text_encoder, movq, flash: ready" in run(config, hub, "--only", "flash")
        assert hub.requests == [
            (UNET, here),
            ("weights/flan_ul2_encoder/projection_flash.pt", 0),
        ]
    ComponentStore.open(profile).verify()
    draw(profile, "flash")
    with pytest.raises(WeightsError, match=r"the base .*fetch tiny"):
        draw(profile, "base")


def written(profile: Profile, name: str) -> Path:
    """Wait until a file of that name has something in it."""
    for _ in range(600):
        for path in profile.weights_dir.rglob(name):
            if path.stat().st_size:
                return path
        time.sleep(0.05)
    raise AssertionError(name)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["own"], "the profile own has no hub section: there is nothing to fetch"),
        (["tiny", "--only", "best"], "best is none of base, flash, inpainting"),
    ],
)
def test_what_cannot_be_fetched_is_said_in_one_line(
    config: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["fetch", "--config", str(config), *arguments])
    assert caught.value.code == 1
    assert capsys.readouterr().err == f"python -m pipelines: {said}\n"


def test_the_chosen_profile_is_fetched_if_none_is_named(
    fetched: Profile, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["fetch", "--config", str(fetched.weights_dir.parent / "config.yaml")])
    assert capsys.readouterr().out == (
        f"{fetched.weights_dir}: everything is there, nothing to do\n"
    )


def test_weights_that_are_not_fetched_are_answered_with_the_command(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--prompt", "a cat", "--config", str(config), "-o", str(tmp_path / "out.png")]
    with pytest.raises(SystemExit) as caught:
        main(["text_to_image", *arguments])
    assert caught.value.code == 1
    complaint = capsys.readouterr().err
    assert complaint.count("\n") == 1
    assert complaint.endswith("to get it: python -m pipelines fetch tiny\n")

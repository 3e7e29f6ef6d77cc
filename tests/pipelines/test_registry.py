import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from pipelines.contracts import Request
from pipelines.registry import MalformedMode, discover_modes

GOOD = """
from pipelines.contracts import Mode, Request
MODE = Mode(name="{name}", request_type=Request, cost={cost}, load=None)
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(tmp_path)
    folder = tmp_path / f"modes_{tmp_path.name}"
    folder.mkdir()
    module = ModuleType(folder.name)
    module.__path__ = [str(folder)]
    monkeypatch.setitem(sys.modules, folder.name, module)
    return module


def add(package: ModuleType, name: str, source: str) -> Path:
    path = Path(package.__path__[0]) / f"{name}.py"
    path.write_text(source)
    return path


def test_text_to_image_is_found() -> None:
    modes = discover_modes()
    assert "text_to_image" in modes
    assert all(issubclass(mode.request_type, Request) for mode in modes.values())


def test_a_new_file_is_a_new_mode(package: ModuleType) -> None:
    add(package, "draw", GOOD.format(name="draw", cost=1))
    add(package, "animate", GOOD.format(name="animate", cost=4))
    assert list(discover_modes(package)) == ["animate", "draw"]


@pytest.mark.parametrize(
    "source",
    [
        "",
        "MODE = 'draw'",
        GOOD.format(name="paint", cost=1),
        GOOD.format(name="draw", cost=0),
    ],
    ids=["no MODE", "another type", "another name", "free"],
)
def test_a_malformed_mode_is_refused_by_its_file(package: ModuleType, source: str) -> None:
    path = add(package, "draw", source)
    with pytest.raises(MalformedMode) as caught:
        discover_modes(package)
    assert str(path) in str(caught.value)


def test_knowing_the_modes_takes_no_torch() -> None:
    script = (
        "import sys; from pipelines.registry import discover_modes; discover_modes();"
        "import pipelines.engine.local, pipelines.styles, pipelines.kandinsky3.timesteps;"
        "heavy = {'torch', 'numpy', 'cv2', 'diffusers', 'transformers', 'PIL'} & set(sys.modules);"
        "sys.exit(', '.join(heavy) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")

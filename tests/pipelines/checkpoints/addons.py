"""Adding to weights that are there, as an operator does."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from torch import Tensor

from pipelines.__main__ import main
from pipelines.profiles import Profile, load_profile
from pipelines.weights import ComponentStore
from tests.pipelines.checkpoints.hub import LocalHub, answering

Complain = pytest.CaptureFixture[str]
ALL_EQUAL = "1071 of 1071 tensors it shares with the base model are equal: "
ONE_DIFFERS = (
    "1070 of 1071 tensors it shares with the base model are equal, the largest difference"
)


class World:
    """Weights with a base in them, and a hub that publishes things to add to it."""

    def __init__(self, config: Path, monkeypatch: pytest.MonkeyPatch, said: Complain) -> None:
        self.config = config
        self.hub: LocalHub | None = None
        self._monkeypatch = monkeypatch
        self._said = said

    @property
    def profile(self) -> Profile:
        return load_profile(self.config, "tiny")

    @property
    def weights(self) -> Path:
        return self.profile.weights_dir

    @property
    def manifest(self) -> dict[str, Any]:
        contents: dict[str, Any] = json.loads((self.weights / "manifest.json").read_text())
        return contents

    @property
    def store(self) -> ComponentStore:
        store = ComponentStore(self.profile, torch.device("cpu"))
        store.verify()
        return store

    @contextmanager
    def publishing(self, **folders: Path) -> Iterator[LocalHub]:
        """Serve folders as repositories: ``pictures=...`` is ``someone/pictures``."""
        others = {f"someone/{name}": folder for name, folder in folders.items()}
        with answering(self.config.parent / "nothing", self._monkeypatch, others) as hub:
            yield hub

    def fetch(self, addon: str) -> str:
        """Type the command, and return what it says."""
        self._said.readouterr()
        main(["fetch", f"tiny-{addon}", "--config", str(self.config)])
        return self._said.readouterr().out

    def refused(self, addon: str) -> str:
        """Type the command, and return the one line it complains in."""
        with pytest.raises(SystemExit) as caught:
            self.fetch(addon)
        complaint = self._said.readouterr().err
        assert caught.value.code in {1, 2}
        assert complaint.count("\n") == 1
        return complaint

    def type(self, *arguments: str) -> str:
        """Type a fetch of the profile itself, and return what it says."""
        self._said.readouterr()
        main(["fetch", "tiny", "--config", str(self.config), *arguments])
        return self._said.readouterr().out

    def made(self) -> set[str]:
        """Name what lies in the weights folder beside the base."""
        names = {path.name for path in self.weights.iterdir()}
        names -= {".fetch", "manifest.json", "text_encoder", "tokenizer", "movq"}
        return names - {"latent_rgb.safetensors", "unet", "conditioning.safetensors"}


def retrained(state: Mapping[str, Tensor], name: str = "in_layer.bias") -> dict[str, Tensor]:
    """Train one tensor on, by 0.25 in one of its numbers."""
    tensor = state[name].clone()
    tensor.view(-1)[3] += 0.25
    return {name: tensor}


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    with safe_open(path, "pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, file.metadata()  # noqa: SIM118


class Killed(BaseException):
    """What nothing in the program catches."""

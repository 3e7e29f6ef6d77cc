from pathlib import Path

import pytest
import torch
from torch import Tensor

from pipelines.kandinsky3 import movq
from pipelines.kandinsky3.image_prompts import ImagePrompts
from pipelines.kandinsky3.model import Kandinsky3
from pipelines.text_to_image import TextToImage
from pipelines.weights import ComponentStore
from tests.pipelines.micro import IMAGE_PROMPTS, make_store, make_weights


@pytest.fixture(scope="session")
def weights_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_weights(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="session")
def store(weights_dir: Path) -> ComponentStore:
    return make_store(weights_dir)


@pytest.fixture(scope="session")
def text_to_image(store: ComponentStore) -> TextToImage:
    return TextToImage(Kandinsky3(store), store.profile)


@pytest.fixture(scope="session")
def image_prompts(weights_dir: Path) -> ImagePrompts:
    return ImagePrompts.of(make_store(weights_dir, image_prompts=IMAGE_PROMPTS))


@pytest.fixture
def latents(monkeypatch: pytest.MonkeyPatch) -> list[Tensor]:
    """The latents that were decoded, call by call."""
    seen: list[Tensor] = []
    decode = movq.decode

    def recording(model: torch.nn.Module, latents: Tensor, *, tile_px: int | None) -> Tensor:
        seen.append(latents.clone())
        return decode(model, latents, tile_px=tile_px)

    monkeypatch.setattr(movq, "decode", recording)
    return seen

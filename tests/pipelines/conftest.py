from pathlib import Path

import pytest

from pipelines.kandinsky3.model import Kandinsky3
from pipelines.text_to_image import TextToImage
from pipelines.weights import ComponentStore
from tests.pipelines.micro import make_store, make_weights


@pytest.fixture(scope="session")
def weights_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_weights(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="session")
def store(weights_dir: Path) -> ComponentStore:
    return make_store(weights_dir)


@pytest.fixture(scope="session")
def text_to_image(store: ComponentStore) -> TextToImage:
    return TextToImage(Kandinsky3(store), store.profile)

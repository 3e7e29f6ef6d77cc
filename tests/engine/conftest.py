from pathlib import Path

import pytest

from pipelines.profiles import Profile
from tests.pipelines.micro import make_profile, make_weights

QUALITIES = {
    "flash": {},  # a moment
    "refined": {"steps": 30},  # about half a second
    "base": {"steps": 1000},  # longer than any test waits
}


@pytest.fixture(scope="session")
def weights_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_weights(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="session")
def profile(weights_dir: Path) -> Profile:
    return make_profile(weights_dir, qualities=QUALITIES, default_quality="flash")

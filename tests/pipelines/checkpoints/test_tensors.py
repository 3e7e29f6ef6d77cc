import re
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from pipelines.checkpoints.tensors import read_pickle, write_safetensors


def test_what_is_written_is_read_by_the_library(tmp_path: Path) -> None:
    tensors = {
        "half": torch.randn(3).half(),
        "wide": torch.randn(2, 5, dtype=torch.float64),
        "scalar": torch.tensor(7.0),
        "brain": torch.randn(3, 1).bfloat16(),
        "turned": torch.randn(4, 6).T,
        "none": torch.zeros(0, 3),
    }
    write_safetensors(tmp_path / "a.safetensors", tensors, variant="base")
    found = load_file(tmp_path / "a.safetensors")
    assert found.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert found[name].dtype == tensor.dtype
        assert torch.equal(found[name], tensor)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_converting_takes_the_memory_of_a_tensor_not_of_the_file(tmp_path: Path) -> None:
    tensors = {str(number): torch.zeros(2**20) for number in range(32)}  # 32 times 4 MB
    torch.save(tensors, tmp_path / "a.pt")
    del tensors
    before_kb = private_kb()
    contents = read_pickle(tmp_path / "a.pt")
    assert isinstance(contents, dict)
    measured_kb: list[int] = []

    def taken(tensor: torch.Tensor) -> torch.Tensor:
        measured_kb.append(private_kb())
        return tensor

    class Watched(torch.Tensor):
        def detach(self) -> torch.Tensor:
            return taken(super().detach())

    watched = {name: tensor.as_subclass(Watched) for name, tensor in contents.items()}
    write_safetensors(tmp_path / "a.safetensors", watched)
    assert len(measured_kb) == 32
    assert max(measured_kb) - before_kb < 16_000
    assert (tmp_path / "a.safetensors").stat().st_size > 32 * 2**22


def private_kb() -> int:
    """Memory of this process that no file on disk stands behind."""
    status = Path("/proc/self/status").read_text()
    found = re.search(r"RssAnon:\s+(\d+) kB", status)
    assert found
    return int(found[1])

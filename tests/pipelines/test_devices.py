from pathlib import Path

import pytest
import torch

from pipelines.devices import DeviceMissing, find_device, free_device_bytes, free_main_bytes


@pytest.fixture
def one_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine whose driver reports one GPU, whatever this one has."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)


@pytest.mark.usefixtures("one_gpu")
def test_a_number_the_driver_does_not_know_is_a_missing_device() -> None:
    with pytest.raises(DeviceMissing, match=r"'cuda:1' cannot be used: CUDA sees 1 devices"):
        find_device("cuda:1")


@pytest.mark.usefixtures("one_gpu")
@pytest.mark.parametrize(
    "error",
    [
        torch.AcceleratorError("CUDA error: an illegal memory access was encountered"),
        RuntimeError("CUDA error: unspecified launch failure"),
        torch.OutOfMemoryError("CUDA out of memory"),
    ],
    ids=repr,
)
def test_a_device_that_is_there_and_does_not_answer_is_not_called_missing(
    monkeypatch: pytest.MonkeyPatch, error: RuntimeError
) -> None:
    def touch(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(torch, "zeros", touch)
    with pytest.raises(type(error)) as caught:
        find_device("cuda")
    assert caught.value is error


def test_a_cpu_has_no_memory_of_its_own() -> None:
    assert free_device_bytes(torch.device("cpu")) is None


def test_main_memory_is_what_the_machine_and_the_container_leave(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal:  9000 kB\nMemAvailable:    8000 kB\n")
    assert free_main_bytes(tmp_path, meminfo) == 8000 * 1024
    (tmp_path / "memory.current").write_text("1024\n")
    (tmp_path / "memory.max").write_text("max\n")
    assert free_main_bytes(tmp_path, meminfo) == 8000 * 1024
    (tmp_path / "memory.max").write_text(f"{3 * 1024}\n")
    (tmp_path / "memory.stat").write_text("anon 900\nactive_file 0\ninactive_file 0\n")
    assert free_main_bytes(tmp_path, meminfo) == 2 * 1024


def test_files_that_were_read_do_not_take_a_containers_memory(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text("4096\n")
    (tmp_path / "memory.current").write_text("4000\n")
    (tmp_path / "memory.stat").write_text("anon 600\nactive_file 1000\ninactive_file 2400\n")
    assert free_main_bytes(tmp_path, tmp_path / "none") == 4096 - 600


def test_where_nothing_is_told_main_memory_is_all_there_is(tmp_path: Path) -> None:
    assert free_main_bytes(tmp_path, tmp_path / "none") > 2**28

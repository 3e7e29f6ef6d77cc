import pytest
import torch

from benchmarks.gpu.__main__ import main


def test_it_runs_without_a_gpu_in_the_small(capsys: pytest.CaptureFixture[str]) -> None:
    small = ["--device", "cpu", "--small", "--plans", "resident", "sequential"]
    assert main([*small, "--qualities", "flash", "refined"]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert [row.split(" | ")[:2] for row in rows[2:]] == [
        ["| resident", "flash"],
        ["| resident", "refined"],
        ["| sequential", "flash"],
        ["| sequential", "refined"],
    ]
    for row in rows[2:]:
        first_s, next_s = row.split(" | ")[2:4]
        assert min(float(first_s), float(next_s)) > 0


def test_a_plan_that_does_not_fit_is_said_and_the_others_go_on(
    capsys: pytest.CaptureFixture[str],
) -> None:
    plans = ["--plans", "resident", "--memory-gb", "0.001", "--qualities", "flash"]
    assert main(["--device", "cpu", "--small", *plans]) == 0
    assert "does not fit" in capsys.readouterr().out.splitlines()[-1]


@pytest.mark.skipif(torch.cuda.is_available(), reason="the machine has a GPU")
def test_without_a_gpu_it_says_so_in_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("benchmarks.gpu needs an NVIDIA GPU")
    assert told.err.count("\n") == 1

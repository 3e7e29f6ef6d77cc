import pytest
import torch
from torch import nn

from pipelines.quantise import Bits, QuantisedLinear, nf4_levels, quantise, quantised_bytes

PUBLISHED_NF4 = [
    -1.0, -0.6961928010, -0.5250730515, -0.3949174881, -0.2844413817, -0.1847734302,
    -0.0910500363, 0.0, 0.0795802996, 0.1609302014, 0.2461123019, 0.3379152417,
    0.4407098293, 0.5626170039, 0.7229568362, 1.0,
]  # fmt: skip
"""arXiv 2305.14314, appendix E."""

RECORDED_NF4 = bytes.fromhex(
    "04c16e29f3b05d17e29f3c05d18e2af4c16e18e3b05d17e29f3b05d18e2af4c1"
    "6d18e3b04c17e29f3b05d17e2af4c06d18e2a04c16e29f3b05d17e29f3c05d18"
    "e2af4c16e18e3b05d17e29f3b05d18e2af4c16d18e3b04c17e29f3b05d17e2af"
    "4c06d18e2a04c16e29f3b05d17e29f3c05d18e2af4c16e18e3b05d17e29f3b05"
)
"""What bitsandbytes 0.50.2 packs the matrix of :func:`recorded` into, in blocks of 64."""

RECORDED_INT8 = [-64, -17, 30, -51, -4, 43, -38, 9]
"""What it makes of its first row, whose largest weight is 2."""


def recorded() -> torch.Tensor:
    values = [((i * 37) % 101 - 50) / 50 * (1 + i // 64) for i in range(256)]
    return torch.tensor(values).reshape(2, 128)


def quantised(weight: torch.Tensor, bits: Bits) -> QuantisedLinear:
    linear = nn.Linear(weight.shape[1], weight.shape[0], bias=False, dtype=weight.dtype)
    linear.weight = nn.Parameter(weight, requires_grad=False)
    made = quantise(nn.Sequential(linear), bits, torch.device("cpu"))
    (layer,) = made.children()
    assert isinstance(layer, QuantisedLinear)
    return layer


def test_the_levels_are_those_published() -> None:
    assert torch.allclose(nf4_levels(), torch.tensor(PUBLISHED_NF4), atol=2e-7)


def test_four_bits_are_packed_as_bitsandbytes_packs_them() -> None:
    layer = quantised(recorded(), 4)
    assert bytes(layer.packed.flatten().tolist()) == RECORDED_NF4
    assert layer.scales.flatten().tolist() == [1, 2, 3, 4]
    first = [-1.0, -0.2844, 0.4407, -0.6962, -0.0911, 0.7230, -0.5251, 0.1609]
    assert torch.allclose(layer.dense()[0, :8], torch.tensor(first), atol=1e-4)


def test_eight_bits_are_those_of_llm_int8() -> None:
    layer = quantised(recorded(), 8)
    assert layer.packed[0, :8].tolist() == RECORDED_INT8
    assert (layer.scales.flatten() * 127).tolist() == pytest.approx([2, 4])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shape", [(256, 128), (48, 16), (33, 71)], ids=str)
@pytest.mark.parametrize(("bits", "error"), [(8, 0.01), (4, 0.11)])
def test_a_layer_answers_about_as_it_did(
    bits: Bits, error: float, shape: tuple[int, int], dtype: torch.dtype
) -> None:
    torch.manual_seed(0)
    weight = torch.randn(shape).to(dtype)
    inputs = torch.randn(5, 7, shape[1]).to(dtype)
    wanted = nn.functional.linear(inputs, weight).float()
    outputs = quantised(weight, bits)(inputs)
    assert outputs.dtype == dtype
    assert ((outputs.float() - wanted).norm() / wanted.norm()).item() < error


@pytest.mark.parametrize("bits", [8, 4])
def test_zeros_stay_zeros(bits: Bits) -> None:
    assert quantised(torch.zeros(4, 64), bits).dense().eq(0).all()


@pytest.mark.parametrize("bits", [8, 4])
def test_a_bias_is_kept_and_counted_sizes_are_real(bits: Bits) -> None:
    linear = nn.Linear(70, 33)
    layer = quantise(nn.ModuleDict({"inner": nn.Sequential(linear)}), bits, torch.device("cpu"))
    packed, scales, bias = layer.buffers()
    assert torch.equal(bias, linear.bias)
    assert packed.nbytes + scales.nbytes == quantised_bytes(33, 70, bits)
    assert not list(layer.parameters())

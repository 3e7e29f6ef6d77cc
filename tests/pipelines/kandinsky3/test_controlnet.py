"""Against the same networks written out over plain tensors, by the original's names."""

from collections.abc import Iterator
from copy import deepcopy
from typing import cast

import pytest
import torch
from torch import Tensor, nn

from pipelines.kandinsky3.controlnet import (
    ControlBranch,
    Controlled,
    InputHint,
    Span,
    predict_with,
)
from pipelines.kandinsky3.controlnet_layout import branch_name, hint_name, is_of_the_hint
from pipelines.kandinsky3.ip_adapter import IPAdapter
from pipelines.kandinsky3.sampler import FollowsRows, UNet
from pipelines.residence import Streamed
from tests.pipelines.kandinsky3 import plain
from tests.pipelines.kandinsky3.controls import base_state, branch_state, hint_unet_state
from tests.pipelines.kandinsky3.original import drawn, original_unet

TOLERANCE = 1e-4
ALWAYS = Span(steps=1)
EMBEDDING_DIM = 24


@pytest.fixture(scope="module")
def unet() -> nn.Module:
    return original_unet()


@pytest.fixture(scope="module")
def branch() -> ControlBranch:
    branch = ControlBranch(original_unet())
    branch.load_state_dict({branch_name(name): t for name, t in branch_state().items()})
    return branch.eval().requires_grad_(requires_grad=False)


@pytest.fixture(scope="module")
def encoder() -> InputHint:
    encoder = InputHint(16)
    state = {hint_name(n): t for n, t in hint_unet_state().items() if is_of_the_hint(n)}
    encoder.load_state_dict(state)
    return encoder.requires_grad_(requires_grad=False)


class Asked:
    """What a UNet is asked about, random; the rows differ in everything."""

    def __init__(self, rows: int = 2) -> None:
        generator = torch.Generator().manual_seed(7)
        self.sample = torch.randn(rows, 4, 8, 16, generator=generator)
        self.timestep = torch.tensor([999, 479, 20][:rows])
        self.context = torch.randn(rows, 6, 32, generator=generator)
        self.mask = torch.ones(rows, 6)
        self.mask[0, 4:] = 0
        self.hints = torch.rand(rows, 3, 64, 128, generator=generator)

    def __iter__(self) -> Iterator[Tensor]:
        return iter((self.sample, self.timestep, self.context, self.mask))

    def of(self, row: int) -> "Asked":
        one = Asked(1)
        for name, tensor in vars(self).items():
            setattr(one, name, tensor[[row]])
        return one

    @property
    def given(self) -> plain.Given:
        return plain.Given(self.context, self.mask)


def close(found: Tensor, wanted: Tensor) -> None:
    torch.testing.assert_close(found, wanted, atol=TOLERANCE, rtol=0)


def predicted(unet: UNet, asked: Asked) -> Tensor:
    (noise,) = unet(asked.sample, asked.timestep, asked.context, asked.mask, return_dict=False)
    return noise


def plainly(unet: nn.Module, asked: Asked) -> Tensor:
    return predicted(cast("UNet", unet), asked)


def heeding(
    unet: nn.Module,
    control: ControlBranch | InputHint,
    asked: Asked,
    *strengths: float,
    span: Span = ALWAYS,
) -> Controlled:
    return Controlled(unet, control, asked.hints, torch.tensor(strengths), span)


def test_the_side_branch_computes_what_the_original_does(branch: ControlBranch) -> None:
    asked = Asked()
    found = branch(*asked, asked.hints)
    wanted = plain.branch(branch_state(), asked.sample, asked.timestep, asked.given, asked.hints)
    assert [tuple(residual.shape[1:]) for residual in found] == [
        (32, 4, 8),
        (64, 2, 4),
        (128, 1, 2),
    ]
    for residual, by_hand in zip(found, wanted, strict=True):
        close(residual, by_hand)


def test_a_unet_beside_its_side_branch_computes_what_the_original_does(
    unet: nn.Module, branch: ControlBranch
) -> None:
    asked = Asked()
    found = predicted(heeding(unet, branch, asked, 1.0, 0.5), asked)
    residuals = plain.branch(
        branch_state(), asked.sample, asked.timestep, asked.given, asked.hints
    )
    strengths = torch.tensor([1.0, 0.5])[:, None, None, None]
    wanted = plain.unet(
        base_state(),
        asked.sample,
        asked.timestep,
        asked.given,
        residuals=[strengths * residual for residual in residuals],
    )
    close(found, wanted)
    assert (found - plainly(unet, asked)).abs().mean() > 0.05


def test_a_unet_with_a_hint_encoder_computes_what_the_original_does(
    unet: nn.Module, encoder: InputHint
) -> None:
    asked = Asked()
    found = predicted(heeding(unet, encoder, asked, 1.0, 1.0), asked)
    state = hint_unet_state()
    features = plain.hint_features(state, asked.hints)
    wanted = plain.unet(state, asked.sample, asked.timestep, asked.given, features=features)
    close(found, wanted)
    assert (found - plainly(unet, asked)).abs().mean() > 0.05


def test_shapes_are_kept_and_a_picture_is_seen_at_once(
    unet: nn.Module, branch: ControlBranch
) -> None:
    asked, state = Asked(), dict(base_state())
    adapter = IPAdapter.fresh(unet, EMBEDDING_DIM)
    ours = {name: drawn(name, tuple(t.shape)) for name, t in adapter.state_dict().items()}
    adapter.load_state_dict(ours)
    names = {"to_k_ip": "to_key_ip", "to_v_ip": "to_v_ip", "to_out_ip": "to_out_ip"}
    for name, tensor in ours.items():
        if ".processor." in name:
            side, level, _, number, _, _, part, kind = name.split(".")
            block = f"{side.removesuffix('_blocks')}_samples.{level}.resnet_attn_blocks"
            key = f"{block}.{int(number) - 1}.1.attention.processor.{names[part]}.{kind}"
            state[key] = tensor
    weights = torch.tensor([1.0, 0.7])
    with torch.no_grad(), adapter.attached(unet):
        tokens = adapter.tokens(torch.randn(2, EMBEDDING_DIM))
        inner = heeding(unet, branch, asked, 1.0, 1.0)
        found = predicted(adapter.seeing(inner, tokens, weights), asked)
    given = plain.Given(asked.context, asked.mask, tokens, weights)
    residuals = plain.branch(
        branch_state(), asked.sample, asked.timestep, asked.given, asked.hints
    )
    wanted = plain.unet(state, asked.sample, asked.timestep, given, residuals=residuals)
    close(found, wanted)


@pytest.mark.parametrize("block_bytes", [1, 500_000], ids=["layers", "blocks"])
def test_a_streamed_unet_is_there_whenever_one_of_its_layers_is_asked(
    unet: nn.Module, branch: ControlBranch, block_bytes: int
) -> None:
    def asked_of(unet: nn.Module) -> Tensor:
        asked, tokens = Asked(), drawn("tokens", (2, 4, 32))
        with torch.no_grad(), adapter.attached(unet):
            inner = heeding(unet, branch, asked, 1.0, 0.5)
            return predicted(adapter.seeing(inner, tokens, torch.ones(2)), asked)

    adapter = IPAdapter.fresh(unet, EMBEDDING_DIM)
    adapter.load_state_dict({n: drawn(n, tuple(t.shape)) for n, t in adapter.state_dict().items()})
    streamed = deepcopy(unet)
    absent: set[nn.Module] = set()
    at_home = {weight.data_ptr() for weight in streamed.parameters()}
    blocks = Streamed(streamed, torch.device("cpu"), block_bytes)
    for layer in streamed.modules():
        layer.register_forward_pre_hook(
            lambda layer, _: absent.update(
                layer for weight in layer.parameters(recurse=False) if weight.data_ptr() in at_home
            )
        )
    blocks.come()
    assert torch.equal(asked_of(streamed), asked_of(unet))
    assert not absent
    blocks.leave()
    assert {weight.data_ptr() for weight in streamed.parameters()} == at_home


def test_a_new_branch_changes_nothing(unet: nn.Module) -> None:
    asked, branch = Asked(), ControlBranch.from_unet(unet)
    with torch.no_grad():
        found = predicted(heeding(unet, branch, asked, 1.0, 1.0), asked)
    assert torch.equal(found, plainly(unet, asked))


def test_a_new_branch_learns_beside_a_frozen_unet(unet: nn.Module) -> None:
    asked, fresh = Asked(1), ControlBranch.from_unet(unet, hint_channels=(4, 4, 4, 4))
    branch = deepcopy(fresh)
    descent = torch.optim.SGD(branch.parameters(), lr=0.1)
    for _ in range(2):
        residuals = branch(*asked, asked.hints)
        loss = predict_with(unet, *asked, residuals=residuals).square().mean()
        loss.backward()  # type: ignore[no-untyped-call]
        descent.step()
    learnt = {name for name, weight in branch.named_parameters() if weight.count_nonzero()}
    zeros = {name for name, weight in fresh.named_parameters() if not weight.count_nonzero()}
    assert {"hint.convs.7.weight", "zero_convs.0.weight", "zero_convs.2.bias"} <= zeros & learnt
    assert all(weight.grad is not None for weight in branch.parameters())
    assert torch.equal(plainly(unet, asked), plainly(original_unet(), asked))


def test_a_hint_that_nobody_heeds_changes_nothing(
    unet: nn.Module, branch: ControlBranch, encoder: InputHint
) -> None:
    asked = Asked()
    for control in (branch, encoder):
        found = predicted(heeding(unet, control, asked, 0.0, 1.0), asked)
        wanted = plainly(unet, asked)
        assert torch.equal(found[0], wanted[0])
        assert not torch.allclose(found[1], wanted[1], atol=0.01)


def test_shapes_are_kept_during_their_share_of_the_steps(
    unet: nn.Module, branch: ControlBranch
) -> None:
    asked, span = Asked(), Span(steps=5, start=0.2, end=0.8)
    control = heeding(unet, branch, asked, 1.0, 1.0, span=span)
    wanted = plainly(unet, asked)
    is_kept = [not torch.equal(predicted(control, asked), wanted) for _ in range(5)]
    assert is_kept == [False, True, True, True, False]


@pytest.mark.parametrize(
    ("steps", "start", "end", "held"),
    [
        (100, 0.0, 0.57, 57),  # 0.57 * 100 is less than 57
        (100, 0.07, 1.0, 93),  # 0.07 * 100 is more than 7
        (4, 0.0, 0.1, 0),
        (1, 0.0, 1.0, 1),
    ],
)
def test_a_span_is_as_many_whole_steps_as_it_says(
    steps: int, start: float, end: float, held: int
) -> None:
    assert sum(Span(steps, start, end).holds(step) for step in range(steps)) == held


def test_a_row_depends_on_its_own_hint_alone(
    unet: nn.Module, branch: ControlBranch, encoder: InputHint
) -> None:
    asked = Asked(3)
    for control in (branch, encoder):
        together = predicted(heeding(unet, control, asked, 1.0, 0.4, 0.9), asked)
        alone = asked.of(1)
        found = predicted(heeding(unet, control, alone, 0.4), alone)
        torch.testing.assert_close(together[[1]], found, atol=1e-5, rtol=0)


def test_rows_that_leave_take_their_hints_with_them(
    unet: nn.Module, branch: ControlBranch
) -> None:
    asked, span = Asked(3), Span(steps=2)
    control = heeding(unet, branch, asked, 1.0, 0.4, 0.9, span=span)
    assert isinstance(control, FollowsRows)
    before = predicted(control, asked)
    control.keep([2])
    after = predicted(control, asked.of(2))
    torch.testing.assert_close(after, before[[2]], atol=1e-5, rtol=0)

"""The image adapter, against recorded tokens, plain arithmetic, and what a batch must not do."""

from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pipelines.kandinsky3.deepcache import DeepCache
from pipelines.kandinsky3.ip_adapter import IPAdapter, cross_attentions
from pipelines.kandinsky3.sampler import FollowsRows, UNet
from tests.pipelines.kandinsky3 import plain
from tests.pipelines.kandinsky3.original import adapter_state, original_state, original_unet

TOLERANCE = 1e-4
RECORDED = Path(__file__).parents[1] / "data" / "kandinsky3_ip_adapter.npz"


@pytest.fixture(scope="module")
def unet() -> nn.Module:
    return original_unet()


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    """The whole published layout: the UNet with the adapter in it."""
    return original_state("unet") | adapter_state()


@pytest.fixture(scope="module")
def adapter() -> IPAdapter:
    """The same adapter, in ours."""
    ours = {
        name.replace("down_samples", "down_blocks")
        .replace("up_samples", "up_blocks")
        .replace("to_key_ip", "to_k_ip"): tensor
        for name, tensor in adapter_state().items()
    }
    for number in reversed(range(3)):
        ours = {
            name.replace(f"resnet_attn_blocks.{number}.1.", f"attentions.{number + 1}."): tensor
            for name, tensor in ours.items()
        }
    made = IPAdapter.shaped_like(ours)
    made.load_state_dict(ours)
    return made.eval().requires_grad_(requires_grad=False)


def drawn(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def asked(rows: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Latents, timesteps, contexts and masks, each row its own."""
    mask = torch.ones(rows, 6)
    for row in range(rows):
        mask[row, 3 + row % 3 :] = 0
    timesteps = torch.tensor([999, 479, 20, 700])[:rows]
    return drawn(1, rows, 4, 16, 8), timesteps, drawn(2, rows, 6, 32), mask


def ask(unet: UNet, given: tuple[Tensor, Tensor, Tensor, Tensor]) -> Tensor:
    return unet(*given, return_dict=False)[0]


def seen(adapter: IPAdapter, unet: nn.Module, tokens: Tensor, weights: Tensor) -> Tensor:
    with adapter.attached(unet):
        return ask(adapter.seeing(cast("UNet", unet), tokens, weights), asked(len(tokens)))


def plain_layer(
    state: dict[str, Tensor], at: str, given: tuple[Tensor, Tensor, Tensor], tokens: Tensor
) -> list[tuple[Tensor, Tensor]]:
    """One cross-attention, row by row and head by head: what the text and the picture give."""

    def attended(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        heads = zip(*(torch.split(part, 8, 1) for part in (query, key, value)), strict=True)
        return torch.cat([(q @ k.T / 8**0.5).softmax(dim=1) @ v for q, k, v in heads], dim=1)

    def linear(part: str, states: Tensor) -> Tensor:
        named = f"{at}.processor.{part}"
        return states @ state[f"{named}.weight"].T + state[f"{named}.bias"]

    def row(states: Tensor, context: Tensor, mask: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        text = context[mask > 0]
        query = states @ state[f"{at}.to_query.weight"].T
        key, value = (text @ state[f"{at}.to_{part}.weight"].T for part in ("key", "value"))
        said = attended(query, key, value) @ state[f"{at}.output_layer.weight"].T
        shown = attended(query, linear("to_key_ip", seen), linear("to_v_ip", seen))
        return said, linear("to_out_ip", shown)

    return [row(*parts) for parts in zip(*given, tokens, strict=True)]


def test_the_tokens_are_the_originals(adapter: IPAdapter) -> None:
    with np.load(RECORDED) as arrays:
        image, tokens = (torch.from_numpy(arrays[name]) for name in ("image", "tokens"))
    torch.testing.assert_close(adapter.tokens(image), tokens, atol=TOLERANCE, rtol=0)


def test_it_has_the_names_and_shapes_of_the_published_one(unet: nn.Module) -> None:
    expected = {
        "image_proj.weight": (128, 24),
        "image_proj.bias": (128,),
        "image_norm.weight": (32,),
        "image_norm.bias": (32,),
    }
    up = {0: (256, 256, 256), 1: (256, 128, 128), 2: (128, 64, 64)}
    down = {1: (64, 64, 64), 2: (128, 128, 128), 3: (256, 256, 256)}
    for side, levels in (("down", down), ("up", up)):
        for level, widths in levels.items():
            for number, width in enumerate(widths, start=1):
                at = f"{side}_blocks.{level}.attentions.{number}.attention.processor"
                for part, inputs in (("to_k_ip", 32), ("to_v_ip", 32), ("to_out_ip", width)):
                    expected[f"{at}.{part}.weight"] = (width, inputs)
                    expected[f"{at}.{part}.bias"] = (width,)
    assert len(expected) == 4 + 18 * 6
    fresh = IPAdapter.fresh(unet, embedding_dim=24)
    assert {name: tuple(t.shape) for name, t in fresh.state_dict().items()} == expected


def test_one_layer_is_that_of_plain_arithmetic(
    adapter: IPAdapter, unet: nn.Module, state: dict[str, Tensor]
) -> None:
    layer = cross_attentions(unet)["up_blocks.1.attentions.1.attention"]
    states, context, tokens = drawn(3, 2, 20, 256), drawn(4, 2, 6, 32), drawn(5, 2, 4, 32)
    mask, weights = torch.tensor([[1.0] * 6, [1.0] * 2 + [0.0] * 4]), torch.tensor([0.3, 1.4])
    expected = plain_layer(
        state, "up_samples.1.resnet_attn_blocks.0.1.attention", (states, context, mask), tokens
    )

    def run(*_: object, **__: object) -> tuple[Tensor]:
        return (layer(states, context, ((1 - mask) * -10_000.0)[:, None]),)

    with adapter.attached(unet):
        (ours,) = adapter.seeing(run, tokens, weights)(*asked(2), return_dict=False)
    for row, (said, shown) in enumerate(expected):
        together = said + weights[row] * shown
        torch.testing.assert_close(ours[row], together, atol=TOLERANCE, rtol=0)


def test_the_whole_unet_is_that_of_plain_arithmetic(
    adapter: IPAdapter, unet: nn.Module, state: dict[str, Tensor]
) -> None:
    tokens, weights = drawn(6, 3, 4, 32), torch.tensor([1.0, 0.5, 1.4])
    x, timesteps, context, mask = asked(3)
    without = plain.unet(state, x, timesteps, plain.Given(context, mask))
    given = plain.Given(context, mask, tokens, weights)
    expected = plain.unet(state, x, timesteps, given)
    torch.testing.assert_close(ask(cast("UNet", unet), asked(3)), without, atol=TOLERANCE, rtol=0)
    assert (expected - without).abs().max() > 0.05
    ours = seen(adapter, unet, tokens, weights)
    torch.testing.assert_close(ours, expected, atol=TOLERANCE, rtol=0)


def test_a_fresh_adapter_and_one_that_is_not_heeded_change_nothing(
    adapter: IPAdapter, unet: nn.Module
) -> None:
    plain = ask(cast("UNet", unet), asked(2))
    tokens = drawn(6, 2, 4, 32)
    fresh = IPAdapter.fresh(unet, embedding_dim=24)
    for untold, weight in ((fresh, 1.0), (adapter, 0.0)):
        out = seen(untold, unet, tokens, torch.full((2,), weight))
        torch.testing.assert_close(out, plain, atol=1e-5, rtol=0)


def test_each_row_sees_its_own_picture_as_much_as_it_heeds_it(
    adapter: IPAdapter, unet: nn.Module
) -> None:
    tokens, weights = drawn(7, 4, 4, 32), torch.tensor([1.0, 0.0, 0.6, 1.4])
    together = seen(adapter, unet, tokens, weights)
    given = asked(4)
    with adapter.attached(unet):
        for row in range(4):
            seeing = adapter.seeing(cast("UNet", unet), tokens[[row]], weights[[row]])
            (x, timestep, context, mask) = (part[[row]] for part in given)
            alone = ask(seeing, (x, timestep, context, mask))
            torch.testing.assert_close(alone[0], together[row], atol=2e-5, rtol=0)


def test_rows_that_leave_take_their_pictures_with_them(
    adapter: IPAdapter, unet: nn.Module
) -> None:
    tokens, weights = drawn(7, 4, 4, 32), torch.tensor([1.0, 0.2, 0.6, 1.4])
    given = asked(4)
    with adapter.attached(unet):
        seeing = adapter.seeing(cast("UNet", unet), tokens, weights)
        whole = ask(seeing, given)
        seeing.keep([3, 1])
        left = ask(
            seeing, (given[0][[3, 1]], given[1][[3, 1]], given[2][[3, 1]], given[3][[3, 1]])
        )
    torch.testing.assert_close(left, whole[[3, 1]], atol=2e-5, rtol=0)


def test_a_cache_inside_forgets_with_it_and_keeps_what_was_seen(
    adapter: IPAdapter, unet: nn.Module
) -> None:
    tokens, weights = drawn(7, 2, 4, 32), torch.ones(2)
    given = asked(2)
    with adapter.attached(unet):
        seeing = adapter.seeing(DeepCache(unet, 2), tokens, weights)
        whole = ask(adapter.seeing(cast("UNet", unet), tokens, weights), given)
        first = ask(seeing, given)
        seeing.keep([1])
        second = ask(seeing, (given[0][[1]], given[1][[1]], given[2][[1]], given[3][[1]]))
    torch.testing.assert_close(first, whole, atol=1e-5, rtol=0)
    torch.testing.assert_close(second, whole[[1]], atol=2e-5, rtol=0)
    assert isinstance(seeing, FollowsRows)


def test_the_unets_own_processors_come_back_whatever_happens(
    adapter: IPAdapter, unet: nn.Module
) -> None:
    plain = ask(cast("UNet", unet), asked(1))
    before = {name: layer.processor for name, layer in cross_attentions(unet).items()}
    names = set(unet.state_dict())

    def fail_halfway() -> None:
        with adapter.attached(unet):
            assert set(unet.state_dict()) > names
            raise RuntimeError("halfway")

    with pytest.raises(RuntimeError, match="halfway"):
        fail_halfway()
    assert {name: layer.processor for name, layer in cross_attentions(unet).items()} == before
    assert set(unet.state_dict()) == names
    assert torch.equal(ask(cast("UNet", unet), asked(1)), plain)


def test_between_two_calls_nothing_is_seen(adapter: IPAdapter, unet: nn.Module) -> None:
    plain = ask(cast("UNet", unet), asked(2))
    with adapter.attached(unet):
        ask(adapter.seeing(cast("UNet", unet), drawn(7, 2, 4, 32), torch.ones(2)), asked(2))
        unseeing = ask(cast("UNet", unet), asked(2))
    torch.testing.assert_close(unseeing, plain, atol=1e-5, rtol=0)


def test_an_adapter_of_another_unet_is_refused(unet: nn.Module) -> None:
    other = IPAdapter({"down_blocks.1.attentions.1.attention": 64}, 24, 32)
    with pytest.raises(ValueError, match="other cross-attention"), other.attached(unet):
        pass

from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn

from pipelines.kandinsky3 import load
from pipelines.kandinsky3.conditioning import Conditioning
from pipelines.kandinsky3.deepcache import DeepCache
from pipelines.kandinsky3.sampler import UNet, predict
from pipelines.weights import ComponentStore
from tests.pipelines.kandinsky3.original import original_unet

TOLERANCE = 1e-5


@pytest.fixture(scope="module")
def unet() -> UNet:
    return cast("UNet", original_unet())


def contexts(rows: int) -> Conditioning:
    generator = torch.Generator().manual_seed(1)
    context = torch.randn(rows, 6, 32, generator=generator)
    mask = torch.ones(rows, 6)
    mask[:, 5] = 0
    return Conditioning(context, mask, torch.full((rows,), 6))


def latents(rows: int, seed: int) -> Tensor:
    return torch.randn(rows, 4, 16, 8, generator=torch.Generator().manual_seed(seed))


def calls(cache: DeepCache, rows: int, seeds: range) -> list[Tensor]:
    given = contexts(rows)
    return [predict(cache, latents(rows, seed), torch.tensor(500), given) for seed in seeds]


def test_with_an_interval_of_one_it_is_the_unet_itself(unet: UNet) -> None:
    cache, given = DeepCache(unet, 1), contexts(2)
    for seed, timestep in enumerate((999, 479, 19)):
        at = torch.tensor(timestep)
        plain = predict(unet, latents(2, seed), at, given)
        assert torch.equal(predict(cache, latents(2, seed), at, given), plain)


def test_a_unet_of_two_levels_is_taken_apart_rightly_too(store: ComponentStore) -> None:
    unet = cast("UNet", store.get(load.UNETS["base"]))
    given = Conditioning(torch.randn(1, 3, 16), torch.ones(1, 3), torch.tensor([3]))
    plain = predict(unet, latents(1, 0), torch.tensor(7), given)
    assert torch.equal(predict(DeepCache(unet, 1), latents(1, 0), torch.tensor(7), given), plain)


def test_the_deep_levels_are_computed_at_every_third_call_alone(unet: UNet) -> None:
    deep, outer = [], []
    module = cast("nn.Module", unet)
    handles = [
        module.get_submodule("down_blocks.1").register_forward_hook(lambda *_: deep.append(1)),
        module.get_submodule("up_blocks.0").register_forward_hook(lambda *_: deep.append(1)),
        module.get_submodule("down_blocks.0").register_forward_hook(lambda *_: outer.append(1)),
        module.get_submodule("up_blocks.3").register_forward_hook(lambda *_: outer.append(1)),
    ]
    calls(DeepCache(unet, 3), 1, range(7))
    for handle in handles:
        handle.remove()
    assert len(deep) == 2 * 3
    assert len(outer) == 2 * 7


def test_between_whole_calls_the_prediction_still_follows_latents_and_time(unet: UNet) -> None:
    given = contexts(1)

    def second(seed: int, timestep: int) -> Tensor:
        cache = DeepCache(unet, 2)
        predict(cache, latents(1, 0), torch.tensor(999), given)
        return predict(cache, latents(1, seed), torch.tensor(timestep), given)

    assert not torch.allclose(second(1, 500), second(2, 500), atol=1e-2)
    assert not torch.allclose(second(1, 500), second(1, 100), atol=1e-3)


def test_the_same_latents_at_the_same_time_get_the_same_prediction(unet: UNet) -> None:
    cache, given = DeepCache(unet, 2), contexts(2)
    first, second = (predict(cache, latents(2, 5), torch.tensor(500), given) for _ in range(2))
    assert torch.equal(first, second)


def test_rows_that_leave_do_not_change_those_that_stay(unet: UNet) -> None:
    everyone, some, given = DeepCache(unet, 3), DeepCache(unet, 3), contexts(3)
    at = torch.tensor(500)
    for cache in (everyone, some):
        predict(cache, latents(3, 0), at, given)
    some.keep([0, 2])
    stayed = predict(some, latents(3, 1)[[0, 2]], at, given.keep([0, 2]))
    expected = predict(everyone, latents(3, 1), at, given)[[0, 2]]
    torch.testing.assert_close(stayed, expected, atol=TOLERANCE, rtol=TOLERANCE)


def test_a_new_loop_knows_nothing_of_the_last_one(unet: UNet) -> None:
    one = calls(DeepCache(unet, 2), 1, range(3))
    again: list[Any] = calls(DeepCache(unet, 2), 1, range(3))
    assert all(torch.equal(*pair) for pair in zip(one, again, strict=True))

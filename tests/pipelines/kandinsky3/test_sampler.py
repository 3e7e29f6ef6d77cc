from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import pytest
import torch
from diffusers import DDPMScheduler
from torch import Tensor

from pipelines.kandinsky3 import sampler
from pipelines.kandinsky3.conditioning import Conditioning, stack
from pipelines.kandinsky3.sampler import Rows, UNet, alphas_cumprod, scheduler
from pipelines.kandinsky3.timesteps import FLASH_TIMESTEPS, timesteps

CPU = torch.device("cpu")
STEPS = (1, 2, 3, 5, 7, 30, 50, 333, 1000)


class Painter:
    """A UNet whose prediction is arithmetic: a little of the sample, time and context."""

    def __init__(self) -> None:
        self.calls: list[tuple[int, int]] = []

    def __call__(
        self,
        sample: Tensor,
        timestep: Tensor,
        encoder_hidden_states: Tensor,
        encoder_attention_mask: Tensor,
        return_dict: bool,
    ) -> tuple[Tensor]:
        assert not return_dict
        assert timestep.shape == (len(sample),)
        self.calls.append((len(sample), int(timestep[0])))
        context = (encoder_hidden_states * encoder_attention_mask[:, :, None]).mean(dim=(1, 2))
        shift = context + timestep / 5000
        return (0.9 * sample.roll(1, dims=-1) + shift[:, None, None, None],)


def contexts(*values: float) -> Conditioning:
    rows = torch.tensor(values)[:, None, None].expand(-1, 3, 5)
    return Conditioning(rows, torch.ones(len(values), 3), torch.full((len(values),), 3))


def start(*seeds: int) -> Rows:
    return Rows.start(seeds, width_px=192, height_px=64, device=CPU)


def keep_all(rows: Rows, guess: Tensor) -> Sequence[int]:
    return range(len(rows.indices))


def base(rows: Rows, prompts: Conditioning, unet: UNet | None = None, **changes: Any) -> Rows:
    options: dict[str, Any] = {"at": timesteps(10), "guidance": 3.0, "threshold": 0.99}
    options["watch"] = keep_all
    nothing = contexts(*[0.0] * len(prompts))
    return sampler.ancestral(unet or Painter(), rows, prompts, nothing, **{**options, **changes})


def flash(rows: Rows, prompts: Conditioning, **changes: Any) -> Rows:
    return sampler.flash(Painter(), rows, prompts, **{"watch": keep_all, **changes})


def refine(rows: Rows, prompts: Conditioning, **changes: Any) -> Rows:
    return sampler.refine(Painter(), rows, prompts, **{"watch": keep_all, **changes})


LOOPS: list[Callable[..., Rows]] = [base, flash, refine]


def test_the_published_steps_are_the_references() -> None:
    assert timesteps(50) == list(range(999, 0, -20))
    assert timesteps(25) == list(range(999, 0, -40))


def test_there_are_exactly_as_many_steps_as_asked() -> None:
    for steps in range(1, 1001):
        spaced = timesteps(steps)
        assert len(spaced) == steps
        assert spaced[0] == 999
        assert spaced[-1] >= 0
        assert all(later < earlier for earlier, later in pairwise(spaced))


@pytest.mark.parametrize("steps", [1, 2, 4, 5, 10, 20, 25, 50, 100, 250, 1000])
def test_the_spacing_is_the_librarys_own_where_the_steps_divide(steps: int) -> None:
    ddpm = DDPMScheduler(timestep_spacing="trailing")
    ddpm.set_timesteps(steps)
    assert timesteps(steps) == ddpm.timesteps.tolist()


def test_the_flash_steps_keep_the_published_shares_of_signal_and_noise() -> None:
    kept_shares = alphas_cumprod()[list(FLASH_TIMESTEPS)]
    signal = torch.tensor([0.03116, 0.40848, 0.72457, 0.93208])
    noise = torch.tensor([0.99951, 0.91277, 0.68920, 0.36225])
    torch.testing.assert_close(kept_shares.sqrt(), signal, atol=1e-5, rtol=0)
    torch.testing.assert_close((1 - kept_shares).sqrt(), noise, atol=1e-5, rtol=0)


def test_flash_and_the_base_model_share_one_noise_schedule() -> None:
    assert torch.equal(alphas_cumprod(), scheduler(timesteps(1), None).alphas_cumprod)


def test_guidance_goes_beyond_the_conditional_prediction() -> None:
    noise, noise_uncond = torch.full((1, 4, 2, 2), 2.0), torch.full((1, 4, 2, 2), 1.0)
    assert torch.equal(sampler.guide(noise, noise_uncond, 3.0), torch.full((1, 4, 2, 2), 5.0))
    assert torch.equal(sampler.guide(noise, noise_uncond, 0.0), noise)


def test_guidance_asks_the_unet_once_a_step_for_twice_the_rows() -> None:
    guided, plain = Painter(), Painter()
    base(start(1, 2, 3), contexts(1, 2, 3), guided)
    base(start(1, 2, 3), contexts(1, 2, 3), plain, guidance=0.0)
    assert guided.calls == [(6, t) for t in timesteps(10)]
    assert plain.calls == [(3, t) for t in timesteps(10)]


def test_contexts_are_joined_anew_only_when_somebody_leaves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    joined: list[int] = []

    def counting(first: Conditioning, second: Conditioning) -> Conditioning:
        joined.append(len(first))
        return stack(first, second)

    monkeypatch.setattr(sampler, "stack", counting)
    base(start(1, 2, 3), contexts(1, 2, 3))
    assert joined == [3]


def test_a_split_keeps_every_row_with_its_own_noise_and_place() -> None:
    whole = start(1, 2, 3, 4, 5)
    parts = whole.split(2)
    assert [part.indices for part in parts] == [(0, 1), (2, 3), (4,)]
    assert torch.equal(torch.cat([part.latents for part in parts]), whole.latents)
    assert [g for part in parts for g in part.generators] == list(whole.generators)


def test_a_base_picture_is_the_librarys_loop_with_the_rows_own_noise() -> None:
    ours = base(start(5), contexts(2.0)).latents
    ddpm = DDPMScheduler(
        beta_schedule="squaredcos_cap_v2",
        clip_sample=False,
        thresholding=True,
        dynamic_thresholding_ratio=0.99,
        sample_max_value=1e6,
        timestep_spacing="trailing",
    )
    ddpm.set_timesteps(10)
    generator = torch.Generator().manual_seed(5)
    latents = torch.randn(1, 4, 8, 24, generator=generator)
    for t in ddpm.timesteps:
        both = [sampler.predict(Painter(), latents, t, contexts(value)) for value in (2.0, 0.0)]
        noise = 4 * both[0] - 3 * both[1]
        latents = ddpm.step(noise, t, latents, generator=generator).prev_sample
    torch.testing.assert_close(ours, latents, atol=1e-5, rtol=1e-5)


def test_thresholding_brings_the_end_into_range_and_can_be_left_out() -> None:
    bounded = base(start(1, 2), contexts(4, -4)).latents
    unbounded = base(start(1, 2), contexts(4, -4), threshold=None).latents
    assert bounded.abs().max() <= 1 + 1e-6
    assert unbounded.abs().max() > 1.5


@pytest.mark.parametrize("threshold", [0.95, 0.99])
def test_the_threshold_is_the_share_of_a_latent_that_stays_unclipped(threshold: float) -> None:
    sample, noise = (
        torch.randn(2, 4, 16, 16, generator=torch.Generator().manual_seed(s)) for s in (1, 2)
    )
    sample[1] /= 100  # all of it within the floor of 1
    kept = alphas_cumprod()[199]
    end = (sample - (1 - kept).sqrt() * noise) / kept.sqrt()
    bound = end.abs().flatten(1).quantile(threshold, dim=1).clamp(min=1)[:, None, None, None]
    step = scheduler([199, 99], threshold).step(noise, 199, sample)
    torch.testing.assert_close(step.pred_original_sample, end.clamp(-bound, bound) / bound)
    assert bound[0] > 1
    assert bound[1] == 1


def test_flash_noises_anew_at_each_step_and_takes_the_guess_of_the_end() -> None:
    ours = flash(start(9), contexts(0.5)).latents
    generator = torch.Generator().manual_seed(9)
    latents = torch.randn(1, 4, 8, 24, generator=generator)
    kept_shares = alphas_cumprod()
    for t in (979, 729, 479, 229):
        noised = kept_shares[t].sqrt() * latents + (1 - kept_shares[t]).sqrt() * torch.randn(
            1, 4, 8, 24, generator=generator
        )
        noise = sampler.predict(Painter(), noised, torch.tensor(t), contexts(0.5))
        latents = (noised - (1 - kept_shares[t]).sqrt() * noise) / kept_shares[t].sqrt()
    torch.testing.assert_close(ours, latents, atol=1e-5, rtol=1e-5)


def test_the_refiner_is_the_last_two_flash_steps_from_where_it_is_given() -> None:
    unet = Painter()
    rows = start(3, 4)
    sampler.refine(unet, rows, contexts(1, 2), watch=keep_all)
    assert unet.calls == [(2, 479), (2, 229)]
    shifted = Rows(rows.latents + 1, start(3, 4).generators, rows.indices)
    again = Rows(rows.latents, start(3, 4).generators, rows.indices)
    assert not torch.equal(
        refine(shifted, contexts(1, 2)).latents, refine(again, contexts(1, 2)).latents
    )


@pytest.mark.parametrize("loop", LOOPS)
def test_a_row_is_the_same_alone_and_among_others(loop: Callable[..., Rows]) -> None:
    together = loop(start(1, 2, 3, 4), contexts(0.1, 0.2, 0.3, 0.4)).latents
    for index, seed in enumerate((1, 2, 3, 4)):
        alone = loop(start(seed), contexts((index + 1) / 10)).latents
        torch.testing.assert_close(alone[0], together[index], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("loop", LOOPS)
def test_rows_that_are_let_go_leave_the_others_as_they_are(loop: Callable[..., Rows]) -> None:
    calls: list[tuple[int, ...]] = []

    def let_go(rows: Rows, guess: Tensor) -> Sequence[int]:
        assert guess.shape == rows.latents.shape
        calls.append(rows.indices)
        return [p for p, index in enumerate(rows.indices) if index not in (0, 2)]

    stayed = loop(start(1, 2, 3, 4), contexts(0.1, 0.2, 0.3, 0.4), watch=let_go)
    everyone = loop(start(1, 2, 3, 4), contexts(0.1, 0.2, 0.3, 0.4))
    assert stayed.indices == (1, 3)
    assert calls[:2] == [(0, 1, 2, 3), (1, 3)]
    torch.testing.assert_close(stayed.latents, everyone.latents[[1, 3]], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("steps", STEPS)
def test_any_number_of_steps_stays_finite(steps: int) -> None:
    seen = 0

    def count(rows: Rows, guess: Tensor) -> Sequence[int]:
        nonlocal seen
        seen += 1
        assert guess.isfinite().all()
        return keep_all(rows, guess)

    rows = base(start(1), contexts(1.0), at=timesteps(steps), watch=count)
    assert rows.latents.isfinite().all()
    assert seen == steps


def test_the_first_noise_is_the_seeds_on_any_device_and_of_the_pictures_shape() -> None:
    rows = Rows.start([0, 2**32 - 1], width_px=192, height_px=64, device=CPU)
    assert rows.latents.shape == (2, 4, 8, 24)
    expected = torch.randn(1, 4, 8, 24, generator=torch.Generator().manual_seed(2**32 - 1))
    assert torch.equal(rows.latents[1:], expected)
    assert not torch.equal(rows.latents[0], rows.latents[1])


def test_the_unet_is_spoken_to_in_its_contexts_precision_and_the_rest_is_float32() -> None:
    class Half(Painter):
        def __call__(self, sample: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor]:
            assert sample.dtype == torch.bfloat16
            assert kwargs["encoder_hidden_states"].dtype == torch.bfloat16
            return super().__call__(sample, *args, **kwargs)

    context = contexts(1.0).context.bfloat16()
    half = Conditioning(context, torch.ones(1, 3), torch.tensor([3]))
    rows = sampler.flash(Half(), start(1), half, watch=keep_all)
    assert rows.latents.dtype == torch.float32

from typing import cast

import pytest
import torch
from diffusers import Kandinsky3UNet
from torch import Tensor, nn

from pipelines.kandinsky3.conditioning import Conditioning, Projection, stack, tokenize

STATES_DIM, CONTEXT_DIM = 12, 16


@pytest.fixture(scope="module")
def projection() -> Projection:
    torch.manual_seed(0)
    projection = Projection(STATES_DIM, CONTEXT_DIM)
    nn.init.normal_(projection.null_embedding)
    nn.init.normal_(projection.norm.bias)
    return projection.eval().requires_grad_(requires_grad=False)


@pytest.fixture(scope="module")
def unet() -> Kandinsky3UNet:
    torch.manual_seed(0)
    unet = Kandinsky3UNet(
        time_embedding_dim=16,
        groups=4,
        attention_head_dim=8,
        layers_per_block=2,
        block_out_channels=(16, 16, 16, 16),
        cross_attention_dim=CONTEXT_DIM,
        encoder_hid_dim=CONTEXT_DIM,
    )
    unet.encoder_hid_proj = nn.Identity()
    for weight in unet.parameters():  # the library starts the conditional norms at zero
        nn.init.normal_(weight, std=0.2)
    return unet.eval().requires_grad_(requires_grad=False)


def text(tokens: int, positions: int, seed: int) -> tuple[Tensor, Tensor]:
    """States of one text padded to ``positions``, and its mask."""
    states = torch.randn(1, positions, STATES_DIM, generator=torch.Generator().manual_seed(seed))
    mask = (torch.arange(positions) < tokens).long()[None]
    return states, mask


def predict(unet: Kandinsky3UNet, conditioning: Conditioning) -> Tensor:
    latents = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(9))
    noise: Tensor = unet(
        latents.expand(len(conditioning), -1, -1, -1),
        500,
        encoder_hidden_states=conditioning.context,
        encoder_attention_mask=conditioning.mask,
        return_dict=False,
    )[0]
    return noise


def test_one_text_is_zeroed_after_its_end_and_cut_one_position_later(
    projection: Projection,
) -> None:
    states, mask = text(5, 128, seed=1)
    conditioning = projection(states, mask)
    expected = projection.norm(projection.linear(states[:, :5]))
    assert conditioning.context.shape == (1, 6, CONTEXT_DIM)
    assert torch.allclose(conditioning.context[:, :5], expected)
    assert torch.equal(conditioning.context[:, 5], torch.zeros(1, CONTEXT_DIM))
    assert conditioning.mask.tolist() == [[1, 1, 1, 1, 1, 0]]


def test_a_text_that_fills_every_position_has_no_blank_after_it(projection: Projection) -> None:
    conditioning = projection(*text(128, 128, seed=1))
    assert conditioning.context.shape[1] == 128
    assert conditioning.mask.all()


def test_a_picture_does_not_depend_on_the_texts_beside_it(
    projection: Projection, unet: Kandinsky3UNet
) -> None:
    short, long = text(3, 40, seed=1), text(30, 40, seed=2)
    states, mask = (torch.cat(pair) for pair in zip(short, long, strict=True))
    together = predict(unet, projection(states, mask))
    alone = torch.cat([predict(unet, projection(*each)) for each in (short, long)])
    assert torch.allclose(together, alone, atol=1e-4 * alone.abs().max().item())


def test_padding_with_zeros_would_let_neighbours_in(
    projection: Projection, unet: Kandinsky3UNet
) -> None:
    alone = projection(*text(3, 40, seed=1))
    padded = Conditioning(
        nn.functional.pad(alone.context, (0, 0, 0, 27)),
        nn.functional.pad(alone.mask, (0, 27)),
        alone.lengths,
    )
    difference = predict(unet, padded) - predict(unet, alone)
    assert difference.abs().max() > 1e-2 * predict(unet, alone).abs().max()


def test_the_unconditional_branch_sees_only_the_null_embedding(projection: Projection) -> None:
    text_of_six = projection(*text(6, 40, seed=1))
    nothing = projection.unconditional_for(stack(text_of_six, text_of_six))
    assert nothing.context.shape == (2, 7, CONTEXT_DIM)
    assert torch.equal(nothing.context[1, 0], projection.null_embedding)
    assert not nothing.context[:, 1:].any()
    assert nothing.mask.tolist() == [[1, 0, 0, 0, 0, 0, 0]] * 2


def test_guidance_in_one_batch_equals_guidance_in_two(
    projection: Projection, unet: Kandinsky3UNet
) -> None:
    short, long = (projection(*text(n, 40, seed=n)) for n in (3, 30))
    rows = stack(short, long)
    both = predict(unet, stack(rows, projection.unconditional_for(rows)))
    alone = torch.cat(
        [
            predict(unet, short),
            predict(unet, long),
            predict(unet, projection.unconditional_for(short)),
            predict(unet, projection.unconditional_for(long)),
        ]
    )
    assert torch.allclose(both, alone, atol=1e-4 * alone.abs().max().item())


def test_rows_that_leave_do_not_change_those_that_stay(projection: Projection) -> None:
    short, long = (projection(*text(n, 40, seed=n)) for n in (3, 9))
    left = stack(short, long).keep([1])
    assert torch.equal(left.context, long.context)
    assert left.lengths.tolist() == [10]


def test_training_reaches_the_null_embedding_through_attention_and_through_the_pooling(
    unet: Kandinsky3UNet,
) -> None:
    def taught() -> Tensor:
        torch.manual_seed(0)
        projection = Projection(STATES_DIM, CONTEXT_DIM)
        nothing = projection.unconditional_for(projection(*text(3, 40, seed=1)))
        torch.autograd.backward(predict(unet, nothing).square().sum())
        gradient = projection.null_embedding.grad
        assert gradient is not None
        return gradient

    through_both = taught()
    pooling = unet.add_time_condition.register_forward_hook(lambda *call: call[-1].detach())
    through_attention = taught()
    pooling.remove()
    assert through_attention.abs().min() > 0
    assert (through_both - through_attention).abs().min() > 0


def _words(text: list[str], **options: object) -> dict[str, Tensor]:
    """One id per word and an end mark, cut and padded as asked."""
    assert options["padding"] == "longest"
    limit = cast("int", options["max_length"])
    rows = [[*[7] * min(len(line.split()), limit - 1), 1] for line in text]
    longest = max(map(len, rows))
    return {
        "input_ids": torch.tensor([row + [0] * (longest - len(row)) for row in rows]),
        "attention_mask": torch.tensor(
            [[1] * len(row) + [0] * (longest - len(row)) for row in rows]
        ),
    }


def test_tokens_leave_a_blank_position_after_the_longest_text() -> None:
    ids, mask = tokenize(_words, ["a b c", "d"])
    assert ids.tolist() == [[7, 7, 7, 1, 0], [7, 1, 0, 0, 0]]
    assert mask.tolist() == [[1, 1, 1, 1, 0], [1, 1, 0, 0, 0]]


def test_a_long_text_is_cut_and_still_ends(projection: Projection) -> None:
    ids, mask = tokenize(_words, ["word " * 500])
    assert ids.shape == (1, 128)
    assert ids[0, -1] == 1
    assert mask.all()
    assert projection(torch.zeros(1, 128, STATES_DIM), mask).context.shape[1] == 128

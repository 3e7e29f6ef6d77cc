"""From words to what the UNet attends to: tokens, projection, the unconditional branch, batching.

A Kandinsky 3 UNet reads its context twice: cross-attention looks at the unmasked positions, and
the attention pooling that joins the time embedding starts from the *plain mean over all
positions*, masked ones included. So the length of the context changes the picture, and the
reference (which cuts to the longest text of the batch plus one) lets neighbours in a batch change
each other. Here they cannot, up to rounding: a row ends at its own text plus one position, as the
reference would cut it alone, and what a batch adds beyond that is filled with **the mean of the
row**. Such positions are masked, so attention gives them no weight, and a mean does not move when
copies of itself join it: in float32 to about a ten-millionth. In bfloat16 and float16 the
filled-in mean is itself rounded, to a 256th and a 2048th, so a neighbour still shows in a
picture's last digits. The UNet stays as it is, and one prompt alone is treated exactly as in the
reference.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import torch
from torch import Tensor, nn

MAX_TOKENS: Final = 128
"""Of a text, its end token included; the encoder was trained on no more."""

EMPTY_LENGTH: Final = 2
"""Of an empty text: its end token and the zeroed position after it."""


@dataclass(frozen=True, slots=True)
class Conditioning:
    """A batch of contexts, ready for the UNet.

    Attributes:
        context: (B, L, C) float; masked positions inside a row's own length are zero, those
            beyond it hold the row's mean.
        mask: (B, L), the dtype of ``context``; 1 where attention looks.
        lengths: (B,) int64, how many positions are the row's own.
    """

    context: Tensor
    mask: Tensor
    lengths: Tensor

    def __len__(self) -> int:
        return self.context.shape[0]

    def keep(self, positions: Sequence[int]) -> "Conditioning":
        """Leave only the rows at these positions."""
        rows = list(positions)
        return Conditioning(self.context[rows], self.mask[rows], self.lengths[rows])


class Projection(nn.Module):
    """Brings text-encoder states to the UNet's width and owns the unconditional embedding.

    Each variant of the model (base, Flash, inpainting) has its own.

    Source: ai-forever/Kandinsky-3, `condition_encoders.py:19-32` (projection, zeroing, cut) and
    `model/diffusion.py:114-118` (null embedding).
    """

    def __init__(self, states_dim: int, context_dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(states_dim, context_dim, bias=False)
        self.norm = nn.LayerNorm(context_dim)
        self.null_embedding = nn.Parameter(torch.zeros(context_dim))

    def forward(self, states: Tensor, mask: Tensor) -> Conditioning:
        """Project, zero what is masked, and cut to the longest text plus one position.

        Args:
            states: (B, L, D) float, the text encoder's last hidden states.
            mask: (B, L) of any dtype, 1 on tokens and 0 on padding.
        """
        visible = mask.to(states.dtype)
        projected = self.norm(self.linear(states)) * visible[:, :, None]
        texts = mask.sum(dim=1).long()
        # One zeroed position follows the text, unless the text fills every position there is.
        lengths = (texts + 1).clamp(max=mask.shape[1])
        longest = int(lengths.max())
        return _filled(projected[:, :longest], visible[:, :longest], lengths)

    def unconditional_for(self, conditioning: Conditioning) -> Conditioning:
        """Return the guidance branch of each row, as long as that row's own context.

        It is the null embedding at position 0, the only one seen, and zeros up to the length.
        """
        return self._unconditional(conditioning.lengths)

    def wordless(self) -> Conditioning:
        """Return a context of no words, (1, 2, C): as long as an empty text's would be."""
        length = torch.tensor([EMPTY_LENGTH], device=self.null_embedding.device)
        return self._unconditional(length)

    def blank(self) -> Conditioning:
        """Return a context of zeros that nothing looks at: :meth:`uncut`, of no words."""
        zeros = self.null_embedding.new_zeros(1, 1, len(self.null_embedding))
        # Zero in every position is the same at any length.
        return Conditioning(zeros, zeros[:, :, 0], torch.ones_like(zeros[:, 0, 0]).long())

    def uncut(self, states: Tensor, mask: Tensor, *, is_negative: bool) -> Conditioning:
        """Project as the published image adapter has it: all positions, padding included.

        Args:
            states: (B, L, D) float, as in :meth:`forward`.
            mask: (B, L) likewise.
            is_negative: then padding is zero; else it is what projecting a zero gives.

        Returns:
            Contexts of 128 positions.

        Source: ai-forever/kandinsky3-diffusers, `kandinsky3_pipeline_ip_adapter.py:160-240`.
        """
        missing = MAX_TOKENS - mask.shape[1]
        visible = nn.functional.pad(mask.to(states.dtype), (0, missing))
        states = nn.functional.pad(states, (0, 0, 0, missing)) * visible[:, :, None]
        projected = self.norm(self.linear(states))
        context = projected * visible[:, :, None] if is_negative else projected
        return Conditioning(context, visible, torch.full_like(mask[:, 0], MAX_TOKENS).long())

    def _unconditional(self, lengths: Tensor) -> Conditioning:
        batch, longest = len(lengths), int(lengths.max())
        context = self.null_embedding.new_zeros(batch, longest, len(self.null_embedding))
        first = torch.zeros_like(context)
        first[:, 0] = 1
        context = torch.where(first > 0, self.null_embedding, context)
        return _filled(context, first[:, :, 0], lengths)


def stack(first: Conditioning, second: Conditioning) -> Conditioning:
    """Join two batches into one, ``first`` on top; every row keeps the result it has alone.

    Returns:
        (B1 + B2, max(L1, L2), C).
    """
    longest = max(first.context.shape[1], second.context.shape[1])
    parts = [_widened(part, longest) for part in (first, second)]
    return Conditioning(
        torch.cat([part.context for part in parts]),
        torch.cat([part.mask for part in parts]),
        torch.cat([part.lengths for part in parts]),
    )


def _widened(conditioning: Conditioning, length: int) -> Conditioning:
    """Add masked positions up to ``length``."""
    missing = length - conditioning.context.shape[1]
    context = nn.functional.pad(conditioning.context, (0, 0, 0, missing))
    mask = nn.functional.pad(conditioning.mask, (0, missing))
    return _filled(context, mask, conditioning.lengths)


def _filled(context: Tensor, mask: Tensor, lengths: Tensor) -> Conditioning:
    """Put each row's own mean into the positions beyond its length."""
    positions = torch.arange(context.shape[1], device=context.device)
    own = (positions < lengths[:, None])[:, :, None]  # (B, L, 1)
    sums = torch.where(own, context, 0).float().sum(dim=1, keepdim=True)
    means = (sums / lengths[:, None, None]).to(context.dtype)
    return Conditioning(torch.where(own, context, means), mask, lengths)


class Tokenizer(Protocol):
    """The part of a `transformers` T5 tokenizer used here."""

    def __call__(self, text: list[str], **options: object) -> dict[str, Tensor]:
        """Turn texts into padded ids and their mask."""
        ...


def tokenize(
    tokenizer: Tokenizer, texts: Sequence[str], max_tokens: int = MAX_TOKENS
) -> tuple[Tensor, Tensor]:
    """Turn texts into ids, padded to the longest of them.

    Args:
        tokenizer: a T5 tokenizer; it appends the end-of-sequence token.
        texts: the prompts.
        max_tokens: longer texts are cut to this many tokens, the end token included.

    Returns:
        ids (B, L) int64 and mask (B, L) int64, 1 on tokens. L is one more than the longest text
        where ``max_tokens`` allows, so that the projection finds the blank position after it.

    Source: ai-forever/Kandinsky-3, `condition_processors.py:11-18`, which pads to 128 always; the
    encoder ignores padding, so this gives the same states for less work.
    """
    encoded = tokenizer(
        list(texts), padding="longest", truncation=True, max_length=max_tokens, return_tensors="pt"
    )
    ids, mask = encoded["input_ids"], encoded["attention_mask"]
    blank = int(ids.shape[1] < max_tokens)
    return nn.functional.pad(ids, (0, blank)), nn.functional.pad(mask, (0, blank))

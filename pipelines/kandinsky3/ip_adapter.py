"""The image adapter: pictures as prompts, through attention of their own beside that to the text.

It lies beside the base UNet and never in it: :meth:`IPAdapter.attached` lends its processors to
the UNet for as long as a batch is drawn. So all modes share one UNet, and without the adapter
attached it is the plain one.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Literal, Self, cast

from diffusers.models.attention_processor import Attention
from torch import Tensor, nn

from pipelines.kandinsky3.sampler import FollowsRows, UNet

IMAGE_TOKENS: Final = 4
"""How many tokens a picture becomes beside those of the text."""

POOLING: Final = "add_time_condition.attention"
"""The layer that reads the text for the time embedding."""

TextContext = Literal["full", "cut"]
"""How the text beside the pictures is laid out: as the published adapter was used, with all
positions and padding that is not zeroed, or as the base model has it."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """What one layer sees of the pictures: keys and values, (R, T, c), weights (R, 1, 1)."""

    keys: Tensor
    values: Tensor
    weights: Tensor

    def keep(self, positions: Sequence[int]) -> "_Seen":
        rows = list(positions)
        return _Seen(self.keys[rows], self.values[rows], self.weights[rows])


class IPAttnProcessor(nn.Module):
    """Cross-attention to the text and, with the same queries, to a picture's tokens.

    Both have their own keys, values and output projection, and are added behind the latter; no
    image token is masked.

    Args:
        channels: of the layer.
        context_dim: of the tokens.

    Source: ai-forever/kandinsky3-diffusers, `attention_processor.py:1684-1740`; an adapter for
    Stable Diffusion shares the output projection instead.
    """

    def __init__(self, channels: int, context_dim: int) -> None:
        super().__init__()
        self.to_k_ip = nn.Linear(context_dim, channels)
        self.to_v_ip = nn.Linear(context_dim, channels)
        self.to_out_ip = nn.Linear(channels, channels)
        self.sight: _Seen | None = None
        """What is seen at the next call; without it the layer is the plain one."""

    def seen(self, tokens: Tensor, weights: Tensor) -> _Seen:
        """Prepare once for all calls what the layer sees of tokens, (R, T, C)."""
        keys, values = self.to_k_ip(tokens), self.to_v_ip(tokens)
        return _Seen(keys, values, weights.to(keys)[:, None, None])

    def forward(
        self,
        attn: Attention,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor,
        attention_mask: Tensor | None = None,
    ) -> Tensor:
        """Attend as the layer's plain processor does, and to the pictures.

        Args:
            attn: the layer, whose projections serve the text.
            hidden_states: (R, N, c).
            encoder_hidden_states: the text's context, (R, L, C).
            attention_mask: (R, 1, L), added to the attention to the text before its softmax.
        """
        query = _split(attn.to_q(hidden_states), attn.heads)
        key = _split(attn.to_k(encoder_hidden_states), attn.heads)
        value = _split(attn.to_v(encoder_hidden_states), attn.heads)
        mask = None if attention_mask is None else attention_mask[:, None]  # for every head
        out: Tensor = attn.to_out[0](_attend(query, key, value, mask))
        if self.sight is None:
            return out
        key, value = (_split(seen, attn.heads) for seen in (self.sight.keys, self.sight.values))
        image: Tensor = self.to_out_ip(_attend(query, key, value, None))
        return out + self.sight.weights * image


class IPAdapter(nn.Module):
    """The projection of an image embedding to tokens, and a processor for each cross-attention.

    Its state dict has the names that the UNet would give it: ``image_proj``, ``image_norm`` and
    ``down_blocks.1.attentions.1.attention.processor.to_k_ip`` and so on.

    Args:
        channels: of each cross-attention layer, by its name in the UNet.
        embedding_dim: of CLIP's image embedding.
        context_dim: of the UNet's context.
        tokens: how many tokens a picture becomes.
        text_context: which layout of the text it was trained beside.

    Source: ai-forever/kandinsky3-diffusers, `unet_kandi3.py:687-797, 936-937`.
    """

    def __init__(
        self,
        channels: Mapping[str, int],
        embedding_dim: int,
        context_dim: int,
        tokens: int = IMAGE_TOKENS,
        text_context: TextContext = "cut",
    ) -> None:
        super().__init__()
        self.text_context: Final = text_context
        self.image_proj = nn.Linear(embedding_dim, tokens * context_dim)
        self.image_norm = nn.LayerNorm(context_dim)
        self._processors: dict[str, IPAttnProcessor] = {}
        for name, width in channels.items():
            self._processors[name] = IPAttnProcessor(width, context_dim)
            _nest(self, f"{name}.processor", self._processors[name])

    @classmethod
    def fresh(
        cls,
        unet: nn.Module,
        embedding_dim: int,
        tokens: int = IMAGE_TOKENS,
        *,
        is_pooled: bool = False,
    ) -> Self:
        """Make an untrained adapter for a UNet: it changes nothing until it has learnt to.

        Args:
            unet: which.
            embedding_dim: of CLIP's image embedding.
            tokens: how many tokens a picture becomes.
            is_pooled: whether the pooling that joins the time embedding sees them as well; that
                of the published adapter does not.
        """
        layers = cross_attentions(unet, is_pooled=is_pooled)
        channels = {
            name: cast("nn.Linear", layer.to_q).out_features for name, layer in layers.items()
        }
        context_dim = cast("nn.Linear", next(iter(layers.values())).to_k).in_features
        adapter = cls(channels, embedding_dim, context_dim, tokens)
        for processor in adapter._processors.values():
            nn.init.zeros_(processor.to_out_ip.weight)
            nn.init.zeros_(processor.to_out_ip.bias)
        return adapter

    @classmethod
    def shaped_like(cls, tensors: Mapping[str, Tensor], text_context: TextContext = "cut") -> Self:
        """Make an adapter that a state dict fits into, its own weights still to be loaded.

        Raises:
            KeyError: it is no adapter's.
        """
        suffix = ".processor.to_k_ip.weight"
        channels = {
            name.removesuffix(suffix): len(tensor)
            for name, tensor in tensors.items()
            if name.endswith(suffix)
        }
        (context_dim,) = tensors["image_norm.weight"].shape
        tokens_dim, embedding_dim = tensors["image_proj.weight"].shape
        return cls(channels, embedding_dim, context_dim, tokens_dim // context_dim, text_context)

    def tokens(self, embeds: Tensor) -> Tensor:
        """Turn image embeddings, (B, D), into tokens of the UNet's context, (B, T, C)."""
        projected: Tensor = self.image_proj(embeds.to(self.image_proj.weight.dtype))
        normed: Tensor = self.image_norm(
            projected.view(len(embeds), -1, *self.image_norm.weight.shape)
        )
        return normed

    @contextmanager
    def attached(self, unet: nn.Module) -> Iterator[None]:
        """Lend the processors to a UNet, whose own come back at the end.

        Raises:
            ValueError: the UNet has other cross-attention layers than this adapter.
        """
        layers = cross_attentions(unet, is_pooled=POOLING in self._processors)
        if layers.keys() != self._processors.keys():
            msg = "the adapter belongs to a UNet of other cross-attention layers"
            raise ValueError(msg)
        plain = {name: layer.processor for name, layer in layers.items()}
        try:
            for name, layer in layers.items():
                layer.set_processor(cast("Any", self._processors[name]))
            yield
        finally:
            for name, layer in layers.items():
                layer.set_processor(plain[name])

    def seeing(self, unet: UNet, tokens: Tensor, weights: Tensor) -> "Seeing":
        """Let a UNet that this adapter is attached to see pictures, each row its own.

        Args:
            unet: the UNet itself, or whatever calls it.
            tokens: (R, T, C), with guidance those of the prompts and under them of the negatives.
            weights: (R,), how much each row heeds them; 0 is not at all.
        """
        seen = {part: part.seen(tokens, weights) for part in self._processors.values()}
        return Seeing(unet, seen)


class Seeing:
    """A UNet that sees a picture in each of its rows; it may be asked as long as it is attached.

    What a layer makes of the tokens is computed once and not at every step. Between two calls
    the processors know nothing of any picture. One instance serves one denoising loop.
    """

    def __init__(self, unet: UNet, seen: Mapping[IPAttnProcessor, _Seen]) -> None:
        self._unet = unet
        self._seen = dict(seen)

    def keep(self, positions: Sequence[int]) -> None:
        """Forget what all rows but those at these positions see."""
        self._seen = {part: seen.keep(positions) for part, seen in self._seen.items()}
        if isinstance(self._unet, FollowsRows):
            self._unet.keep(positions)

    def __call__(
        self,
        sample: Tensor,
        timestep: Tensor,
        encoder_hidden_states: Tensor,
        encoder_attention_mask: Tensor,
        return_dict: bool,
    ) -> tuple[Tensor]:
        """Predict the noise in ``sample``, (R, 4, h, w), as the UNet does."""
        for processor, seen in self._seen.items():
            processor.sight = seen
        try:
            return self._unet(
                sample, timestep, encoder_hidden_states, encoder_attention_mask, return_dict
            )
        finally:
            for processor in self._seen:
                processor.sight = None


def cross_attentions(unet: nn.Module, *, is_pooled: bool = False) -> dict[str, Attention]:
    """Find a Kandinsky3UNet's cross-attention layers, by name.

    In each block the first attention is to itself; that of the pooling is no layer of a block, and
    only among them if asked for.
    """
    layers = {}
    for name, module in unet.named_modules():
        path = name.split(".")
        is_cross = path[2:3] == ["attentions"] and path[3:4] != ["0"]
        if isinstance(module, Attention) and (is_cross or (is_pooled and name == POOLING)):
            layers[name] = module
    return layers


def _split(states: Tensor, heads: int) -> Tensor:
    """(R, N, H * c) to (R, H, N, c)."""
    rows, positions, _ = states.shape
    return states.view(rows, positions, heads, -1).transpose(1, 2)


def _attend(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
    """(R, H, N, c) each, joined to (R, N, H * c)."""
    out = nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
    return out.transpose(1, 2).flatten(2)


def _nest(module: nn.Module, path: str, child: nn.Module) -> None:
    """Hang a module under a dotted name."""
    *parents, name = path.split(".")
    for parent in parents:
        if not hasattr(module, parent):
            module.add_module(parent, nn.Module())
        module = module.get_submodule(parent)
    module.add_module(name, child)

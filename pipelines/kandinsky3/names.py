"""From the names of the original checkpoints' tensors to those of diffusers' models.

Source: ai-forever/Kandinsky-3, `model/unet.py`, `movq.py`; diffusers 0.42.1, `Kandinsky3UNet`,
`VQModel`.
"""

import re
from collections.abc import Callable, Sequence
from typing import Final

_Rules = Sequence[tuple[str, str | Callable[[re.Match[str]], str]]]

_UNET_NAMES: Final[_Rules] = (
    (r"^to_time_embed\.1\.", "time_embedding.linear_1."),
    (r"^to_time_embed\.3\.", "time_embedding.linear_2."),
    (r"^feature_pooling\.", "add_time_condition."),
    (r"^in_layer\.", "conv_in."),
    (r"^out_layer\.0\.", "conv_norm_out."),
    (r"^out_layer\.2\.", "conv_out."),
    (r"^(down|up)_samples\.", r"\1_blocks."),
    # The level's own self-attention comes first in the list that the cross-attentions follow in.
    (r"\.self_attention_block\.", ".attentions.0."),
    (r"\.resnet_attn_blocks\.(\d+)\.0\.", r".resnets_in.\1."),
    (r"\.resnet_attn_blocks\.(\d+)\.1\.", lambda m: f".attentions.{int(m[1]) + 1}."),
    (r"\.resnet_attn_blocks\.(\d+)\.2\.", r".resnets_out.\1."),
    (r"\.to_query\.", ".to_q."),
    (r"\.to_key\.", ".to_k."),
    (r"\.to_value\.", ".to_v."),
    (r"\.output_layer\.", ".to_out.0."),
)
_MOVQ_NAMES: Final[_Rules] = (
    (r"\.mid\.attn_1\.", ".mid_block.attentions.0."),
    (r"\.mid\.block_(\d)\.", lambda m: f".mid_block.resnets.{int(m[1]) - 1}."),
    (r"\.(down|up)\.(\d+)\.", r".\1_blocks.\2."),
    (r"\.block\.", ".resnets."),
    (r"\.attn\.", ".attentions."),
    (r"\.(down|up)sample\.", r".\1samplers.0."),
    (r"\.nin_shortcut\.", ".conv_shortcut."),
    (r"\.norm_out\.", ".conv_norm_out."),
    (r"^(encoder\..*attentions\.\d\.)norm\.", r"\1group_norm."),
    (r"^(decoder\..*attentions\.\d\.)norm\.", r"\1spatial_norm."),
    (r"^(encoder\..*)\.norm_layer\.", r"\1."),  # only the decoder's norms have parts
    (r"(attentions\.\d\.)([qkv])\.", r"\1to_\2."),
    (r"(attentions\.\d\.)proj_out\.", r"\1to_out.0."),
)


def unet_name(original: str) -> str:
    """Translate the name of a UNet's tensor."""
    return _renamed(original, _UNET_NAMES)


def movq_name(original: str, levels: int) -> str:
    """Translate the name of a MoVQ's tensor; its decoder's levels are counted backwards."""
    name = _renamed(original, _MOVQ_NAMES)
    return re.sub(r"\.up_blocks\.(\d+)\.", lambda m: f".up_blocks.{levels - 1 - int(m[1])}.", name)


def _renamed(name: str, rules: _Rules) -> str:
    for pattern, replacement in rules:
        name = re.sub(pattern, replacement, name)
    return name

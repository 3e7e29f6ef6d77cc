"""A causal language model of a few kilobytes: a real Mistral, and a real tokenizer of bytes."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import MistralConfig, MistralForCausalLM, PreTrainedTokenizerFast

END = "</s>"


def save_tokenizer(folder: Path) -> Any:
    """Write a tokenizer that takes bytes one by one, so that "###" is three tokens."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: number for number, token in enumerate([END, *alphabet])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=END)
    fast.save_pretrained(folder)
    return fast


def make_model(vocabulary: int, hidden: int = 64) -> Any:
    torch.manual_seed(0)
    return MistralForCausalLM(
        MistralConfig(
            vocab_size=vocabulary,
            hidden_size=hidden,
            intermediate_size=hidden,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=2048,
            eos_token_id=0,
            bos_token_id=0,
        )
    )


def save_random(folder: Path) -> Path:
    """Write a model that says whatever its random weights say, without end."""
    tokenizer = save_tokenizer(folder)
    make_model(len(tokenizer)).save_pretrained(folder)
    return folder


def save_reciting(folder: Path, *tokens: str) -> Path:
    """Write a model that after a line's end says these tokens, and the last one for ever.

    Each token, orthogonal to all others, is a row of ones in the head of the next; the layers in
    between add nothing.
    """
    tokenizer = save_tokenizer(folder)
    tokenizer.add_tokens(list(tokens))
    tokenizer.save_pretrained(folder)
    size = -(-len(tokenizer) // 8) * 8
    model = make_model(size, hidden=size)
    with torch.no_grad():
        for layer in model.model.layers:
            layer.self_attn.o_proj.weight.zero_()
            layer.mlp.down_proj.weight.zero_()
        model.model.embed_tokens.weight.copy_(torch.eye(size))
        model.lm_head.weight.zero_()
        [start] = tokenizer("\n")["input_ids"]
        chain = [start, *(tokenizer.convert_tokens_to_ids(token) for token in tokens)]
        for before, after in pairwise([*chain, chain[-1]]):
            model.lm_head.weight[after, before] = 1
    model.save_pretrained(folder)
    return folder

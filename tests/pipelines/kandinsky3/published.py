"""Kandinsky 3's files as they are published, small: original names, pickles, shards."""

import json
import shutil
from pathlib import Path
from typing import Any, Final, cast

import torch
from torch import Tensor, nn
from transformers import T5Config, T5EncoderModel, T5Tokenizer

from tests.pipelines.kandinsky3.original import original_state
from tests.pipelines.micro import WORDS

WIDTH: Final = 32
REPOSITORY: Final = "someone/drawings"
UNET_SHAPE: Final[dict[str, Any]] = {
    "block_out_channels": [32, 64, 128, 256],
    "time_embedding_dim": 64,
    "cross_attention_dim": WIDTH,
    "attention_head_dim": 8,
    "groups": 8,
}
MOVQ_SHAPE: Final = {"block_out_channels": [32, 64, 64, 128]}
SUFFIXES: Final = {"base": "", "flash": "_flash", "inpainting": "_inpainting"}


def hub_section() -> dict[str, Any]:
    """Describe the repository as a profile does."""
    files = {"text_encoder": "weights/flan_ul2_encoder", "movq": "weights/movq.pt"}
    for suffix in SUFFIXES.values():
        files[f"unet{suffix}"] = f"weights/kandinsky3{suffix}.pt"
        files[f"conditioning{suffix}"] = f"weights/flan_ul2_encoder/projection{suffix}.pt"
    return {
        "repository": REPOSITORY,
        "files": {
            item: {"path": path, "licence": "none", "about_bytes": 1}
            for item, path in files.items()
        },
        "unet": UNET_SHAPE,
        "movq": MOVQ_SHAPE,
    }


def write_repository(folder: Path) -> Path:
    """Write what the hub has; base and MoVQ in float32, Flash and the encoder in float16."""
    encoder = folder / "weights" / "flan_ul2_encoder"
    encoder.mkdir(parents=True)
    (folder / "README.md").write_text("# Drawings\n")
    torch.save(original_state("movq"), folder / "weights" / "movq.pt")
    for variant, suffix in SUFFIXES.items():
        unet = original_state("unet_inpaint" if variant == "inpainting" else "unet")
        null = torch.randn(WIDTH, generator=torch.Generator().manual_seed(len(variant)))
        if variant == "flash":
            unet = {name: tensor.half() for name, tensor in unet.items()}
        checkpoint = {"unet": unet, "null_embedding": nn.Parameter(null)}
        torch.save(checkpoint, folder / "weights" / f"kandinsky3{suffix}.pt")
        torch.save(projection(variant), encoder / f"projection{suffix}.pt")
    _write_encoder(encoder)
    return folder


def projection(variant: str) -> dict[str, Tensor]:
    """Make a variant's projection, as the original's nn.Sequential names it."""
    torch.manual_seed(len(variant))
    layers = nn.Sequential(nn.Linear(WIDTH, WIDTH, bias=False), nn.LayerNorm(WIDTH))
    nn.init.normal_(cast("Tensor", layers[1].bias))
    return layers.state_dict()


def _write_encoder(folder: Path) -> None:
    """As `transformers` saved large models before safetensors: shards, an index, a config."""
    vocabulary = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", -20.0)]
    vocabulary += [(f"▁{word}", -2.0) for word in WORDS]
    T5Tokenizer(vocab=vocabulary, extra_ids=0).save_pretrained(folder)
    torch.manual_seed(0)
    config = T5Config(
        vocab_size=len(vocabulary),
        d_model=WIDTH,
        d_kv=8,
        d_ff=64,
        num_layers=2,
        num_heads=2,
        feed_forward_proj="gated-gelu",
        architectures=["T5EncoderModel"],
    )
    state = cast("nn.Module", T5EncoderModel(config).half()).state_dict()
    names = list(state)
    shards = {
        "pytorch_model-00001-of-00002.bin": names[: len(names) // 2],
        "pytorch_model-00002-of-00002.bin": names[len(names) // 2 :],
    }
    for shard, inside in shards.items():
        torch.save({name: state[name] for name in inside}, folder / shard)
    weight_map = {name: shard for shard, inside in shards.items() for name in inside}
    index = {"metadata": {}, "weight_map": weight_map}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    config.save_pretrained(folder)


def bare_encoder(repository: Path, folder: Path) -> Path:
    """Copy the encoder's own files alone, for `transformers` to read as they are."""
    source = repository / "weights" / "flan_ul2_encoder"
    skip = shutil.ignore_patterns("projection*")
    return Path(shutil.copytree(source, folder, ignore=skip))

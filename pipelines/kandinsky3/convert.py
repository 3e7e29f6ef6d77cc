"""Kandinsky 3's published checkpoints, made into a profile's weights folder (see ``load.py``).

The originals are pickles with the names of the original code and without configurations; the
numbers stay what they are, in the precision they are published in. Each part is compared with the
model it shall become before a byte is written.

Source: ai-forever/Kandinsky-3, `kandinsky3/__init__.py` (the files and what is in them),
`model/unet.py` and `movq.py` (the names).
"""

import json
import re
import shutil
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final, cast

import torch
from diffusers import Kandinsky3UNet, VQModel
from torch import Tensor, nn
from transformers import T5Config, T5EncoderModel

from pipelines.checkpoints.errors import BadCheckpoint, one_line
from pipelines.checkpoints.records import Conversion, Part
from pipelines.checkpoints.tensors import as_tensors, check_fits, read_pickle, write_safetensors
from pipelines.kandinsky3 import load, movq
from pipelines.kandinsky3.calibration import calibration_pictures
from pipelines.kandinsky3.conditioning import Projection, tokenize
from pipelines.kandinsky3.load import Variant
from pipelines.kandinsky3.names import movq_name, unet_name
from pipelines.kandinsky3.preview import fit_latent_rgb
from pipelines.profiles import HubItem, MoVQShape, UNetShape

_ATTENTION_MAP: Final = re.compile(r"attentions\.\d\.to_(q|k|v|out\.0)\.weight$")
_PROJECTION_NAMES: Final = {
    "0.weight": "linear.weight",
    "1.weight": "norm.weight",
    "1.bias": "norm.bias",
}
_TOKENIZER_FILES: Final = frozenset(
    {
        "spiece.model",
        "tokenizer.json",
        "tokenizer_config.json",
        "special_tokens_map.json",
        "added_tokens.json",
    }
)
_EMBEDDING_TWIN: Final = "encoder.embed_tokens.weight"
_VARIANTS: Final[tuple[tuple[Variant, HubItem, HubItem], ...]] = (
    ("base", "unet", "conditioning"),
    ("flash", "unet_flash", "conditioning_flash"),
    ("inpainting", "unet_inpainting", "conditioning_inpainting"),
)
WEIGHTS: Final = "diffusion_pytorch_model.safetensors"
_CALIBRATION_PICTURES: Final = 24
_CALIBRATION_SIDE_PX: Final = 128


def empty_unet(shape: UNetShape, variant: Variant) -> nn.Module:
    """Build a UNet without weights, as a checkpoint of this shape needs it."""
    with torch.device("meta"):
        unet = Kandinsky3UNet(**shape.model_dump(), encoder_hid_dim=shape.cross_attention_dim)
        return load.adapted(unet, variant)


def empty_movq(shape: MoVQShape) -> nn.Module:
    """Build a MoVQ without weights; one code stands for the codebook that is never used."""
    deeper = len(shape.block_out_channels) - 1
    with torch.device("meta"):
        return cast(
            "nn.Module",
            VQModel(
                **shape.model_dump(),
                latent_channels=4,
                norm_type="spatial",
                num_vq_embeddings=1,
                down_block_types=["DownEncoderBlock2D"] * deeper + ["AttnDownEncoderBlock2D"],
                up_block_types=["AttnUpDecoderBlock2D"] + ["UpDecoderBlock2D"] * deeper,
            ),
        )


def _variant(variant: Variant, items: tuple[HubItem, HubItem], work: Conversion) -> None:
    """Make a UNet and the conditioning that was trained with it."""
    unet_item, conditioning_item = items
    (path,), (projection_path,) = work.files[unet_item], work.files[conditioning_item]
    what = "a Kandinsky 3 checkpoint: unet and null_embedding"
    checkpoint = read_pickle(path)
    if not isinstance(checkpoint, Mapping) or checkpoint.keys() != {"unet", "null_embedding"}:
        raise BadCheckpoint(path, what)
    original = as_tensors(path, checkpoint["unet"], what)
    null = as_tensors(path, {"null_embedding": checkpoint["null_embedding"]}, what)
    tensors = {unet_name(name): tensor for name, tensor in original.items()}
    unet = empty_unet(work.hub.unet, variant)
    check_fits(path, tensors, unet.state_dict())
    width = work.hub.unet.cross_attention_dim
    if (found := null["null_embedding"].numel()) != width:
        raise BadCheckpoint(path, f"a null_embedding of {width} numbers, found {found}")
    conditioning = _projection(projection_path, width)
    conditioning |= {"null_embedding": null["null_embedding"].reshape(-1)}

    made = work.made / unet_item
    cast("Any", unet).save_config(made)
    write_safetensors(made / WEIGHTS, tensors, variant=variant)
    conditioning_path = work.made / f"{conditioning_item}.safetensors"
    write_safetensors(conditioning_path, conditioning, variant=variant)


def _projection(path: Path, width: int) -> dict[str, Tensor]:
    what = f"a Kandinsky 3 projection to {width} numbers: a linear layer and a layer norm"
    original = as_tensors(path, read_pickle(path), what)
    if original.keys() != _PROJECTION_NAMES.keys() or original["0.weight"].dim() != 2:
        raise BadCheckpoint(path, what)
    tensors = {_PROJECTION_NAMES[name]: tensor for name, tensor in original.items()}
    with torch.device("meta"):
        wanted = Projection(original["0.weight"].shape[1], width).state_dict()
    del wanted["null_embedding"]  # it lies in the UNet's file
    check_fits(path, tensors, wanted)
    return tensors


def _movq(work: Conversion) -> None:
    """Make the MoVQ, and from it the preview's map."""
    (path,) = work.files["movq"]
    original = as_tensors(path, read_pickle(path), "the tensors of a MoVQ")
    levels = len(work.hub.movq.block_out_channels)
    tensors = {movq_name(name, levels): tensor for name, tensor in original.items()}
    for name, tensor in tensors.items():
        if _ATTENTION_MAP.search(name) and tensor.dim() == 4:
            tensors[name] = tensor.flatten(1)  # (C, C, 1, 1) convolution -> (C, C)
    tensors.setdefault("quantize.embedding.weight", torch.zeros(1, 4))
    model = empty_movq(work.hub.movq)
    check_fits(path, tensors, model.state_dict())
    cast("Any", model).save_config(work.made / "movq")
    write_safetensors(work.made / "movq" / WEIGHTS, tensors)
    _latent_rgb(work.made)


def _latent_rgb(folder: Path) -> None:
    """Fit the preview's map to what the MoVQ just made encodes."""
    model = load.MOVQ.build(folder / load.MOVQ.path, torch.float32, torch.device("cpu"))
    pixels = calibration_pictures(_CALIBRATION_PICTURES, _CALIBRATION_SIDE_PX)
    latents = torch.cat([movq.encode(model, picture) for picture in torch.split(pixels, 1)])
    weight, bias = fit_latent_rgb(latents, pixels)
    write_safetensors(folder / load.LATENT_RGB.path, {"weight": weight, "bias": bias})


def _text_encoder(work: Conversion) -> None:
    """Make the text encoder from its shards, and put its tokenizer beside it."""
    home = Path(work.hub.files["text_encoder"].path)
    named = {path.name: path for path in work.files["text_encoder"]}
    shards = [path for name, path in named.items() if name.endswith(".bin")]
    if not shards or "config.json" not in named:
        raise BadCheckpoint(home, "config.json and the tensors in .bin files")
    config = _t5_config(named["config.json"])
    tensors: dict[str, Tensor] = {}
    for shard in shards:
        tensors |= as_tensors(shard, read_pickle(shard), "the tensors of a T5 encoder")
    with torch.device("meta"):
        wanted = T5EncoderModel(config).state_dict()
    # The word embedding goes by two names, and files hold it under either or both.
    del wanted[_EMBEDDING_TWIN]
    twin = tensors.pop(_EMBEDDING_TWIN, None)
    if twin is not None:
        tensors.setdefault("shared.weight", twin)
    check_fits(home, tensors, wanted)

    made = work.made / load.TEXT_ENCODER.path
    config.save_pretrained(made)
    write_safetensors(made / "model.safetensors", tensors)
    _tokenizer(home, named, config.vocab_size, work.made / load.TOKENIZER.path)


def _t5_config(path: Path) -> Any:  # noqa: ANN401 - untyped library class
    try:
        values = json.loads(path.read_bytes())
        if values["model_type"] == "t5":
            return T5Config.from_dict(values)
    except Exception as error:  # what a broken file raises depends on where it is broken
        raise BadCheckpoint(path, f"the configuration of a T5 ({one_line(error)})") from error
    raise BadCheckpoint(path, "the configuration of a T5")


def _tokenizer(home: Path, named: Mapping[str, Path], vocabulary: int, made: Path) -> None:
    """Copy the tokenizer's files and see that it speaks the encoder's language."""
    made.mkdir()
    for name in named.keys() & _TOKENIZER_FILES:
        shutil.copyfile(named[name], made / name)
    try:
        tokenizer = load.TOKENIZER.build(made, torch.float32, torch.device("cpu"))
        ids, mask = tokenize(tokenizer, ["a red circle"])
    except Exception as error:  # what a broken file raises depends on where it is broken
        raise BadCheckpoint(home, f"a T5 tokenizer ({one_line(error)})") from error
    if int(ids.max()) >= vocabulary or int(mask.sum()) < 2:
        raise BadCheckpoint(home, f"a tokenizer of at most {vocabulary} pieces")


PARTS: Final = (
    Part("text_encoder", ("text_encoder",), ("text_encoder", "tokenizer"), _text_encoder),
    Part("movq", ("movq",), ("movq", "latent_rgb.safetensors"), _movq),
    *(
        Part(
            variant,
            (unet, conditioning),
            (unet, f"{conditioning}.safetensors"),
            partial(_variant, variant, (unet, conditioning)),
            is_variant=True,
        )
        for variant, unet, conditioning in _VARIANTS
    ),
)
"""What Kandinsky 3 itself is fetched in."""

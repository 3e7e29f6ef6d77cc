"""Writes the trained parts to ``weights/micro`` in the formats the product loads.

The manifest, which names each file's checksum, goes first and comes back last: a set without one
is half written, and the product refuses it.
"""

import copy
import hashlib
import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from diffusers import VQModel
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import CLIPVisionModelWithProjection

from pipelines.kandinsky3 import controlnet_layout
from pipelines.kandinsky3.controlnet import ControlBranch
from pipelines.kandinsky3.ip_adapter import IPAdapter
from training.unet import Painter

MANIFEST = "manifest.json"
_KEPT = (MANIFEST, "README.md")
Module = TypeVar("Module", bound=nn.Module)


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything a set of micro weights is made of."""

    tokenizer: Path  # the folder that text.build_tokenizer made
    movq: VQModel
    base: Painter
    flash: Painter
    latent_rgb: tuple[Tensor, Tensor]  # weight (3, 4) and bias (3,): latents to RGB in [-1, 1]
    image_encoder: CLIPVisionModelWithProjection
    image_adapter: IPAdapter
    control: ControlBranch


def export(parts: Parts, folder: Path, facts: dict[str, object]) -> None:
    """Write all files to ``folder``, float16 on disk.

    Args:
        parts: what to write.
        folder: where; existing files are replaced, others but the README removed.
        facts: what the manifest says beside the files: command, seed, score.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        _write(parts, Path(scratch))
        (folder / MANIFEST).unlink(missing_ok=True)
        written = set()
        for source in sorted(path for path in Path(scratch).rglob("*") if path.is_file()):
            target = folder / source.relative_to(scratch)
            target.parent.mkdir(parents=True, exist_ok=True)
            source.chmod(0o644)
            source.replace(target)
            written.add(target)
    for path in folder.rglob("*"):
        if path.is_file() and path not in written and path.name not in _KEPT:
            path.unlink()
    write_manifest(folder, facts)


def write_manifest(folder: Path, facts: dict[str, object]) -> None:
    """List every file with its size and checksum, and the facts about the set."""
    files = {
        path.relative_to(folder).as_posix(): {
            "bytes": path.stat().st_size,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        }
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in _KEPT
    }
    _replace_manifest(folder, {"licence": "Apache-2.0", **facts, "files": files})


def list_anew(folder: Path) -> None:
    """List every file again, after a component was added, and keep the facts about the set."""
    for path in (path for path in folder.rglob("*") if path.is_file()):
        path.chmod(0o644)
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    write_manifest(folder, {name: manifest[name] for name in manifest if name != "files"})


def write_image_encoder(vision: CLIPVisionModelWithProjection, folder: Path) -> None:
    """Write the image encoder to its place in the weights folder."""
    _half(vision).save_pretrained(folder / "image_encoder")


def write_image_adapter(adapter: IPAdapter, folder: Path) -> None:
    """Write the image adapter to its place in the weights folder."""
    said = {"format": "pt", "variant": "base", "text_context": adapter.text_context}
    _save(adapter, folder / "image_adapter.safetensors", said)


def write_control(branch: ControlBranch, folder: Path) -> None:
    """Write the ControlNet's side branch to its place in the weights folder."""
    target = folder / "controlnet"
    target.mkdir(exist_ok=True)
    controlnet_layout.write_config(branch, target)
    _save(branch, target / controlnet_layout.WEIGHTS, {"format": "pt"})


def record_score(folder: Path, quality: str, shares: dict[str, float | int]) -> None:
    """Add to the manifest how a quality scored; the files stay as listed."""
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    manifest["score"] = {**manifest.get("score", {}), quality: shares}
    _replace_manifest(folder, manifest)


def _replace_manifest(folder: Path, manifest: dict[str, object]) -> None:
    partial = folder.parent / f".{folder.name}.{MANIFEST}"
    partial.write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    partial.replace(folder / MANIFEST)


def _write(parts: Parts, folder: Path) -> None:
    shutil.copytree(parts.tokenizer, folder / "tokenizer")
    _half(parts.movq).save_pretrained(folder / "movq")
    _half(parts.base.encoder).save_pretrained(folder / "text_encoder")
    for variant, suffix, painter in (("base", "", parts.base), ("flash", "_flash", parts.flash)):
        said = {"format": "pt", "variant": variant}
        unet = folder / f"unet{suffix}"
        painter.unet.save_config(unet)
        _save(painter.unet, unet / "diffusion_pytorch_model.safetensors", said)
        _save(painter.projection, folder / f"conditioning{suffix}.safetensors", said)
    write_image_encoder(parts.image_encoder, folder)
    write_image_adapter(parts.image_adapter, folder)
    write_control(parts.control, folder)
    weight, bias = parts.latent_rgb
    save_file({"weight": weight, "bias": bias}, folder / "latent_rgb.safetensors")


def _half(module: Module) -> Module:
    """A float16 copy: half the bytes, and rounding far below what training leaves."""
    return copy.deepcopy(module).half()


def _save(module: nn.Module, path: Path, said: dict[str, str]) -> None:
    tensors = {name: t.half().contiguous() for name, t in module.state_dict().items()}
    save_file(tensors, path, metadata=said)
    path.chmod(0o644)  # the library lets none but the owner read

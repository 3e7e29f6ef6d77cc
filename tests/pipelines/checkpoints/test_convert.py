"""What comes out of the published files computes what they computed."""

import io
import pickle
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from safetensors import safe_open
from torch.nn import functional
from transformers import T5EncoderModel

from pipelines.checkpoints.errors import BadCheckpoint
from pipelines.checkpoints.records import Conversion
from pipelines.kandinsky3 import load, movq
from pipelines.kandinsky3.conditioning import Conditioning
from pipelines.kandinsky3.convert import PARTS, empty_movq, empty_unet
from pipelines.kandinsky3.load import Variant
from pipelines.kandinsky3.sampler import UNet, predict
from pipelines.profiles import HubItem, MoVQShape, Profile, UNetShape
from pipelines.weights import Component, ComponentStore, WeightsError
from tests.pipelines.kandinsky3.original import original_state, recorded
from tests.pipelines.kandinsky3.published import SUFFIXES, WIDTH, bare_encoder, projection

UNET = "weights/kandinsky3_flash.pt"
MOVQ = "weights/movq.pt"
ENCODER = "weights/flan_ul2_encoder"
VARIANTS: tuple[Variant, ...] = ("base", "flash", "inpainting")


@pytest.fixture(scope="module")
def store(fetched: Profile) -> ComponentStore:
    store = ComponentStore.open(fetched)
    store.verify()
    return store


def test_a_converted_unet_predicts_what_the_original_did(store: ComponentStore) -> None:
    case = recorded("unet_call")
    unet = cast("UNet", store.get(load.UNETS["base"]))
    lengths = torch.full((2,), case["context"].shape[1])
    contexts = Conditioning(case["context"], case["mask"].float(), lengths)
    for row, timestep in enumerate(case["t"]):
        out = predict(unet, case["x"][[row]], timestep, contexts.keep([row]))
        torch.testing.assert_close(out, case["out"][[row]], atol=1e-4, rtol=0)


def test_a_converted_movq_encodes_and_decodes_as_the_original_did(store: ComponentStore) -> None:
    case = recorded("movq")
    model = store.get(load.MOVQ)
    torch.testing.assert_close(movq.encode(model, case["x"]), case["z"], atol=1e-4, rtol=0)
    pixels = movq.decode(model, case["z"])
    torch.testing.assert_close(pixels[:, :, ::3, ::3], case["y"], atol=1e-4, rtol=0)


def test_a_converted_encoder_gives_what_the_shards_give(
    store: ComponentStore, repository: Path, tmp_path: Path
) -> None:
    """`transformers` reads the shards and their index by itself."""
    original = T5EncoderModel.from_pretrained(bare_encoder(repository, tmp_path / "encoder"))
    original = original.float().eval()
    converted = cast("Any", store.get(load.TEXT_ENCODER))
    ids = torch.tensor([[3, 5, 7, 1], [4, 1, 0, 0]])
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]])
    with torch.inference_mode():
        expected = original(input_ids=ids, attention_mask=mask).last_hidden_state
        found = converted(input_ids=ids, attention_mask=mask).last_hidden_state
    assert expected.std() > 0.1
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("variant", VARIANTS)
def test_each_variant_has_its_own_projection_and_null_embedding(
    store: ComponentStore, variant: Variant
) -> None:
    original = projection(variant)
    states = torch.randn(1, 6, WIDTH, generator=torch.Generator().manual_seed(3))
    linear = functional.linear(states, original["0.weight"])
    expected = functional.layer_norm(linear, (WIDTH,), original["1.weight"], original["1.bias"])
    converted = store.get(load.PROJECTIONS[variant])
    found = converted(states, torch.ones(1, 6))
    torch.testing.assert_close(found.context, expected, atol=1e-5, rtol=0)
    null = torch.randn(WIDTH, generator=torch.Generator().manual_seed(len(variant)))
    torch.testing.assert_close(converted.null_embedding.data, null)


def test_the_inpainting_unet_sees_nine_channels_and_predicts_four(store: ComponentStore) -> None:
    """Its first layer by itself; the rest by the base UNet, whose other weights are the same."""
    original = original_state("unet_inpaint")
    inpainting = cast("Any", store.get(load.UNETS["inpainting"]))
    x = torch.randn(1, 9, 16, 16, generator=torch.Generator().manual_seed(5))
    first = functional.conv2d(x, original["in_layer.weight"], original["in_layer.bias"], padding=1)
    assert original["in_layer.weight"].shape == (16, 9, 3, 3)
    with torch.inference_mode():
        torch.testing.assert_close(inpainting.conv_in(x), first)
        context, mask = torch.randn(1, 5, WIDTH), torch.ones(1, 5)
        out = inpainting(x, torch.tensor(500), context, mask).sample
        base = cast("Any", store.get(load.UNETS["base"]))
        with base.conv_in.register_forward_hook(lambda *_: first):
            expected = base(x[:, :4], torch.tensor(500), context, mask).sample
    assert out.shape == (1, 4, 16, 16)
    torch.testing.assert_close(out, expected, atol=1e-5, rtol=0)


def test_numbers_stay_in_the_precision_they_are_published_in(fetched: Profile) -> None:
    dtypes = {}
    for name in ("unet", "unet_flash"):
        path = fetched.weights_dir / name / "diffusion_pytorch_model.safetensors"
        with safe_open(path, framework="pt") as file:
            dtypes[name] = file.get_tensor("conv_in.weight").dtype
            assert torch.equal(
                file.get_tensor("conv_in.weight").float(),
                original_state("unet")["in_layer.weight"].to(dtypes[name]).float(),
            )
    assert dtypes == {"unet": torch.float32, "unet_flash": torch.float16}


@pytest.mark.parametrize(
    ("component", "file"),
    [
        (load.UNETS["flash"], "unet_flash/diffusion_pytorch_model.safetensors"),
        (load.PROJECTIONS["flash"], "conditioning_flash.safetensors"),
    ],
    ids=["UNet", "projection"],
)
def test_the_weights_of_one_variant_are_refused_in_the_place_of_another(
    fetched: Profile, tmp_path: Path, component: Component[object], file: str
) -> None:
    shutil.copytree(fetched.weights_dir / "unet_flash", tmp_path / "unet_flash")
    shutil.copyfile(fetched.weights_dir / file.replace("_flash", ""), tmp_path / file)
    moved = fetched.model_copy(update={"weights_dir": tmp_path})
    with pytest.raises(WeightsError, match="holds that of the base variant"):
        ComponentStore(moved, torch.device("cpu")).get(component)


def test_kandinsky_3_has_as_many_numbers_as_its_report_says() -> None:
    """Counted on the original: 3,038,562,820 in the UNet and 270.6 million in the MoVQ."""
    unet = empty_unet(UNetShape(), "base")
    assert sum(weight.numel() for weight in unet.parameters()) == 3_038_562_820
    codebook = 4
    model = empty_movq(MoVQShape())
    assert sum(weight.numel() for weight in model.parameters()) - codebook == 270_603_567
    assert set(SUFFIXES) == set(VARIANTS)


class Malice:
    """A pickle that runs what it likes when it is read."""

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return __import__("os").system, ("touch harmed",)


def torch_file(contents: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(contents, buffer)
    return buffer.getvalue()


def changed(path: Path, **tensors: torch.Tensor | None) -> bytes:
    """A UNet's file with other tensors in it; None takes one out."""
    checkpoint = torch.load(path, weights_only=True)
    for name, tensor in tensors.items():
        key = name.replace("__", ".")
        if tensor is None:
            del checkpoint["unet"][key]
        else:
            checkpoint["unet"][key] = tensor
    return torch_file(checkpoint)


WRONG: dict[str, tuple[str, Callable[[Path], bytes], str]] = {
    "no file of torch": (UNET, lambda _: b"garbage", "a torch file of tensors"),
    "an empty file": (UNET, lambda _: b"", "a torch file of tensors"),
    "half a file": (UNET, lambda path: path.read_bytes()[:100_000], "a torch file of tensors"),
    "a pickle that runs code": (
        UNET,
        lambda _: pickle.dumps({"unet": Malice()}),
        "a torch file of tensors",
    ),
    "a torch file that runs code": (
        UNET,
        lambda _: torch_file({"unet": Malice(), "null_embedding": torch.zeros(1)}),
        "a torch file of tensors",
    ),
    "another model": (
        UNET,
        lambda _: torch_file({"a": torch.zeros(1)}),
        "unet and null_embedding",
    ),
    "no tensor": (
        UNET,
        lambda _: torch_file({"unet": {"in_layer.bias": "x"}, "null_embedding": torch.zeros(1)}),
        "under 'in_layer.bias'",
    ),
    "another shape": (
        UNET,
        lambda path: changed(path, in_layer__bias=torch.zeros(17)),
        "conv_in.bias of shape (16,), found (17,)",
    ),
    "a tensor missing": (
        UNET,
        lambda path: changed(path, in_layer__bias=None),
        "a tensor for conv_in.bias",
    ),
    "a tensor too many": (
        UNET,
        lambda path: changed(path, extra=torch.zeros(1)),
        "no tensor extra",
    ),
    "an inpainting UNet": (
        UNET,
        lambda path: path.with_name("kandinsky3_inpainting.pt").read_bytes(),
        "conv_in.weight of shape (16, 4, 3, 3), found (16, 9, 3, 3)",
    ),
    "a UNet as MoVQ": (
        MOVQ,
        lambda path: path.with_name("kandinsky3.pt").read_bytes(),
        "the tensors of a MoVQ",
    ),
    "a MoVQ as projection": (
        f"{ENCODER}/projection_flash.pt",
        lambda path: path.parents[1].joinpath("movq.pt").read_bytes(),
        "a linear layer and a layer norm",
    ),
    "a wider projection": (
        f"{ENCODER}/projection_flash.pt",
        lambda _: torch_file(
            torch.nn.Sequential(
                torch.nn.Linear(64, 64, bias=False), torch.nn.LayerNorm(64)
            ).state_dict()
        ),
        "linear.weight of shape (32, 64), found (64, 64)",
    ),
    "a configuration that is none": (
        f"{ENCODER}/config.json",
        lambda _: b"{}",
        "the configuration of a T5",
    ),
    "a configuration of another model": (
        f"{ENCODER}/config.json",
        lambda _: b'{"model_type": "bert"}',
        "the configuration of a T5",
    ),
    "a shard of another encoder": (
        f"{ENCODER}/pytorch_model-00002-of-00002.bin",
        lambda _: torch_file({"encoder.final_layer_norm.weight": torch.zeros(3)}),
        "a tensor for",
    ),
    "a tokenizer that is none": (
        f"{ENCODER}/tokenizer.json",
        lambda _: b"{}",
        "a T5 tokenizer",
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_file_that_is_not_what_it_should_be_is_named(
    profile: Profile, repository: Path, tmp_path: Path, wrong: str
) -> None:
    name, make, expected = WRONG[wrong]
    contents = make(repository / name)
    with pytest.raises(BadCheckpoint) as caught:
        convert(profile, repository, tmp_path, {name: contents})
    sentence = str(caught.value)
    assert expected in sentence
    assert "\n" not in sentence
    assert Path(name).name in sentence or Path(name).parent.name in sentence
    assert not Path("harmed").exists()


def convert(
    profile: Profile, repository: Path, folder: Path, changes: Mapping[str, bytes]
) -> None:
    """Convert the part that has the changed files in it, as a fetch would."""
    hub = profile.hub
    assert hub is not None
    (changed_path,) = changes
    others = {file.path for file in hub.files.values()}
    for number, part in enumerate(PARTS):
        files: dict[HubItem, list[Path]] = {}
        for item in part.needs:
            wanted = repository / hub.files[item].path
            found = sorted(wanted.iterdir()) if wanted.is_dir() else [wanted]
            paths = [path.relative_to(repository).as_posix() for path in found]
            files[item] = [
                placed(repository, folder, path, changes)
                for path in paths
                if len(paths) == 1 or path not in others
            ]
        if any(folder in path.parents for paths_ in files.values() for path in paths_):
            made = folder / str(number)
            made.mkdir()
            part.convert(Conversion(files, hub, folder, made, lambda _: None))
    assert changed_path


def placed(repository: Path, folder: Path, path: str, changes: Mapping[str, bytes]) -> Path:
    if path not in changes:
        return repository / path
    changed_file = folder / "changed" / Path(path).name
    changed_file.parent.mkdir(exist_ok=True)
    changed_file.write_bytes(changes[path])
    return changed_file


def test_an_encoder_that_has_its_embedding_under_both_names_is_taken(
    profile: Profile, repository: Path, tmp_path: Path
) -> None:
    """`transformers` has written one, the other and both."""
    first = "pytorch_model-00001-of-00002.bin"
    shard = torch.load(repository / ENCODER / first, weights_only=True)
    assert {"shared.weight", "encoder.embed_tokens.weight"} <= shard.keys()
    del shard["shared.weight"]
    convert(profile, repository, tmp_path, {f"{ENCODER}/{first}": torch_file(shard)})
    with safe_open(tmp_path / "0" / "text_encoder" / "model.safetensors", "pt") as file:
        found = file.get_tensor("shared.weight")
    assert torch.equal(found, shard["encoder.embed_tokens.weight"])


def test_a_file_of_the_older_unzipped_format_is_taken(
    profile: Profile, repository: Path, tmp_path: Path
) -> None:
    path = f"{ENCODER}/projection_flash.pt"
    buffer = io.BytesIO()
    contents = torch.load(repository / path, weights_only=True)
    torch.save(contents, buffer, _use_new_zipfile_serialization=False)
    convert(profile, repository, tmp_path, {path: buffer.getvalue()})
    with safe_open(tmp_path / "3" / "conditioning_flash.safetensors", "pt") as file:
        assert torch.equal(file.get_tensor("linear.weight"), contents["0.weight"])
        assert file.metadata()["variant"] == "flash"

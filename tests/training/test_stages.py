import hashlib
import json
from pathlib import Path

import pytest
import torch
from torch import nn

from pipelines.profiles import load_profile
from pipelines.weights import ComponentStore
from training import export, score
from training.__main__ import main
from training.flash import Alphas
from training.stage import Budget, adam, descend
from training.unet import Average, Sketch, lesson

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.long

STAGES = (
    *("movq", "text", "latents", "base", "decoder", "flash"),
    *("image_encoder", "adapter", "pairs", "control"),
)
LAYOUT = {
    "conditioning.safetensors",
    "conditioning_flash.safetensors",
    "controlnet/config.json",
    "controlnet/diffusion_pytorch_model.safetensors",
    "image_adapter.safetensors",
    "image_encoder/config.json",
    "image_encoder/model.safetensors",
    "latent_rgb.safetensors",
    "manifest.json",
    "movq/config.json",
    "movq/diffusion_pytorch_model.safetensors",
    "text_encoder/config.json",
    "text_encoder/model.safetensors",
    "tokenizer/spiece.model",
    "tokenizer/tokenizer.json",
    "tokenizer/tokenizer_config.json",
    "unet/config.json",
    "unet/diffusion_pytorch_model.safetensors",
    "unet_flash/config.json",
    "unet_flash/diffusion_pytorch_model.safetensors",
}


def train(folder: Path) -> Path:
    """One step of every stage; the weights they make."""
    out = folder / "weights"
    arguments = ["--work", str(folder / "work"), "--out", str(out)]
    main([*arguments, "--steps", "1", "--pictures", "0.0001", "--device", "cpu"])
    return out


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(tmp_path_factory.mktemp("training"))


def test_training_makes_every_file_the_product_loads(trained: Path) -> None:
    files = {p.relative_to(trained).as_posix() for p in trained.rglob("*") if p.is_file()}
    assert files == LAYOUT


def test_the_manifest_names_every_file_with_its_checksum(trained: Path) -> None:
    manifest = json.loads((trained / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["licence"] == "Apache-2.0"
    assert set(manifest["files"]) == LAYOUT - {"manifest.json"}
    for name, record in manifest["files"].items():
        content = (trained / name).read_bytes()
        assert record == {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def test_a_score_joins_the_manifest_and_the_files_stay_listed(trained: Path) -> None:
    before = json.loads((trained / "manifest.json").read_text(encoding="utf-8"))
    export.record_score(trained, "base", {"right": 0.5})
    export.record_score(trained, "flash", {"right": 0.25})
    after = json.loads((trained / "manifest.json").read_text(encoding="utf-8"))
    assert after.pop("score") == {"base": {"right": 0.5}, "flash": {"right": 0.25}}
    assert after == before


def test_weights_take_at_most_33_megabytes(trained: Path) -> None:
    assert sum(p.stat().st_size for p in trained.rglob("*") if p.is_file()) <= 33_000_000


def test_the_recipe_draws_with_what_training_made_and_the_judge_looks(trained: Path) -> None:
    profile = load_profile(ROOT / "config.yaml", "micro").model_copy(
        update={"weights_dir": trained}
    )
    ComponentStore.open(profile).verify()
    trials = score.run(profile, "flash", count=10, seed=0)
    assert {(trial.prompt.ratio, trial.prompt.language) for trial in trials} == {
        (ratio, language) for ratio in profile.sizes for language in ("en", "ru")
    }
    assert all(trial.prompt.scene.is_held_out for trial in trials)
    for trial in trials:
        size = profile.sizes[trial.prompt.ratio]
        assert trial.picture.shape == (size.height_px, size.width_px, 3)
    assert score.table(trials).splitlines()[-2].startswith("all")


def test_a_finished_stage_is_not_run_again(
    trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    work = trained.parent / "work"
    kept = {stage: (work / f"{stage}.pt").stat().st_mtime_ns for stage in STAGES}
    (work / "flash.pt").unlink()
    capsys.readouterr()
    train(trained.parent)
    said = capsys.readouterr().out
    others = [stage for stage in STAGES if stage != "flash"]
    assert "flash: starts" in said
    assert [stage for stage in STAGES if f"{stage}: done before" in said] == others
    assert all((work / f"{s}.pt").stat().st_mtime_ns == kept[s] for s in others)


def test_an_interrupted_stage_goes_on_as_if_nothing_had_happened(tmp_path: Path) -> None:
    def start() -> tuple[nn.Linear, Average, torch.optim.Optimizer, Sketch]:
        torch.manual_seed(0)
        module = nn.Linear(3, 2)
        average, optimiser = Average(module), adam([(module.parameters(), 0.1)])
        path = tmp_path / "linear.sketch"
        return module, average, optimiser, Sketch(path, module, average, optimiser)

    def step(module: nn.Linear, optimiser: torch.optim.Optimizer, budget: Budget) -> None:
        descend(optimiser, module(torch.ones(1, 3)).square().sum(), budget)

    module, _, optimiser, sketch = start()
    budget = Budget(seconds=1, max_steps=10)
    for _ in range(4):
        step(module, optimiser, budget)
    sketch.save(budget)
    step(module, optimiser, budget)

    again, _, optimiser_again, sketch_again = start()
    budget_again = Budget(seconds=1, max_steps=10)
    sketch_again.restore(budget_again)
    assert budget_again.steps == 4
    step(again, optimiser_again, budget_again)
    assert torch.equal(again.weight, module.weight)


def test_a_resumed_budget_has_only_the_rest_of_its_time() -> None:
    budget = Budget(seconds=1000)
    budget.resume(share=0.75, steps=30)
    assert 0.75 <= budget.share < 0.76
    assert budget.steps == 30


def test_the_learning_rate_rises_then_falls() -> None:
    budget = Budget(seconds=1, max_steps=100)
    rates = []
    for _ in range(100):
        rates.append(budget.warm_cosine())
        budget.step()
    assert rates[0] < 0.01
    assert max(rates) == max(rates[2:6]) > 0.98
    assert rates[4:] == sorted(rates[4:], reverse=True)
    assert rates[-1] < 0.05
    assert budget.is_spent


def test_a_curriculum_is_followed_to_its_last_lesson() -> None:
    curriculum = ((0.5, ("half",), 8), (1.0, ("1:1",), 4))
    assert lesson(curriculum, 0.0) == (("half",), 8)
    assert lesson(curriculum, 0.5) == (("1:1",), 4)
    assert lesson(curriculum, 1.01) == (("1:1",), 4)


def test_an_average_follows_slowly() -> None:
    module = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(module.weight)
    average = Average(module, decay=0.9)
    nn.init.ones_(module.weight)
    average.follow(module, steps=10**6)
    (followed,) = average.module.parameters()
    assert followed.item() == pytest.approx(0.1)


@pytest.mark.parametrize("timestep", [979, 729, 479, 229])
def test_the_true_noise_leads_back_to_the_latents(timestep: int) -> None:
    alphas = Alphas(torch.device("cpu"))
    latents, noise = torch.randn(2, 1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    noisy = alphas.noised(latents, noise, timestep)
    assert torch.allclose(alphas.end(noisy, noise, timestep), latents, atol=1e-4)

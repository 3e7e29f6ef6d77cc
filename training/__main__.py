"""``python -m training``: from nothing to ``weights/micro``, stage by stage, on two cores.

Each stage leaves one file in the work folder, and a stage whose file is there is not run again:
an interrupted training begins its stage anew (the longest one goes on from a sketch), and deleting
a file (and those after it) redoes its stage. Seeds are fixed; budgets are wall time, so a faster
machine makes better weights, not sooner ones.
"""

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen

import torch
from diffusers import VQModel
from transformers import CLIPVisionModelWithProjection, T5EncoderModel, T5Tokenizer

from pipelines.kandinsky3.controlnet import ControlBranch
from pipelines.kandinsky3.ip_adapter import IPAdapter
from training import (
    adapter,
    control,
    export,
    flash,
    image_encoder,
    latents,
    movq,
    pairs,
    text,
    unet,
)
from training.stage import Budget, load_state

_ROOT = Path(__file__).parent.parent

# Minutes of each stage in a training of `_FULL_MIN`; other lengths keep the proportions.
_MINUTES = {
    "movq": 32,
    "text": 6,
    "base": 90,
    "decoder": 40,
    "flash": 28,
    "image_encoder": 16.5,
    "adapter": 35,
    "control": 48,
}
_FULL_MIN = sum(_MINUTES.values()) - _MINUTES["decoder"]
_IN_TURN = ("text", "latents", "base", "flash", "image_encoder", "adapter", "pairs", "control")
_ADDED = ("image_encoder", "adapter", "control")
_PICTURES = {"half": 8000, "1:1": 12000, "3:2": 1500, "2:3": 1500, "16:9": 1500, "9:16": 1500}
_PAIRS = {"1:1": 5000, "3:2": 500, "2:3": 500, "16:9": 400, "9:16": 400}


@dataclass(frozen=True, slots=True)
class Plan:
    """What one training is given."""

    work: Path
    out: Path
    minutes: float
    max_steps: int | None
    pictures_share: float
    seed: int
    device: torch.device

    def budget(self, stage: str) -> Budget:
        """The stage's part of the whole time, starting now."""
        return Budget(60 * self.minutes * _MINUTES[stage] / _FULL_MIN, self.max_steps)


class Training:
    """The stages in their order, each knowing only the files of those before it."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        folder = plan.work / "tokenizer"
        self.tokenizer: T5Tokenizer = (
            text.load_tokenizer(folder)
            if (folder / "tokenizer_config.json").exists()
            else text.build_tokenizer(folder)
        )

    def run(self, beside: Callable[[], Popen[bytes] | None]) -> None:
        """Run what is not there yet, then export everything.

        Args:
            beside: starts the decoder's stage in a process of its own. It needs the first stage
                alone, and nothing but the export waits for it.
        """
        self.stage("movq")
        decoder = None if self._file("decoder").exists() else beside()
        for name in _IN_TURN:
            self.stage(name)
        if decoder and decoder.wait():
            msg = f"the decoder's stage ended with status {decoder.returncode}"
            raise SystemExit(msg)
        self.stage("decoder")
        self.export()

    def stage(self, name: str) -> None:
        """Run one stage, unless its file is there."""
        stages: dict[str, Callable[[Path], None]] = {
            "movq": self._movq,
            "text": self._text,
            "latents": self._latents,
            "base": self._base,
            "decoder": self._decoder,
            "flash": self._flash,
            "image_encoder": self._image_encoder,
            "adapter": self._adapter,
            "pairs": self._pairs,
            "control": self._control,
        }
        if self._file(name).exists():
            print(f"{name}: done before", flush=True)
        else:
            print(f"{name}: starts", flush=True)
            stages[name](self._file(name))

    def add(self, name: str) -> None:
        """Run a stage that others do not need, and put what it makes into the weights folder."""
        base = self._load_painter("base")
        added: dict[str, Callable[[], None]] = {
            "image_encoder": lambda: export.write_image_encoder(
                self._load_vision(), self.plan.out
            ),
            "adapter": lambda: export.write_image_adapter(self._load_adapter(), self.plan.out),
            "control": lambda: export.write_control(self._load_branch(base), self.plan.out),
        }
        self.stage(name)
        added[name]()
        export.list_anew(self.plan.out)

    def export(self) -> None:
        """Write the weights folder from the stages' files."""
        plan = self.plan
        decoder, base = self._load_movq("decoder"), self._load_painter("base")
        parts = export.Parts(
            tokenizer=plan.work / "tokenizer",
            movq=decoder,
            base=base,
            flash=self._load_painter("flash"),
            latent_rgb=latents.fit_rgb(decoder, plan.seed, plan.device),
            image_encoder=self._load_vision(),
            image_adapter=self._load_adapter(),
            control=self._load_branch(base),
        )
        command = f"python -m training --minutes {plan.minutes:g} --seed {plan.seed}"
        export.export(parts, plan.out, {"command": command, "seed": plan.seed})
        print(f"weights are in {plan.out}", flush=True)

    def _file(self, stage: str) -> Path:
        return self.plan.work / f"{stage}.pt"

    def _movq(self, out: Path) -> None:
        movq.train(out, self.plan.budget("movq"), self.plan.seed, self.plan.device)

    def _text(self, out: Path) -> None:
        plan = self.plan
        text.train(out, self.tokenizer, plan.budget("text"), plan.seed, plan.device)

    def _latents(self, out: Path) -> None:
        plan = self.plan
        counts = {k: max(8, round(n * plan.pictures_share)) for k, n in _PICTURES.items()}
        latents.make(out, self._load_movq("movq"), counts, plan.seed, plan.device)

    def _base(self, out: Path) -> None:
        plan = self.plan
        encoder, shelves = self._load_text(), latents.load(self._file("latents"))
        unet.train(out, encoder, self.tokenizer, shelves, plan.budget("base"), plan.seed)

    def _decoder(self, out: Path) -> None:
        plan = self.plan
        movq.sharpen(out, self._file("movq"), plan.budget("decoder"), plan.seed, plan.device)

    def _flash(self, out: Path) -> None:
        plan = self.plan
        teacher = self._load_painter("base")
        shelves = latents.load(self._file("latents"))
        flash.train(out, teacher, self.tokenizer, shelves, plan.budget("flash"), plan.seed)

    def _image_encoder(self, out: Path) -> None:
        plan = self.plan
        encoder, budget = self._load_text(), plan.budget("image_encoder")
        image_encoder.train(out, encoder, self.tokenizer, budget, plan.seed)

    def _adapter(self, out: Path) -> None:
        plan = self.plan
        painter, vision = self._load_painter("base"), self._load_vision()
        classroom = adapter.Classroom(painter, vision, self.tokenizer)
        shelves = latents.load(self._file("latents"))
        adapter.train(out, classroom, shelves, plan.budget("adapter"), plan.seed)

    def _pairs(self, out: Path) -> None:
        plan = self.plan
        counts = {k: max(8, round(n * plan.pictures_share)) for k, n in _PAIRS.items()}
        pairs.make(out, self._load_movq("movq"), counts, plan.seed, plan.device)

    def _control(self, out: Path) -> None:
        plan = self.plan
        shelves = pairs.load(self._file("pairs"))
        painter, budget = self._load_painter("base"), plan.budget("control")
        control.train(out, painter, self.tokenizer, shelves, budget, plan.seed)

    def _load_painter(self, stage: str) -> unet.Painter:
        return unet.load_painter(self._file(stage), self.tokenizer, self.plan.device)

    def _load_text(self) -> T5EncoderModel:
        encoder = text.build_encoder(self.tokenizer).to(self.plan.device)
        load_state(encoder, self._file("text"), self.plan.device)
        return encoder

    def _load_vision(self) -> CLIPVisionModelWithProjection:
        return image_encoder.load(self._file("image_encoder"), self.plan.device)

    def _load_adapter(self) -> IPAdapter:
        return adapter.load(self._file("adapter"), self.plan.device)

    def _load_branch(self, base: unet.Painter) -> ControlBranch:
        return control.load_branch(self._file("control"), base, self.plan.device)

    def _load_movq(self, stage: str) -> VQModel:
        model = movq.build().to(self.plan.device).eval()
        load_state(model, self._file(stage), self.plan.device)
        return model.requires_grad_(requires_grad=False)


def main(arguments: list[str] | None = None) -> None:
    """Train the micro weights from nothing."""
    parser = argparse.ArgumentParser(prog="python -m training", description=main.__doc__)
    parser.add_argument("--work", type=Path, default=_ROOT / "training" / "work")
    parser.add_argument("--out", type=Path, default=_ROOT / "weights" / "micro")
    parser.add_argument("--minutes", type=float, default=float(_FULL_MIN))
    parser.add_argument("--steps", type=int, help="so many steps a stage, whatever the time")
    parser.add_argument("--pictures", type=float, default=1.0, help="share of the pictures drawn")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--only", choices=list(_MINUTES), help="this stage, from those before it")
    parser.add_argument("--add", choices=_ADDED, help="this, to the weights that are there")
    parser.add_argument("--threads", type=int, default=1, help="one is fastest at these sizes")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    plan = Plan(
        work=options.work,
        out=options.out,
        minutes=options.minutes,
        max_steps=options.steps,
        pictures_share=options.pictures,
        seed=options.seed,
        device=torch.device(options.device),
    )
    training = Training(plan)
    if options.only:
        training.stage(options.only)
    elif options.add:
        training.add(options.add)
    else:
        only = [*(arguments or sys.argv[1:]), "--only", "decoder"]
        training.run(lambda: Popen([sys.executable, "-m", "training", *only]))  # noqa: S603


if __name__ == "__main__":
    main()

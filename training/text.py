"""Stage two: a tokenizer of whole words and a T5 encoder that knows what they say.

The encoder stands in for FLAN-UL2: trained first on its own, here by asking it for every
attribute of the caption, and then a little further together with the UNet. One learned query
per attribute pools the states by attention, which is what makes colours bind to the right noun
within seconds.
"""

import io
import random
from pathlib import Path
from typing import Final

import sentencepiece
import torch
import torch.nn.functional as fn
from sentencepiece import sentencepiece_model_pb2 as spm
from torch import Tensor, nn
from transformers import T5Config, T5EncoderModel, T5Tokenizer

from pipelines.kandinsky3.conditioning import tokenize
from training.captions import LANGUAGES, Caption, caption, vocabulary
from training.faces import EYES, HAIRS, MOUTHS, SKINS
from training.shapes import SHAPES
from training.stage import Budget, Log, adam, descend, save_state
from training.world import COLOURS, PLACES, SIZES, sample_scene

STATES_DIM = 128
_SPACE = "\N{LOWER ONE EIGHTH BLOCK}"  # SentencePiece's mark for the start of a word
_MARKS = (",", ".", "!", ":")
_THING = {
    "shape": list(SHAPES),
    "colour": list(COLOURS),
    "size": list(SIZES),
    "place": list(PLACES),
}
_FACE = {"skin": list(SKINS), "hair": list(HAIRS), "eyes": list(EYES), "mouth": list(MOUTHS)}
_PLAIN = "plain"
ATTRIBUTES: Final[dict[str, list[str]]] = {
    "subject": ["one", "two", "face"],
    **_THING,
    **{f"{name}_2": values for name, values in _THING.items()},
    **_FACE,
    "background": list(COLOURS),
    "fades_to": [_PLAIN, *COLOURS],
}
_PLAIN_SHARE = 0.4  # of the budget: which colour is whose is learned on captions without filler
_IGNORED = -100  # the target of an attribute that the caption leaves open


def build_tokenizer(folder: Path) -> T5Tokenizer:
    """Make a T5 tokenizer whose pieces are this world's words and save it to ``folder``.

    The model is SentencePiece's, as FLAN-UL2's is, with Unicode case folding: capitals do not
    matter. A word outside the vocabulary is one unknown token.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "spiece.model"
    path.write_bytes(_sentencepiece_model())
    tokenizer = load_tokenizer(folder)
    tokenizer.save_pretrained(str(folder))
    return tokenizer


def load_tokenizer(folder: Path) -> T5Tokenizer:
    """Read a tokenizer from its folder."""
    return T5Tokenizer.from_pretrained(str(folder), extra_ids=0, model_max_length=128)


def build_encoder(tokenizer: T5Tokenizer) -> T5EncoderModel:
    """A T5 encoder of two layers."""
    config = T5Config(
        vocab_size=len(tokenizer),
        d_model=STATES_DIM,
        d_kv=32,
        d_ff=256,
        num_layers=2,
        num_heads=4,
        feed_forward_proj="gated-gelu",
        dropout_rate=0.0,
        is_encoder_decoder=False,
        use_cache=False,
    )
    return T5EncoderModel(config)


def encode(encoder: T5EncoderModel, ids: Tensor, mask: Tensor) -> Tensor:
    """Last hidden states (B, L, D) of ids (B, L)."""
    states: Tensor = encoder(ids, attention_mask=mask).last_hidden_state
    return states


def sample_captions(rng: random.Random, count: int, *, with_filler: bool) -> list[Caption]:
    """Captions of training scenes, both languages."""
    return [
        caption(sample_scene(rng), rng.choice(LANGUAGES), rng, with_filler=with_filler)
        for _ in range(count)
    ]


def train(
    out: Path, tokenizer: T5Tokenizer, budget: Budget, seed: int, device: torch.device
) -> None:
    """Train the encoder by attribute questions and write its state to ``out``."""
    torch.manual_seed(seed)
    rng = random.Random(seed)
    encoder, heads = build_encoder(tokenizer).to(device), AttributeHeads().to(device)
    optimiser = _optimiser(encoder, heads)
    log = Log("text")
    while not budget.is_spent:
        captions = sample_captions(rng, 128, with_filler=budget.share > _PLAIN_SHARE)
        ids, mask = (t.to(device) for t in tokenize(tokenizer, [c.text for c in captions]))
        answers = heads(encode(encoder, ids, mask), mask)
        loss, right = grade(answers, captions)
        descend(optimiser, loss, budget)
        log(budget, loss=loss, **right)
    save_state(encoder, out)


class AttributeHeads(nn.Module):
    """One attention-pooling query and one classifier for each attribute of a scene."""

    def __init__(self) -> None:
        super().__init__()
        self.queries = nn.Parameter(torch.randn(len(ATTRIBUTES), STATES_DIM) * 0.1)
        self.classifiers = nn.ModuleDict(
            {name: nn.Linear(STATES_DIM, len(values)) for name, values in ATTRIBUTES.items()}
        )

    def forward(self, states: Tensor, mask: Tensor) -> dict[str, Tensor]:
        """Logits (B, values) by attribute, of states (B, L, D)."""
        scores = torch.einsum("kd,bld->bkl", self.queries, states) * 8 / STATES_DIM**0.5
        weights = scores.masked_fill(mask[:, None] == 0, -1e4).softmax(-1)
        pooled = weights @ states  # (B, attributes, D)
        return {
            name: classifier(pooled[:, index])
            for index, (name, classifier) in enumerate(self.classifiers.items())
        }


def _optimiser(encoder: T5EncoderModel, heads: AttributeHeads) -> torch.optim.Optimizer:
    """Let the position biases move thirty times faster than the rest.

    "The word before me" has to stand out by whole units of a logit before a colour can find its
    noun, and at the common rate that takes minutes.
    """
    names = dict(encoder.named_parameters())
    biases = [p for name, p in names.items() if "relative_attention_bias" in name]
    others = [p for name, p in names.items() if "relative_attention_bias" not in name]
    return adam([([*others, *heads.parameters()], 3e-3), (biases, 0.1)])


def attributes(said: Caption) -> dict[str, str]:
    """What a caption says, by the names of ``ATTRIBUTES``; what it leaves open is not in it."""
    scene = said.scene
    facts = {"subject": "face" if scene.face else ("one", "two")[len(scene.things) - 1]}
    for suffix, thing in zip(("", "_2"), scene.things, strict=False):
        facts |= {f"{name}{suffix}": getattr(thing, name) for name in _THING}
    if scene.face:
        facts |= {name: getattr(scene.face, name) for name in _FACE}
    facts |= {"background": scene.background, "fades_to": scene.fades_to or _PLAIN}
    left_open = {name for key in said.unsaid for name in _LEFT_OPEN.get(key, (key,))}
    return {name: value for name, value in facts.items() if name not in left_open}


_LEFT_OPEN: Final = {
    "background": ("background", "fades_to"),
    "arrangement": ("place", "place_2"),
}


def grade(answers: dict[str, Tensor], captions: list[Caption]) -> tuple[Tensor, dict[str, Tensor]]:
    """Summed cross-entropy, and the share of right answers by attribute."""
    loss, right = torch.zeros(()), {}
    facts = [attributes(said) for said in captions]
    for name, values in ATTRIBUTES.items():
        logits = answers[name]
        indices = [values.index(fact[name]) if name in fact else _IGNORED for fact in facts]
        target = torch.tensor(indices, device=logits.device)
        said = target != _IGNORED
        if said.any():
            loss = loss.to(logits.device) + fn.cross_entropy(logits[said], target[said])
            right[name] = (logits.argmax(1) == target)[said].float().mean()
    return loss, right


def _sentencepiece_model() -> bytes:
    """Take case folding from a model SentencePiece trains, and give it our own pieces."""
    trained = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(vocabulary() * 8),
        model_writer=trained,
        vocab_size=160,
        hard_vocab_limit=False,
        normalization_rule_name="nmt_nfkc_cf",
        minloglevel=2,
    )
    model = spm.ModelProto.FromString(trained.getvalue())
    trainer = model.trainer_spec
    trainer.pad_id, trainer.eos_id, trainer.unk_id, trainer.bos_id = 0, 1, 2, -1
    trainer.pad_piece, trainer.eos_piece, trainer.unk_piece = "<pad>", "</s>", "<unk>"
    kind = spm.ModelProto.SentencePiece
    del model.pieces[:]
    model.pieces.add(piece="<pad>", score=0, type=kind.CONTROL)
    model.pieces.add(piece="</s>", score=0, type=kind.CONTROL)
    model.pieces.add(piece="<unk>", score=0, type=kind.UNKNOWN)
    words = [word for word in vocabulary() if word not in _MARKS]
    for piece in (*_MARKS, *(_SPACE + word for word in words)):
        model.pieces.add(piece=piece, score=-1.0, type=kind.NORMAL)
    trainer.vocab_size = len(model.pieces)
    return bytes(model.SerializeToString())

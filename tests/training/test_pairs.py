import random
from pathlib import Path

import numpy as np
import pytest
import torch

from training import movq, pairs
from training.judge import figure, judge, marks
from training.pairs import Motif, in_colours
from training.world import COLOURS, RATIOS, Kind, Scene, Thing, draw, recoloured, sample_scene

CPU = torch.device("cpu")
SIZE_PX = (128, 128)
STAR = Scene.of("star", "red", "blue", place="left")


@pytest.mark.parametrize("kind", ["one", "faded", "two"])
def test_two_colourings_of_a_motif_have_one_outline(kind: Kind) -> None:
    rng = random.Random(f"outline {kind}")
    for _ in range(10):
        scene = sample_scene(rng, kinds=(kind,))
        other = recoloured(scene, rng)
        motif = Motif(scene, rng.getrandbits(32), is_nameless=False)
        first, second = (motif.draw(colours, rng, SIZE_PX) for colours in (scene, other))
        assert (figure(first, scene) == figure(second, other)).mean() > 0.999
        assert all(marks(first, scene).values())
        assert all(marks(second, other).values())


def test_shades_from_elsewhere_leave_the_geometry_alone() -> None:
    pictures = [draw(STAR, random.Random(1), shades=random.Random(seed)) for seed in (2, 3)]
    first, second = (figure(picture, STAR) for picture in pictures)
    assert (first == second).all()
    assert (pictures[0] != pictures[1]).any()


@pytest.mark.parametrize("held_out", [False, True])
def test_a_recoloured_scene_keeps_all_but_its_colours_and_its_split(held_out: bool) -> None:
    rng = random.Random(4)
    for _ in range(20):
        scene = sample_scene(rng)
        other = recoloured(scene, rng, held_out=held_out)
        assert other.is_held_out == held_out
        assert [(t.shape, t.size, t.place) for t in other.things] == [
            (t.shape, t.size, t.place) for t in scene.things
        ]
        assert (other.face and other.face.mouth) == (scene.face and scene.face.mouth)


def test_a_worn_counterpart_still_shows_the_motifs_outline_in_other_colours() -> None:
    rng = random.Random(5)
    motif = Motif(STAR, seed=1, is_nameless=False)
    true = figure(motif.draw(STAR, rng, SIZE_PX), STAR)
    seen = set()
    for _ in range(30):
        given = np.asarray(motif.counterpart(rng, SIZE_PX))
        shown = figure(given, STAR)
        assert (true & shown).sum() / (true | shown).sum() > 0.85
        seen.add(judge(given).background)
    assert len(seen) > 5


def test_an_outline_without_a_name_is_one_piece_in_the_colours_asked_for() -> None:
    rng = random.Random(6)
    for seed in range(20):
        motif = Motif(STAR, seed, is_nameless=True)
        (thing,) = judge(motif.draw(STAR, rng, SIZE_PX)).things
        assert thing.colour == "red"
        assert "star" not in motif.words(rng)


def test_words_of_colours_alone_name_all_of_them_and_nothing_else() -> None:
    rng = random.Random(7)
    for _ in range(20):
        said = in_colours(STAR, "en", rng, with_filler=False).text
        assert "red" in said
        assert "blue" in said
        assert not {"star", "left"} & set(said.split())
    two = Scene(
        (Thing("star", "red", place="left"), Thing("moon", "white", place="right")), "blue"
    )
    said = in_colours(two, "ru", rng, with_filler=False).text
    assert said.count("фигур") == 2
    assert not any(word in said for word in ("звезд", "лун", "полумесяц"))


def test_pairs_come_back_from_their_file(tmp_path: Path) -> None:
    made = movq.build().eval()
    pairs.make(tmp_path / "pairs.pt", made, {"1:1": 3, "3:2": 2}, 0, CPU)
    shelves = pairs.load(tmp_path / "pairs.pt")
    assert {name: tuple(shelf.latents.shape) for name, shelf in shelves.items()} == {
        "1:1": (3, 4, 16, 16),
        "3:2": (2, 4, 16, 24),
    }
    latents, motifs = shelves["3:2"].take(random.Random(0), 5, CPU)
    assert latents.shape == (5, 4, 16, 24)
    assert latents.dtype == torch.float32
    assert shelves["3:2"].size_px == RATIOS["3:2"]
    assert all(motif.scene.background in COLOURS for motif in motifs)
    assert not any(motif.scene.is_held_out for motif in motifs)

import pytest
import torch
from torch import Tensor

from pipelines.kandinsky3.edges import gradient_edges, hint

SIDE = 24


def flat(red: float, green: float, blue: float) -> Tensor:
    return torch.tensor([red, green, blue])[None, :, None, None].expand(1, 3, SIDE, SIDE)


BLACK, WHITE = flat(0.0, 0.0, 0.0), flat(1.0, 1.0, 1.0)


def halves(left: Tensor, right: Tensor) -> Tensor:
    return torch.cat([left[..., : SIDE // 2], right[..., SIDE // 2 :]], dim=-1)


def test_a_picture_of_one_colour_has_no_edges() -> None:
    assert float(gradient_edges(flat(0.2, 0.9, 0.4)).max()) < 1e-6


def test_an_edge_is_where_the_colours_meet_and_nowhere_else() -> None:
    edges = gradient_edges(halves(BLACK, WHITE))
    middle = slice(SIDE // 2 - 1, SIDE // 2 + 1)
    assert torch.equal(edges[..., middle], torch.ones(1, 1, SIDE, 2))
    assert float(edges[..., : SIDE // 2 - 4].max()) < 1e-6
    assert float(edges[..., SIDE // 2 + 4 :].max()) < 1e-6
    torch.testing.assert_close(edges, edges.flip(-1))


def test_two_colours_of_one_brightness_have_an_edge_between_them() -> None:
    edges = gradient_edges(halves(flat(0.8, 0.2, 0.5), flat(0.2, 0.8, 0.5)))
    assert float(edges[0, 0, SIDE // 2, SIDE // 2]) > 0.7


def test_a_fainter_edge_is_a_weaker_one() -> None:
    faint, strong = (
        gradient_edges(halves(flat(0.5, 0.5, 0.5), flat(shade, 0.5, 0.5)))[0, 0, 5, SIDE // 2]
        for shade in (0.55, 0.65)
    )
    assert 0 < float(faint) < float(strong) < 1


def test_the_direction_of_an_edge_does_not_matter() -> None:
    upright = halves(flat(0.1, 0.3, 0.5), flat(0.4, 0.3, 0.5))
    lying = upright.transpose(-1, -2)
    torch.testing.assert_close(gradient_edges(lying), gradient_edges(upright).transpose(-1, -2))


def test_dither_is_no_edge() -> None:
    squares = (torch.arange(SIDE)[:, None] + torch.arange(SIDE)) % 2
    edges = gradient_edges(squares.float().expand(1, 3, -1, -1))
    assert float(edges[..., 4:-4, 4:-4].max()) < 1e-6


def test_each_picture_of_a_batch_has_its_own_edges() -> None:
    pictures = torch.cat([halves(BLACK, WHITE), flat(0.5, 0.5, 0.5)])
    edges = gradient_edges(pictures)
    assert float(edges[0].max()) == 1
    assert float(edges[1].max()) < 1e-6


@pytest.mark.parametrize(
    ("hint_range", "polarity", "nothing", "an_edge"),
    [
        ("0..1", "white_edges", 0, 1),
        ("0..1", "black_edges", 1, 0),
        ("-1..1", "white_edges", -1, 1),
        ("-1..1", "black_edges", 1, -1),
    ],
)
def test_a_hint_is_written_as_the_network_reads_it(
    hint_range: str, polarity: str, nothing: float, an_edge: float
) -> None:
    edges = torch.tensor([0.0, 1.0]).view(1, 1, 1, 2)
    written = hint(edges, hint_range, polarity)  # type: ignore[arg-type]
    assert written.tolist() == [[[[nothing, an_edge]]] * 3]

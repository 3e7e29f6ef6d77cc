import io
import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from pydantic import ValidationError
from torch import Tensor

from pipelines.contracts import (
    SEED_MAX,
    Cancelled,
    Output,
    PartlyFailed,
    Step,
    UnsupportedRequest,
)
from pipelines.kandinsky3 import load
from pipelines.kandinsky3.model import Kandinsky3, NotFinite
from pipelines.kandinsky3.sampler import Rows
from pipelines.profiles import QUALITIES, QualitySettings
from pipelines.text_to_image import MODE, TextToImage, TextToImageRequest
from pipelines.weights import ComponentStore
from tests.pipelines.looking import LATENTS_TOLERANCE, apart, keep_all, looks_like
from tests.pipelines.micro import NO_ROOM, make_store


def ask(prompt: str = "a red circle", **changes: object) -> TextToImageRequest:
    values: dict[str, Any] = {"width_px": 64, "height_px": 64, "quality": "base", "seed": 7}
    return TextToImageRequest.model_validate({"prompt": prompt, **values, **changes})


CROWD = (
    ask("a blue square on a hill and a cat", seed=1, negative_prompt="green"),
    ask(seed=7),
    ask("cat", seed=SEED_MAX, negative_prompt="a red circle on a hill and a cat", style="anime"),
    ask("a green cat", seed=2),
)


@pytest.mark.parametrize("quality", QUALITIES)
def test_a_picture_does_not_depend_on_who_shares_its_batch(
    text_to_image: TextToImage, latents: list[Tensor], quality: str
) -> None:
    crowd = [request.model_copy(update={"quality": quality}) for request in CROWD]
    together = text_to_image(crowd, keep_all)
    for index, request in enumerate(crowd):
        alone = text_to_image([request], keep_all)
        assert looks_like(alone[0].pictures[0], together[index].pictures[0])
        assert apart(latents[-1][0], latents[0][index]) <= LATENTS_TOLERANCE


@pytest.mark.parametrize("quality", QUALITIES)
def test_each_of_several_pictures_is_the_picture_of_its_own_seed(
    text_to_image: TextToImage, quality: str
) -> None:
    several = text_to_image([ask(quality=quality, n=3, seed=SEED_MAX - 1)], keep_all)[0]

    assert [picture.seed for picture in several.pictures] == [SEED_MAX - 1, SEED_MAX, 0]
    for picture in several.pictures:
        single = text_to_image([ask(quality=quality, seed=picture.seed)], keep_all)[0]
        assert looks_like(single.pictures[0], picture)


@pytest.mark.parametrize("quality", QUALITIES)
@pytest.mark.parametrize(
    "other",
    [{"seed": 8}, {"prompt": "a blue square"}, {"height_px": 128}, {"style": "anime"}],
    ids=lambda changes: next(iter(changes)),
)
def test_what_is_asked_shows_in_the_picture(
    text_to_image: TextToImage, latents: list[Tensor], quality: str, other: dict[str, object]
) -> None:
    text_to_image([ask(quality=quality)], keep_all)
    text_to_image([ask(**{"quality": quality, **other})], keep_all)  # type: ignore[arg-type]
    first, second = latents
    assert first.shape != second.shape or (first - second).abs().max() > 1e-3


def test_a_negative_prompt_matters_to_the_base_model_alone(
    text_to_image: TextToImage, latents: list[Tensor]
) -> None:
    for quality in ("base", "flash"):
        for negative in ("", "green"):
            text_to_image([ask(quality=quality, negative_prompt=negative)], keep_all)
    base, base_negative, flash, flash_negative = latents
    assert (base - base_negative).abs().max() > 1e-3
    assert torch.equal(flash, flash_negative)


def test_refining_goes_on_from_the_base_model(
    store: ComponentStore, text_to_image: TextToImage, latents: list[Tensor]
) -> None:
    kandinsky = Kandinsky3(store)
    watch = kandinsky.watch([0], steps=6, parts=1, on_step=keep_all)
    text_to_image([ask(quality="base")], keep_all)
    text_to_image([ask(quality="refined")], keep_all)
    base, refined = latents
    rows = kandinsky.start([7], 64, 64)
    kandinsky.draw(rows, ["a red circle"], [""], QualitySettings(steps=4), watch)  # takes noise
    expected = kandinsky.refine(replace(rows, latents=base), ["a red circle"], watch).latents
    assert (base - refined).abs().max() > 1e-3
    assert apart(refined, expected) <= LATENTS_TOLERANCE


@pytest.mark.parametrize("quality", QUALITIES)
def test_those_who_leave_do_not_change_the_pictures_of_those_who_stay(
    text_to_image: TextToImage, latents: list[Tensor], quality: str
) -> None:
    crowd = [request.model_copy(update={"quality": quality}) for request in CROWD]

    def two_leave(step: Step) -> frozenset[int]:
        return frozenset([0] if step.index == 1 else [0, 3])

    stayed = text_to_image(crowd, two_leave)
    everyone = text_to_image(crowd, keep_all)

    assert stayed.keys() == {1, 2}
    assert all(looks_like(stayed[i].pictures[0], everyone[i].pictures[0]) for i in (1, 2))
    assert apart(latents[0], latents[1][1:3]) <= LATENTS_TOLERANCE


@pytest.mark.parametrize("quality", QUALITIES)
@pytest.mark.parametrize("last", [1, 3, 4])
def test_nothing_is_computed_after_the_last_one_left(
    text_to_image: TextToImage, quality: str, last: int
) -> None:
    steps: list[int] = []

    def leave(step: Step) -> frozenset[int]:
        steps.append(step.index)
        return frozenset([0, 1]) if step.index == last else frozenset()

    with pytest.raises(Cancelled):
        text_to_image([ask(quality=quality), ask("cat", quality=quality)], leave)
    assert steps == list(range(1, last + 1))


@pytest.mark.parametrize(
    ("quality", "total"), [("flash", 4), ("fast", 4), ("base", 4), ("refined", 6)]
)
def test_progress_counts_every_step_and_ends_with_the_last(
    text_to_image: TextToImage, quality: str, total: int
) -> None:
    steps: list[Step] = []

    def watch(step: Step) -> frozenset[int]:
        steps.append(step)
        return frozenset()

    text_to_image([ask(quality=quality)], watch)
    assert [(step.index, step.total) for step in steps] == [(i + 1, total) for i in range(total)]


def in_parts(weights_dir: Path, at_once: int) -> TextToImage:
    store = make_store(weights_dir, batch_pictures=at_once)
    return TextToImage(Kandinsky3(store), store.profile)


@pytest.mark.parametrize("quality", QUALITIES)
def test_more_pictures_than_the_device_draws_at_once_follow_each_other_and_are_the_same(
    weights_dir: Path, text_to_image: TextToImage, latents: list[Tensor], quality: str
) -> None:
    request = ask(quality=quality, n=4)
    together = text_to_image([request], keep_all)[0].pictures
    steps: list[Step] = []

    def watch(step: Step) -> frozenset[int]:
        steps.append(step)
        return frozenset()

    in_turns = in_parts(weights_dir, 3)([request], watch)[0].pictures

    assert [len(decoded) for decoded in latents] == [4, 3, 1]
    assert apart(torch.cat(latents[1:]), latents[0]) <= LATENTS_TOLERANCE
    assert [picture.seed for picture in in_turns] == [picture.seed for picture in together]
    assert all(looks_like(*pair) for pair in zip(in_turns, together, strict=True))
    total = 2 * {"flash": 4, "fast": 4, "base": 4, "refined": 6}[quality]
    assert [(step.index, step.total) for step in steps] == [(i + 1, total) for i in range(total)]


def test_who_leaves_while_one_part_is_drawn_is_in_no_later_part(
    weights_dir: Path, text_to_image: TextToImage, latents: list[Tensor]
) -> None:
    steps: list[int] = []

    def leave(step: Step) -> frozenset[int]:
        steps.append(step.index)
        return frozenset([0]) if step.index == 6 else frozenset()

    requests = [ask(n=3), ask("cat")]
    outputs = in_parts(weights_dir, 1)(requests, leave)

    assert outputs.keys() == {1}
    # The second part is left at its second step, the third is not begun, the fourth is drawn.
    assert steps == [1, 2, 3, 4, 5, 6, 13, 14, 15, 16]
    assert [len(decoded) for decoded in latents] == [1, 1]
    alone = text_to_image([requests[1]], keep_all)[0]
    assert looks_like(outputs[1].pictures[0], alone.pictures[0])


def test_when_the_last_one_leaves_the_parts_to_come_are_not_begun(weights_dir: Path) -> None:
    steps: list[int] = []

    def leave(step: Step) -> frozenset[int]:
        steps.append(step.index)
        return frozenset([0]) if step.index == 5 else frozenset()

    with pytest.raises(Cancelled):
        in_parts(weights_dir, 1)([ask(n=4)], leave)
    assert steps == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_picture_of_no_numbers_is_a_failure_of_its_own_and_never_a_black_square(
    store: ComponentStore, value: float
) -> None:
    kandinsky = Kandinsky3(store)
    rows = kandinsky.start([3, 4, 5], 64, 64)
    whole = kandinsky.pictures(rows, [3, 4, 5])
    rows.latents[1, 2, 0, 0] = value
    first, broken, last = kandinsky.pictures(rows, [3, 4, 5])
    assert [first, last] == [whole[0], whole[2]]
    assert isinstance(broken, NotFinite)
    assert str(broken) == "seed 4 is not finite in torch.float32"
    assert broken.code == "error-generation-failed"


def test_one_request_of_no_numbers_fails_alone(
    text_to_image: TextToImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = [ask(seed=3), ask(seed=40, n=2), ask(seed=5)]
    expected = text_to_image(batch, keep_all)
    draw = Kandinsky3.draw

    def broken(self: Kandinsky3, *args: Any) -> Rows:
        rows = draw(self, *args)
        latents = rows.latents.clone()  # what inference made cannot be written to
        latents[2] = math.nan  # the second picture of the second request
        return replace(rows, latents=latents)

    monkeypatch.setattr(Kandinsky3, "draw", broken)
    with pytest.raises(PartlyFailed, match="seed 41") as caught:
        text_to_image(batch, keep_all)
    assert list(caught.value.errors) == [1]
    assert {i: o.pictures for i, o in caught.value.outputs.items()} == {
        0: expected[0].pictures,
        2: expected[2].pictures,
    }


def test_every_request_sees_its_picture_form_from_the_first_step_on(
    text_to_image: TextToImage,
) -> None:
    steps: list[Step] = []

    def watch(step: Step) -> frozenset[int]:
        steps.append(step)
        return frozenset([1]) if step.index == 2 else frozenset()

    text_to_image([ask(n=2), ask("cat"), ask("a hill")], watch)
    shown = [set(step.previews) for step in steps]
    assert shown == [{0, 1, 2}, {0, 1, 2}, {0, 2}, set()]
    for preview in steps[0].previews.values():
        assert max(Image.open(io.BytesIO(preview)).size) == 256
    two = Image.open(io.BytesIO(steps[0].previews[0]))
    assert two.size == (256, 128)


def test_a_picture_is_a_lossless_file_and_a_photo(text_to_image: TextToImage) -> None:
    output = text_to_image([ask(height_px=128)], keep_all)[0]

    assert isinstance(output, Output)
    assert output.seconds > 0
    (picture,) = output.pictures
    png, jpeg = (Image.open(io.BytesIO(file)) for file in (picture.png, picture.jpeg))
    assert (png.format, png.size) == ("PNG", (64, 128))
    assert (jpeg.format, jpeg.size) == ("JPEG", (128, 256))
    assert (picture.width_px, picture.height_px, picture.seed) == (64, 128, 7)


def test_a_quality_the_profile_lacks_is_refused(weights_dir: Path) -> None:
    store = make_store(weights_dir, qualities={"base": QualitySettings(steps=2)})
    with pytest.raises(UnsupportedRequest):
        TextToImage(Kandinsky3(store), store.profile)([ask(quality="flash")], keep_all)


def test_a_known_text_does_not_wake_the_encoder(store: ComponentStore) -> None:
    pipeline = TextToImage(Kandinsky3(store), store.profile)
    encoder = store.get(load.TEXT_ENCODER)
    calls: list[int] = []
    handle = encoder.register_forward_hook(lambda *_: calls.append(1))
    try:
        pipeline([ask("a cat"), ask("a hill", negative_prompt="a cat")], keep_all)
        assert len(calls) == 2
        pipeline([ask("a hill", seed=9), ask("a cat", n=2)], keep_all)
        assert len(calls) == 2
        for quality in ("flash", "refined"):  # what reads a text does not matter
            pipeline([ask("a cat", quality=quality)], keep_all)
        assert len(calls) == 2
    finally:
        handle.remove()


def test_loading_the_mode_warms_up_the_default_quality(weights_dir: Path) -> None:
    store = make_store(weights_dir, default_quality="flash")
    MODE.load(store)
    assert "Flash UNet" in store.resident
    assert "base UNet" not in store.resident


def test_a_memory_budget_too_small_for_everything_changes_no_picture(weights_dir: Path) -> None:
    roomy = make_store(weights_dir)
    budget_bytes = roomy.size_bytes(load.MOVQ)  # the largest
    tight = ComponentStore(roomy.profile, roomy.device, budget_bytes=budget_bytes, working=NO_ROOM)
    outputs = [
        TextToImage(Kandinsky3(store), store.profile)([ask(quality="refined")], keep_all)
        for store in (roomy, tight)
    ]
    assert tight.evictions > 0
    assert tight.resident_bytes <= budget_bytes
    assert roomy.evictions == 0
    assert outputs[0][0].pictures[0].png == outputs[1][0].pictures[0].png


@pytest.mark.parametrize(
    "changes",
    [
        {"prompt": ""},
        {"prompt": " \n\t "},
        {"prompt": "\u200b\ufeff\u2060 \u200d\u3000"},
        {"prompt": "\ufe0f\u0301"},
        {"prompt": "a" * 1001},
        {"prompt": "nul\x00"},
        {"prompt": "escape \x1b[31m"},
        {"negative_prompt": "bell \x07"},
        {"negative_prompt": "a" * 1001},
        {"style": "Anime"},
        {"width_px": 100},
        {"width_px": 0},
        {"height_px": 8192},
        {"n": 0},
        {"n": 5},
        {"seed": -1},
        {"seed": SEED_MAX + 1},
        {"quality": "best"},
        {"steps": 3},
    ],
    ids=str,
)
def test_a_request_that_cannot_be_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ask(**changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "prompt", ["a" * 1000, "🐈‍⬛" * 200, "кот на горе", "قطة على التل", "<b>a</b> *b*", "a\n\tb"]
)
def test_whatever_people_write_is_a_prompt(prompt: str) -> None:
    request = ask(prompt, negative_prompt=prompt)
    assert TextToImageRequest.model_validate_json(request.model_dump_json()) == request


def test_requests_share_a_batch_if_size_and_quality_agree() -> None:
    one = ask("a", seed=1, negative_prompt="b", n=2, style="anime")
    assert one.batch_key == ask("c", seed=2).batch_key
    others: Sequence[TextToImageRequest] = (
        ask(width_px=128),
        ask(height_px=128),
        ask(quality="flash"),
        ask(quality="refined"),
    )
    keys = [one.batch_key, *(other.batch_key for other in others)]
    assert all(a != b for a, b in pairwise(sorted(keys)))


def test_a_request_counts_as_many_pictures_as_it_makes() -> None:
    assert ask().pictures == 1
    assert ask(n=4).pictures == 4

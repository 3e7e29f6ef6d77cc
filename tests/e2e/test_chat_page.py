"""The main job, driven as a person would: a browser, the bot, a trained model, a picture."""

from pathlib import Path

import pytest
from PIL import Image, ImageStat
from playwright.sync_api import Locator, Page, expect

from tests.e2e.town import Town, eventually

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PICTURE_MS = 90_000


def types(page: Page, text: str) -> None:
    page.locator("#composer").fill(text)
    page.locator("#composer").press("Enter")


def newest(page: Page) -> Locator:
    return page.locator("[data-message-id]").last


def bubble(page: Page, text: str) -> Locator:
    """The bot's newest message that holds ``text``."""
    return page.get_by_role("article", name="Kandinsky").filter(has_text=text).last


def colour(image: Image.Image, x: float, y: float) -> tuple[int, int, int]:
    """The mean colour of a small patch around a point given as shares of the sides."""
    left, top = int(x * image.width), int(y * image.height)
    patch = image.crop((left - 8, top - 8, left + 8, top + 8))
    red, green, blue = (round(mean) for mean in ImageStat.Stat(patch).mean)
    return red, green, blue


def is_red(patch: tuple[int, int, int]) -> bool:
    red, green, blue = patch
    return red > green + 60 and red > blue + 60


def is_blue(patch: tuple[int, int, int]) -> bool:
    red, green, blue = patch
    return blue > red + 60 and blue > green + 60


def test_start_says_what_the_bot_does_and_what_its_model_can_draw(page: Page) -> None:
    page.get_by_role("button", name="Start").click()
    expect(newest(page)).to_contain_text("a very small one", timeout=PICTURE_MS)
    expect(page.get_by_role("button", name="a red circle on a blue background")).to_be_visible()


def test_a_sentence_becomes_the_picture_it_says(page: Page, town: Town, tmp_path: Path) -> None:
    types(page, "a large red circle on a blue background --seed 7")
    drawn = bubble(page, "seed 7 ·")
    drawn.wait_for(timeout=PICTURE_MS)
    image = town.image(town.pictures()[-1])
    assert image.size == (512, 512)
    assert is_red(colour(image, 0.5, 0.5))
    assert is_blue(colour(image, 0.08, 0.08))
    assert is_blue(colour(image, 0.92, 0.92))
    shot = tmp_path / "bubble.png"
    drawn.locator("img").first.screenshot(path=shot)
    assert is_red(colour(Image.open(shot).convert("RGB"), 0.5, 0.5))


def test_again_draws_another_one_of_the_same_sentence(page: Page, town: Town) -> None:
    before = len(town.pictures())
    bubble(page, "seed 7 ·").get_by_role("button", name="Again").click()
    eventually(lambda: len(town.pictures()) > before or None, "another picture", 90)
    first, second = town.pictures()[-2:]
    assert first["text"].splitlines()[0] == second["text"].splitlines()[0]
    assert "seed 7 ·" in first["text"]
    assert "seed 7 ·" not in second["text"]


def test_cancel_stops_a_picture_that_is_being_drawn(page: Page, town: Town) -> None:
    before = len(town.pictures())
    photos = sum(message["media"] is not None for message in town.from_bot())
    types(page, "a green star on a white background --n 4 --quality refined")
    card = bubble(page, "a green star on a white background")
    card.get_by_role("button", name="Cancel").click(timeout=PICTURE_MS)
    expect(card).to_contain_text("Cancelled", timeout=20_000)
    types(page, "a small yellow square on a black background")
    eventually(lambda: len(town.pictures()) > before or None, "the next picture", 90)
    later = sum(message["media"] is not None for message in town.from_bot())
    assert later - photos <= 2  # the next picture, and a preview on the cancelled card


def test_markup_in_a_prompt_is_shown_as_typed(page: Page) -> None:
    types(page, "a <b>red</b> *circle* <script>alert(1)</script> on white")
    drawn = bubble(page, "<b>red</b> *circle* <script>alert(1)</script>")
    expect(drawn).to_contain_text("seed", timeout=PICTURE_MS)


def test_a_wrong_option_is_explained_and_costs_nothing(page: Page, town: Town) -> None:
    before = len(town.pictures())
    types(page, "a red circle --ar 99:1")
    expect(newest(page)).to_contain_text("--ar takes one of 1:1, 16:9", timeout=PICTURE_MS)
    assert len(town.pictures()) == before

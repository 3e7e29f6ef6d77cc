"""Pictures as prompts, as a person meets them: a photo, a button, a sentence, a picture."""

import time
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageStat
from playwright.sync_api import Locator, Page, expect

from tests.e2e.town import Town, eventually

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PICTURE_MS = 90_000


@pytest.fixture
def red_circle(tmp_path: Path) -> Path:
    image = Image.new("RGB", (640, 640), (40, 70, 220))
    ImageDraw.Draw(image).ellipse((150, 150, 490, 490), fill=(220, 30, 30))
    image.save(tmp_path / "circle.png")
    return tmp_path / "circle.png"


def sends(page: Page, photo: Path, caption: str = "") -> None:
    page.set_input_files("#picker", photo)
    page.locator("#composer").fill(caption)
    page.locator("#composer").press("Enter")


def bubble(page: Page, text: str) -> Locator:
    """The bot's newest message that holds ``text``."""
    found = page.get_by_role("article", name="Kandinsky").filter(has_text=text).last
    found.wait_for(timeout=PICTURE_MS)
    return found


def corner(image: Image.Image) -> list[float]:
    return ImageStat.Stat(image.crop((8, 8, 40, 40))).mean


def test_a_photo_without_words_is_asked_about_and_varied(
    page: Page, town: Town, red_circle: Path
) -> None:
    page.get_by_role("button", name="Start").click()
    bubble(page, "Or send me a photo")
    sends(page, red_circle)
    bubble(page, "What shall I do").get_by_role("button", name="Variations").click()
    bubble(page, "normal likeness")
    [drawn] = town.pictures()
    assert town.image(drawn).size == (512, 512)


def test_what_was_drawn_keeps_its_shapes_in_another_style(page: Page, town: Town) -> None:
    bubble(page, "normal likeness").get_by_role("button", name="Restyle").click()
    bubble(page, "In which style?")
    page.locator("#composer").fill("yellow on a green background --seed 7")
    page.locator("#composer").press("Enter")
    bubble(page, "shapes kept normally")
    red, green, blue = corner(town.image(town.pictures()[-1]))
    assert green > red + 40
    assert green > blue + 40


def test_a_caption_says_what_to_change(page: Page, town: Town, red_circle: Path) -> None:
    sends(page, red_circle, "on a yellow background --seed 7")
    result = bubble(page, "words and picture")
    red, green, blue = corner(town.image(town.pictures()[-1]))
    assert min(red, green) > blue + 60
    expect(result.get_by_role("button", name="More picture")).to_be_visible()


def test_every_result_leads_on_and_can_be_asked_for_again(page: Page, town: Town) -> None:
    before = len(town.pictures())
    result = bubble(page, "words and picture")
    for label in ("Variations", "Fuse with", "Restyle", "With words"):
        expect(result.get_by_role("button", name=label)).to_be_visible()
    result.get_by_role("button", name="Again").dblclick()
    eventually(lambda: len(town.pictures()) > before or None, "another picture")
    time.sleep(3)  # a second one would come now
    assert len(town.pictures()) == before + 1

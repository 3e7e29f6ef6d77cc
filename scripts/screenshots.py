"""Take the README's pictures anew: ``make screenshots``. A real browser, bot and model."""

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final

from playwright.sync_api import Page, ViewportSize, sync_playwright

from tests.e2e.conftest import CHROMIUM_FLAGS
from tests.e2e.town import playground

IMAGES: Final = Path(__file__).parents[1] / "docs/images"
SIZE: Final[ViewportSize] = {"width": 1180, "height": 1000}
OPTIONS: Final = ("--name", "Kandinsky", "--bot", f"{sys.executable} -m bot")
PROMPTS: Final = {
    "a yellow star to the left of a white moon, purple background --seed 12": "seed 12",
    "красное сердце слева от синего кольца на белом фоне --ar 3:2 --seed 4": "seed 4",
}


def converse(page: Page) -> None:
    """Say what the README shows, one picture after the other."""
    page.get_by_role("button", name="Start").click()
    page.locator("#composer").wait_for()
    for prompt, caption in PROMPTS.items():
        page.locator("#composer").fill(prompt)
        page.locator("#composer").press("Enter")
        drawn = page.get_by_role("article", name="Kandinsky").filter(has_text=caption)
        drawn.wait_for(timeout=120_000)
    page.wait_for_timeout(1500)


def main() -> None:
    """Write ``docs/images/chat.png``."""
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("chromium is needed: apt-get install chromium")
    IMAGES.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as data,
        playground(*OPTIONS, DATA_DIR=data) as (_, town),
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_FLAGS)
        page = browser.new_page(viewport=SIZE, locale="en-US", timezone_id="UTC")
        page.goto(town.address)
        page.wait_for_selector("body[data-ready]")
        converse(page)
        page.screenshot(path=IMAGES / "chat.png")
        browser.close()
    print(f"wrote {IMAGES / 'chat.png'}")


if __name__ == "__main__":
    main()

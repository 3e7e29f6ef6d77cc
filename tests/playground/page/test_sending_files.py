"""Photos, videos and files that a person sends."""

from pathlib import Path

import pytest
from playwright.async_api import FilePayload, Page, expect

from tests.playground.client import picture
from tests.playground.page.driver import ON_PAGE, heard, pictures, record

pytestmark = ON_PAGE


async def test_photos_and_files_are_attached_with_a_caption(page: Page, tmp_path: Path) -> None:
    photo = tmp_path / "mine.png"
    photo.write_bytes(picture(300, 200))
    await page.set_input_files("#picker", photo)
    await page.fill("textarea[name=caption]", "look")
    await page.get_by_role("button", name="Send", exact=True).last.click()
    await expect(
        page.locator(".message.in", has_text="copy of look").locator("img")
    ).to_be_visible()
    await page.set_input_files("#picker", photo)
    await page.check("input[name=as-file]")
    await page.press("textarea[name=caption]", "Enter")
    size = photo.stat().st_size
    await expect(page.locator(".message.in").last).to_contain_text(f'["mine.png", {size}]')


@pytest.mark.parametrize("how", ["paste", "drop"])
async def test_a_photo_may_be_pasted_or_dropped(page: Page, how: str) -> None:
    content = list(picture(40, 40))
    await page.evaluate(
        """([how, content]) => {
            const carried = new DataTransfer();
            carried.items.add(new File([new Uint8Array(content)], "p.png", {type: "image/png"}));
            const target = document.getElementById("composer");
            const common = {bubbles: true, cancelable: true};
            const event = how === "paste"
                ? new ClipboardEvent("paste", {...common, clipboardData: carried})
                : new DragEvent("drop", {...common, dataTransfer: carried});
            target.dispatchEvent(event);
        }""",
        [how, content],
    )
    await page.press("textarea[name=caption]", "Enter")
    await expect(page.locator(".message.out img")).to_be_visible()
    await expect(page.locator(".message.in", has_text="copy of no caption")).to_be_visible()


async def test_several_photos_become_one_album_after_one_was_taken_away(page: Page) -> None:
    await page.set_input_files("#picker", pictures("one.png", "two.png", "three.png"))
    dialog = page.get_by_role("dialog", name="Send 3 files")
    await dialog.get_by_role("button", name="Remove two.png").click()
    await expect(page.get_by_role("dialog", name="Send 2 files")).to_be_visible()
    await expect(page.get_by_role("button", name="Remove three.png")).to_be_focused()
    await page.fill("textarea[name=caption]", "a pair")
    await page.get_by_role("button", name="Send", exact=True).last.click()
    mine = page.locator(".message.out", has_text="a pair")
    await expect(mine.locator(".grid img")).to_have_count(2)


async def test_taking_the_last_one_away_sends_nothing(page: Page) -> None:
    await page.set_input_files("#picker", pictures("one.png"))
    await page.get_by_role("button", name="Remove one.png").click()
    await expect(page.locator("dialog")).to_have_count(0)
    await expect(page.locator(".message.out")).to_have_count(1)


async def test_a_video_is_sent_as_a_video(page: Page) -> None:
    video = await record(page)
    payload: FilePayload = {"name": "v.webm", "mimeType": "video/webm", "buffer": video}
    await page.set_input_files("#picker", payload)
    await expect(page.get_by_role("dialog", name="Send a video")).to_be_visible()
    await page.press("textarea[name=caption]", "Enter")
    await expect(page.locator(".message.out video")).to_be_visible()
    await expect(heard(page, "a fine video")).to_be_visible()


async def test_more_than_an_album_holds_is_refused(page: Page) -> None:
    await page.set_input_files("#picker", pictures(*(f"{number}.png" for number in range(11))))
    await expect(page.locator("[data-toast]")).to_contain_text("At most 10 files")
    await expect(page.locator("dialog")).to_have_count(0)


async def test_what_was_typed_becomes_the_caption_and_comes_back(page: Page) -> None:
    await page.fill("#composer", "already typed")
    await page.set_input_files("#picker", pictures("one.png"))
    await expect(page.locator("textarea[name=caption]")).to_have_value("already typed")
    await page.get_by_role("button", name="Cancel").click()
    await expect(page.locator("#composer")).to_have_value("already typed")

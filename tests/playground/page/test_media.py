"""Photos, albums, videos and files that a bot sends."""

import pytest
from playwright.async_api import Page, expect

from tests.playground.client import ALICE, Api, picture
from tests.playground.page.driver import ON_PAGE, heard, record, say

pytestmark = ON_PAGE


async def test_a_text_turns_into_a_photo_in_place(page: Page) -> None:
    await say(page, "buttons")
    bubble = page.locator(".message", has=page.get_by_role("button", name="Edit"))
    number = await bubble.get_attribute("data-message-id")
    await page.get_by_role("button", name="Edit").click()
    await expect(page.locator("#status")).to_have_text("sending a photo")
    shown = page.locator(f".message[data-message-id='{number}']")
    await expect(shown.locator("img")).to_be_visible()
    await expect(shown).to_contain_text("now a photo")
    await expect(shown.locator(".edited")).to_be_visible()
    await expect(shown.locator(".key")).to_have_count(0)
    size = await shown.locator("img").bounding_box()
    assert size is not None
    assert size["width"] >= 300
    await shown.locator(".picture").click()
    await expect(page.locator("dialog.viewer img")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.locator("dialog.viewer")).to_have_count(0)


async def test_an_album_is_one_grid(page: Page) -> None:
    await say(page, "album")
    grid = page.locator(".grid")
    await expect(grid.locator("img")).to_have_count(3)
    await expect(grid.locator("[data-message-id]")).to_have_count(3)


@pytest.mark.parametrize("count", [2, 4, 5])
async def test_an_albums_pictures_fill_its_bubble(page: Page, api: Api, count: int) -> None:
    media = [{"type": "photo", "media": f"attach://p{n}"} for n in range(count)]
    media[0]["caption"] = "a caption that is a good deal wider than any picture of the album is"
    files = {f"p{n}": (f"{n}.png", picture(90 + 40 * n, 130)) for n in range(count)}
    await api.call("sendMediaGroup", files, chat_id=ALICE, media=media)
    await expect(page.locator(".grid img")).to_have_count(count)
    left, right = await page.locator(".grid").evaluate(
        """grid => {
            const bubble = grid.closest(".bubble").getBoundingClientRect();
            const edges = [...grid.children].map((child) => child.getBoundingClientRect());
            return [Math.min(...edges.map((edge) => edge.left)) - bubble.left,
                    bubble.right - Math.max(...edges.map((edge) => edge.right))];
        }"""
    )
    assert abs(left) < 1
    assert abs(right) < 1


async def test_an_album_is_leafed_through_at_full_size(page: Page) -> None:
    await say(page, "album")
    await page.locator(".grid .picture").nth(1).click()
    viewer = page.locator("dialog.viewer")
    await expect(viewer.locator(".counter")).to_have_text("2 of 3")
    await page.keyboard.press("ArrowRight")
    await expect(viewer.locator(".counter")).to_have_text("3 of 3")
    await expect(viewer.get_by_role("button", name="Next")).not_to_be_visible()
    await viewer.get_by_role("button", name="Previous").click()
    await page.keyboard.press("ArrowLeft")
    await expect(viewer.locator(".counter")).to_have_text("1 of 3")
    await page.keyboard.press("Escape")
    await expect(viewer).to_have_count(0)
    await expect(page.locator(".grid .picture").nth(1)).to_be_focused()


async def test_a_photo_is_zoomed_by_click_wheel_and_keys(page: Page, api: Api) -> None:
    await api.call("sendPhoto", {"photo": ("p.png", picture(600, 400))}, chat_id=ALICE)
    await page.locator(".picture").click()
    photo = page.locator("dialog.viewer img")
    await expect(photo).to_have_attribute("data-zoom", "1.00")
    await page.get_by_role("button", name="Zoom in").click()
    await expect(photo).to_have_attribute("data-zoom", "1.50")
    await page.keyboard.press("+")
    await expect(photo).to_have_attribute("data-zoom", "2.25")
    await page.keyboard.press("0")
    await expect(photo).to_have_attribute("data-zoom", "1.00")
    await photo.click()
    await expect(photo).to_have_attribute("data-zoom", "2.50")
    await page.mouse.wheel(0, 300)
    await expect(photo).to_have_attribute("data-zoom", "2.08")


async def test_a_hidden_photo_is_shown_before_it_is_opened(page: Page, api: Api) -> None:
    await api.call("sendPhoto", {"photo": ("p.png", picture())}, chat_id=ALICE, has_spoiler=True)
    await page.get_by_role("link", name="Show the hidden photo").click()
    await expect(page.locator("dialog.viewer")).to_have_count(0)
    await page.get_by_role("link", name="Open the photo").click()
    await expect(page.locator("dialog.viewer")).to_be_visible()


async def test_a_video_waits_and_is_played_to_its_end_at_full_size(page: Page, api: Api) -> None:
    video = await record(page)
    await api.call("sendVideo", {"video": ("v.webm", video)}, chat_id=ALICE, caption="a film")
    shown = heard(page, "a film")
    await expect(shown.locator("video")).to_have_js_property("paused", True)
    await expect(shown.locator(".play")).to_be_visible()
    await shown.get_by_role("link", name="Open the video").click()
    playing = page.locator("dialog.viewer video")
    await expect(playing).to_have_attribute("controls", "")
    await expect(playing).to_have_js_property("ended", True)


async def test_an_animation_moves_unless_calm_is_wanted(page: Page, api: Api) -> None:
    video = await record(page)
    await api.call("sendAnimation", {"animation": ("a.webm", video)}, chat_id=ALICE, caption="x")
    await expect(heard(page, "x").locator("video")).to_have_js_property("loop", True)
    await page.emulate_media(reduced_motion="reduce")
    await page.reload()
    await expect(heard(page, "x").locator(".play")).to_be_visible()
    await expect(heard(page, "x").locator("video")).to_have_js_property("paused", True)


async def test_a_document_is_named_sized_and_downloaded(page: Page, api: Api) -> None:
    files = {"document": ("report.pdf", b"x" * 12_345)}
    await api.call("sendDocument", files, chat_id=ALICE, caption="read this")
    shown = heard(page, "read this").locator(".file")
    await expect(shown.locator("b")).to_have_text("report.pdf")
    await expect(shown).to_contain_text("12.1 KB")
    async with page.expect_download() as coming:
        await shown.click()
    assert (await coming.value).suggested_filename == "report.pdf"

"""axe-core, which looks for what keeps people out of a page."""

from importlib.resources import files
from typing import Any, Final

from playwright.async_api import Page

AXE: Final = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
GRAVE: Final = {"serious", "critical"}


async def findings(page: Page) -> dict[str, list[str]]:
    """What axe-core finds wrong, of its two worst kinds: rule -> elements."""
    # Half-faded in, a text has less contrast than it will have.
    await page.emulate_media(reduced_motion="reduce")
    await page.evaluate(AXE)
    # Without frames: what a Mini App shows is its own, and axe's calls into it are refused.
    options = {"resultTypes": ["violations"], "iframes": False}
    report: dict[str, Any] = await page.evaluate("(options) => axe.run(options)", options)
    assert len(report["passes"]) > 10
    return {
        found["id"]: [node["html"] for node in found["nodes"]]
        for found in report["violations"]
        if found["impact"] in GRAVE
    }

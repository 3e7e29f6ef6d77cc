"""The product, running, for the tests that only look."""

import os
import shutil
import sys
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.e2e.town import Town, playground

CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """The playground with the bot in it, as ``make run`` starts them."""
    data = tmp_path_factory.mktemp("data")
    options = ("--name", "Kandinsky", "--bot", f"{sys.executable} -m bot")
    with playground(*options, DATA_DIR=str(data)) as (_, town):
        yield town


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium")
    if chromium is None and not os.environ.get("CI"):
        pytest.skip("no chromium here: apt-get install chromium")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_FLAGS)
        yield running
        running.close()


@pytest.fixture
def page(browser: Browser, town: Town) -> Iterator[Page]:
    """The chat page, opened; a complaint on its console fails the test."""
    page = browser.new_page(viewport={"width": 1180, "height": 900}, locale="en-US")
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(town.address)
    page.wait_for_selector("body[data-ready]")
    yield page
    page.close()
    assert complaints == []

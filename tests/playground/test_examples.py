"""The example bots, plain HTTP and nothing else, as real processes against a real playground."""

from pathlib import Path

import pytest

from tests.e2e.town import PYTHON, ROOT, TOKEN, eventually, playground

EXAMPLES = sorted((ROOT / "docs" / "examples").glob("*.py"))


def test_there_are_a_polling_bot_and_a_webhook_bot() -> None:
    assert [path.stem for path in EXAMPLES] == ["polling_bot", "webhook_bot"]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_answers(path: Path) -> None:
    with playground("--allow-http", "--bot", f"{PYTHON} {path}") as (_, town):
        for text in ("hello", "and again"):
            town.says(text)
            answer = f"You said: {text}"
            eventually(lambda: [m for m in town.from_bot() if m["text"] == answer], answer)  # noqa: B023


def test_a_playground_out_of_the_box_keeps_telegrams_rates() -> None:
    with playground() as (_, town):
        town.says("/start")
        chat = town.state()["people"][0]["id"]
        address = f"{town.address}/bot{TOKEN}/sendMessage"
        statuses = [
            town.client.post(address, json={"chat_id": chat, "text": str(n)}).status_code
            for n in range(10)
        ]
    assert statuses[:5] == [200] * 5
    assert statuses[-1] == 429

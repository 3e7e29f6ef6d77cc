"""The prompt step inside the engine: a device in this process, a language model over HTTP."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from pipelines.contracts import Drawn, OnStep, OutOfDeviceMemory, Output
from pipelines.engine import batch
from pipelines.engine.batch import Device
from pipelines.engine.wire import (
    BatchProgress,
    BatchRewording,
    JobFailed,
    JobFinished,
    JobWorded,
    Readiness,
    Report,
    RunBatch,
    Task,
)
from pipelines.profiles import Profile
from pipelines.prompting.chat import NO_ANSWER
from pipelines.prompting.endpoint import Endpoint
from pipelines.prompting.settings import PromptingSettings
from pipelines.registry import discover_modes
from pipelines.text_to_image import TextToImageRequest
from tests.pipelines.prompting.llm_server import LanguageServer, language_server, saying


class Desk:
    """A device with its reports, each with its jobs."""

    def __init__(self, profile: Profile, **prompting: Any) -> None:
        self.reports: list[Report] = []
        self.pngs: dict[int, bytes] = {}
        self.withdrawn: set[int] = set()
        settings = PromptingSettings.model_validate(prompting) if prompting else None
        self.device = Device(
            profile, discover_modes(), self.send, lambda _, job: job in self.withdrawn, settings
        )

    def send(self, report: Report, parts: Any) -> None:
        self.reports.append(report)
        if isinstance(report, JobFinished) and parts:
            self.pngs[report.job_id] = parts[0]

    def run(self, **wordings: str) -> None:
        """Draw the same sentence in one batch, each job ("job1") by its own wording."""
        tasks = [
            Task(job_id=int(name.removeprefix("job")), mode="text_to_image", request=ask(wording))
            for name, wording in wordings.items()
        ]
        self.device.run(RunBatch(batch=1, tasks=tasks))

    @property
    def story(self) -> list[str]:
        return [type(r).__name__ for r in self.reports if not isinstance(r, BatchProgress)]

    @property
    def words(self) -> dict[int, Drawn]:
        return {r.job_id: r.drawn for r in self.reports if isinstance(r, JobWorded)}


def ask(wording: str, prompt: str = "a cat") -> dict[str, Any]:
    sizes = {"width_px": 64, "height_px": 64, "quality": "flash", "seed": 3}
    return {"prompt": prompt, "wording": wording, **sizes}


@pytest.fixture
def server() -> Iterator[LanguageServer]:
    with language_server() as server:
        server.behave = saying("a red circle on a hill")
        yield server


@pytest.fixture
def desk(profile: Profile, server: LanguageServer, monkeypatch: pytest.MonkeyPatch) -> Desk:
    # However slow the machine, what is told again after a while is told once.
    monkeypatch.setattr(batch, "REWORDING_INTERVAL_S", 600.0)
    return Desk(profile, endpoint={"url": server.url, "model": "chatty"})


def test_the_words_are_settled_before_anything_is_drawn(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "REWORDING_INTERVAL_S", 600)  # told once, however slow the machine
    desk.run(job1="beautified")
    assert desk.story == [
        "BatchBegan",
        "BatchRewording",
        "JobWorded",
        "BatchBegan",
        "Readiness",
        "JobFinished",
    ]
    assert desk.words == {1: Drawn(words="a red circle on a hill")}


def test_what_is_drawn_are_the_new_words(desk: Desk, profile: Profile) -> None:
    desk.run(job1="beautified")
    desk.run(job2="as-typed")
    plain = Desk(profile)
    sentence = ask("as-typed", "a red circle on a hill")
    tasks = [Task(job_id=3, mode="text_to_image", request=sentence)]
    plain.device.run(RunBatch(batch=1, tasks=tasks))
    assert desk.pngs[1] == plain.pngs[3]
    assert desk.pngs[1] != desk.pngs[2]


def test_only_those_who_wait_for_the_model_are_told_so(desk: Desk) -> None:
    desk.run(job1="as-typed", job2="beautified")
    told = {tuple(r.jobs) for r in desk.reports if isinstance(r, BatchRewording)}
    assert told == {(2,)}


def test_without_a_language_model_nothing_changes(profile: Profile) -> None:
    plain = Desk(profile)
    plain.run(job1="beautified")
    plain.run(job2="as-typed")
    assert plain.words == {}
    assert plain.pngs[1] == plain.pngs[2]


def test_nobody_is_asked_where_nobody_wants_it(desk: Desk, server: LanguageServer) -> None:
    desk.run(job1="as-typed")
    desk.run(job2="translated")
    assert server.asked == []
    assert "BatchRewording" not in desk.story


def test_a_model_that_does_not_answer_costs_only_its_words(profile: Profile) -> None:
    lost = Desk(profile, endpoint={"url": "http://127.0.0.1:9/v1", "model": "m"})
    lost.run(job1="beautified")
    lost.run(job2="as-typed")
    assert lost.words == {1: Drawn(words="a cat", code=NO_ANSWER)}
    assert lost.pngs[1] == lost.pngs[2]


def test_weights_of_a_language_model_that_are_missing_cost_only_its_words(
    profile: Profile, tmp_path: Path
) -> None:
    lost = Desk(profile, weights_dir=tmp_path / "nowhere")
    lost.run(job1="beautified")
    assert lost.words == {1: Drawn(words="a cat", code=NO_ANSWER)}
    assert [r.state for r in lost.reports if isinstance(r, Readiness)] == ["ready"]
    assert lost.story[-1] == "JobFinished"


def test_a_language_model_that_breaks_in_an_unheard_of_way_costs_only_its_words(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_down(*_: object) -> None:
        raise IndexError("in a library")

    monkeypatch.setattr(Endpoint, "answers", break_down)
    desk.run(job1="beautified")
    assert desk.words == {1: Drawn(words="a cat", code=NO_ANSWER)}
    assert desk.story[-1] == "JobFinished"


def test_a_job_withdrawn_meanwhile_is_not_drawn(desk: Desk, server: LanguageServer) -> None:
    def answer(exchange: Any) -> None:
        desk.withdrawn.add(1)
        saying("a hill")(exchange)

    server.behave = answer
    desk.run(job1="beautified")
    assert [name for name in desk.story if name != "JobWorded"] == ["BatchBegan", "BatchRewording"]
    assert not any(isinstance(r, JobFailed) for r in desk.reports)


def test_the_model_is_not_asked_again_when_memory_was_short(
    desk: Desk, server: LanguageServer
) -> None:
    drawn: list[list[str]] = []

    def draw(requests: Sequence[TextToImageRequest], on_step: OnStep) -> dict[int, Output]:
        drawn.append([request.words for request in requests])
        if len(requests) > 1:
            raise OutOfDeviceMemory
        return {0: Output((), 0.1)}

    desk.device._pipelines["text_to_image"] = draw
    desk.run(job1="beautified", job2="beautified")
    assert [len(words) for words in drawn] == [2, 1, 1]
    assert {word for words in drawn for word in words} == {"a red circle on a hill"}
    assert len(server.asked) == 2


def test_a_long_wait_for_the_model_is_no_silence(
    desk: Desk, server: LanguageServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "REWORDING_INTERVAL_S", 0.05)

    def answer(exchange: Any) -> None:
        time.sleep(0.6)
        saying("a red circle")(exchange)

    server.behave = answer
    desk.run(job1="beautified")
    assert desk.story.count("BatchRewording") >= 3
    assert desk.words == {1: Drawn(words="a red circle")}

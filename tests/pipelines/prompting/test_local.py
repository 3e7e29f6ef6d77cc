import shutil
import time
from pathlib import Path

import pytest

from pipelines.kandinsky3 import load
from pipelines.profiles import load_profile
from pipelines.prompting.chat import ANSWER_MAX_TOKENS, Answer, Ask, NoAnswer, dialogue
from pipelines.prompting.local import LocalModel
from pipelines.weights import ComponentStore, WeightsError
from tests.pipelines.micro import make_store
from tests.pipelines.prompting.tiny_llm import save_random, save_reciting

ROOT = Path(__file__).parents[3]
FOX = Ask("beautify", "a fox")


@pytest.fixture(scope="module")
def random_llm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_random(tmp_path_factory.mktemp("random"))


@pytest.fixture(scope="module")
def reciting_llm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """It answers, and goes on for ever with what the user might say next."""
    tokens = ["a blue", " square\t", "##", "#", " User: more"]
    return save_reciting(tmp_path_factory.mktemp("reciting"), *tokens)


def answer(store: ComponentStore, folder: Path, ask: Ask = FOX, timeout_s: float = 60) -> object:
    [answered] = LocalModel(store, folder, timeout_s).answers([ask], lambda _: True)
    return answered


def test_the_dialogue_is_the_papers_to_the_letter() -> None:
    assert dialogue(FOX) == (
        "### System:\nYou are a prompt engineer. Your mission is to expand prompts written by "
        "user. You should provide the best prompt for text to image generation in English. \n"
        "### User:\na fox\n### Assistant:\n"
    )


def test_an_answer_ends_where_the_model_makes_up_the_users_words(
    store: ComponentStore, reciting_llm: Path
) -> None:
    assert answer(store, reciting_llm) == Answer("a blue square\t###", is_whole=True)


def test_a_model_that_never_ends_is_ended(store: ComponentStore, random_llm: Path) -> None:
    answered = answer(store, random_llm)
    assert isinstance(answered, Answer)
    assert not answered.is_whole
    assert 0 < len(answered.text) <= ANSWER_MAX_TOKENS


def test_the_same_sentence_has_the_same_answer_whoever_it_is_asked_with(
    store: ComponentStore, random_llm: Path
) -> None:
    alone = answer(store, random_llm)
    asks = [Ask("translate", "кот"), FOX, Ask("beautify", "a dog in the morning")]
    together = LocalModel(store, random_llm, 60).answers(asks, lambda _: True)
    assert together[1] == alone
    assert len(set(together)) == 3


def test_an_answer_has_a_deadline(store: ComponentStore, random_llm: Path) -> None:
    answer(store, random_llm)
    started_s = time.monotonic()
    assert answer(store, random_llm, timeout_s=0.01) == NoAnswer()
    assert time.monotonic() - started_s < 1


def test_an_answer_nobody_wants_any_more_is_given_up_at_the_next_token(
    store: ComponentStore, random_llm: Path
) -> None:
    looks: list[int] = []

    def is_wanted(index: int) -> bool:
        looks.append(index)
        return index == 1 or looks.count(0) < 5

    asks = [FOX, Ask("beautify", "a dog")]
    first, second = LocalModel(store, random_llm, 60).answers(asks, is_wanted)
    assert first == NoAnswer()
    assert isinstance(second, Answer)
    assert looks.count(0) == 5


def test_the_model_is_a_component_like_any_other(weights_dir: Path, random_llm: Path) -> None:
    store = make_store(weights_dir)
    answer(store, random_llm)
    assert store.resident == (f"language model {random_llm.name}",)
    size_bytes = store.resident_bytes
    assert 0 < size_bytes < (random_llm / "model.safetensors").stat().st_size

    tight = make_store(weights_dir, memory_bytes=size_bytes + 1000)
    answer(tight, random_llm)
    tight.get(load.TEXT_ENCODER)
    assert tight.evictions == 1
    assert tight.resident == (load.TEXT_ENCODER.name,)
    answer(tight, random_llm)  # and it comes back
    assert tight.resident == (f"language model {random_llm.name}",)


def test_files_that_are_missing_or_broken_are_named(
    store: ComponentStore, random_llm: Path, tmp_path: Path
) -> None:
    with pytest.raises(WeightsError, match="nowhere"):
        answer(make_store(store.profile.weights_dir), tmp_path / "nowhere")
    published = make_store(store.profile.weights_dir)
    hub = load_profile(ROOT / "config.yaml", "kandinsky3").hub
    published.profile = published.profile.model_copy(update={"hub": hub})
    with pytest.raises(WeightsError) as failed:
        answer(published, tmp_path / "nowhere")
    assert "fetch" not in str(failed.value)  # which gets Kandinsky, and no language model
    broken = tmp_path / "broken"
    shutil.copytree(random_llm, broken)
    (broken / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(WeightsError, match="broken"):
        answer(make_store(store.profile.weights_dir), broken)
    (broken / "model.safetensors").unlink()
    (broken / "pytorch_model.bin").write_bytes(b"a pickle, never opened")
    with pytest.raises(WeightsError, match="broken"):
        answer(make_store(store.profile.weights_dir), broken)

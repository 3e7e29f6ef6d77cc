from collections.abc import Sequence
from typing import Any

import pytest

from pipelines.contracts import Drawn, Request
from pipelines.kandinsky3.load import TOKENIZER
from pipelines.prompting.chat import NEGATIVE_AS_TYPED, NO_ANSWER, REFUSED, SYSTEM, UNUSABLE
from pipelines.prompting.settings import PromptingSettings
from pipelines.prompting.step import PromptStep
from pipelines.style_transfer import StyleTransferRequest
from pipelines.text_to_image import TextToImageRequest
from pipelines.weights import ComponentStore
from tests.pipelines.prompting.llm_server import Exchange, LanguageServer, responding, saying

LONG = (
    "A red fox sits at a small round table in an old café and reads the morning newspaper. "
    "Its fur glows in the warm light that falls through tall windows, while dust dances slowly in "
    "the air. On the table there is a white cup of steaming coffee, a silver spoon, and half of a "
    "croissant on a blue plate. Behind it a waiter in a black apron polishes glasses at a long "
    "wooden bar with brass lamps. The walls are covered with faded posters, mirrors and shelves "
    "full of bottles. Outside, blurred by rain, people with umbrellas hurry along a narrow lane. "
    "Shot on film, shallow depth of field, soft shadows, rich and muted colours, great detail. "
) * 2


class Sketch(Request):
    """A request without words."""

    @property
    def batch_key(self) -> str:
        return "sketch"


def asking(prompt: str = "a fox", wording: str = "beautified", **more: Any) -> TextToImageRequest:
    fields = {"seed": 1, "width_px": 64, "height_px": 64, "quality": "flash", **more}
    return TextToImageRequest.model_validate({"prompt": prompt, "wording": wording, **fields})


@pytest.fixture
def step(server: LanguageServer, store: ComponentStore) -> PromptStep:
    endpoint = {"url": server.url, "model": "chatty"}
    return PromptStep.open(PromptingSettings.model_validate({"endpoint": endpoint}), store)


def settle(step: PromptStep, *requests: Request) -> dict[int, Drawn]:
    return step(requests, lambda _: True, lambda _: None)


def test_typed_words_become_the_models(step: PromptStep, server: LanguageServer) -> None:
    server.behave = saying('Here is the prompt:\n"A blue square, soft light."')
    assert settle(step, asking()) == {0: Drawn(words="A blue square, soft light.")}
    assert server.asked[0]["messages"][0]["content"] == SYSTEM["beautify"].strip()


def test_words_that_nobody_typed_are_not_asked_for(
    step: PromptStep, server: LanguageServer
) -> None:
    shown = {"images": ({"key": "0" * 64},) * 2, "seed": 1, "width_px": 64, "height_px": 64}
    request = StyleTransferRequest.model_validate({**shown, "wording": "beautified"})
    assert settle(step, request) == {}
    assert server.asked == []
    server.behave = saying("people")
    negative = request.model_copy(update={"negative_prompt": "люди"})
    assert settle(step, negative) == {0: Drawn(words="", negative_words="people")}


def test_what_the_encoder_reads_is_translated_for_nobody(
    step: PromptStep, server: LanguageServer
) -> None:
    assert settle(step, asking("a red circle on a hill", "translated")) == {}
    assert server.asked == []


def test_what_the_encoder_cannot_read_is_translated_and_no_more(
    step: PromptStep, server: LanguageServer
) -> None:
    server.behave = saying("a red circle")
    assert settle(step, asking("красный круг", "translated")) == {0: Drawn(words="a red circle")}
    assert server.asked[0]["messages"][0]["content"] == SYSTEM["translate"].strip()


def test_a_profile_says_which_languages_its_encoder_reads(
    server: LanguageServer, store: ComponentStore
) -> None:
    bilingual = store.profile.model_copy(update={"prompt_languages": ("en", "ru")})
    other = ComponentStore(bilingual, store.device)
    settings = PromptingSettings.model_validate({"endpoint": {"url": server.url, "model": "m"}})
    step = PromptStep.open(settings, other)
    assert settle(step, asking("красный круг на синем фоне", "translated")) == {}
    assert settle(step, asking("ein roter Kreis auf blauem Grund", "translated")) != {}


def test_who_wants_their_own_words_is_drawn_by_them(
    step: PromptStep, server: LanguageServer
) -> None:
    settled = asking(drawn=Drawn(words="a vixen"))
    assert settle(step, asking("лиса", "as-typed"), settled, Sketch(seed=1)) == {}
    assert server.asked == []
    assert [asking().words, settled.words] == ["a fox", "a vixen"]


def translating(exchange: Exchange) -> None:
    """Answer by the task and the sentence, as a language model would."""
    is_translation = exchange.asked["messages"][0]["content"] == SYSTEM["translate"].strip()
    english = {"лиса": "a fox", "люди": "people, crowds"}.get(exchange.sentence)
    saying(english if is_translation else f"a painting of {exchange.sentence}")(exchange)


@pytest.mark.parametrize(
    ("prompt", "wording", "words"),
    [
        ("a fox", "translated", "a fox"),
        ("лиса", "translated", "a fox"),
        ("a fox", "beautified", "a painting of a fox"),
    ],
)
def test_what_is_to_be_left_out_is_translated_too(
    step: PromptStep, server: LanguageServer, prompt: str, wording: str, words: str
) -> None:
    server.behave = translating
    request = asking(prompt, wording, negative_prompt="люди")
    drawn = settle(step, request)[0]
    assert drawn == Drawn(words=words, negative_words="people, crowds")
    settled = request.model_copy(update={"drawn": drawn})
    assert settled.negative_words == "people, crowds"
    assert settled.again(7).negative_words == "people, crowds"
    assert settled.as_typed().negative_words == "люди"


def test_what_is_to_be_left_out_is_never_improved(
    step: PromptStep, server: LanguageServer
) -> None:
    drawn = settle(step, asking(negative_prompt="text, watermark"))[0]
    assert drawn.negative_words is None
    assert [asked["messages"][1]["content"] for asked in server.asked] == ["a fox"]
    typed = asking("лиса", "as-typed", negative_prompt="люди")
    assert settle(step, typed) == {}
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("fails", "drawn"),
    [
        ("люди", Drawn(words="a fox", code=NEGATIVE_AS_TYPED)),
        ("лиса", Drawn(words="лиса", negative_words="people, crowds", code=NO_ANSWER)),
    ],
)
def test_of_two_answers_one_may_fail(
    step: PromptStep, server: LanguageServer, fails: str, drawn: Drawn
) -> None:
    server.behave = lambda exchange: (
        exchange.cut() if exchange.sentence == fails else translating(exchange)
    )
    request = asking("лиса", "translated", negative_prompt="люди")
    assert settle(step, request) == {0: drawn}


def test_of_a_batch_only_those_are_asked_for_that_need_it(
    step: PromptStep, server: LanguageServer
) -> None:
    server.behave = lambda exchange: saying(f"a painting of {exchange.sentence}")(exchange)
    begun: list[Sequence[int]] = []
    batch = [asking("one cat"), asking("a hill", "as-typed"), Sketch(seed=1), asking("two dogs")]
    drawn = step(batch, lambda _: True, begun.append)
    assert {index: words.words for index, words in drawn.items()} == {
        0: "a painting of one cat",
        3: "a painting of two dogs",
    }
    assert begun == [[0, 3]]
    step([asking("a hill", "as-typed")], lambda _: True, begun.append)
    assert len(begun) == 1  # nobody is told of work that there is not


@pytest.mark.parametrize("style", ["none", "anime", "glamorous"])
def test_an_answer_is_cut_to_what_the_encoder_reads_with_its_style(
    step: PromptStep, server: LanguageServer, store: ComponentStore, style: str
) -> None:
    server.behave = saying(LONG)
    request = asking(style=style)
    words = settle(step, request)[0].words
    tokens = store.get(TOKENIZER)([request.sentence(words)])["input_ids"][0]
    assert 64 < len(tokens) <= 128
    assert LONG.startswith(words)
    assert words.endswith(".") or LONG[len(words)] == ","
    longer = LONG[: len(words) + 200]
    assert len(store.get(TOKENIZER)([request.sentence(longer)])["input_ids"][0]) > 128


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("I'm sorry, I cannot help with that.", REFUSED),
        ("", UNUSABLE),
        ("Рыжая лиса читает газету в старом кафе", UNUSABLE),
        ("Ein roter Fuchs liest eine Zeitung in einem alten Wirtshaus", UNUSABLE),
        ("the the the the the the the the the the the the the", UNUSABLE),
    ],
)
def test_an_answer_that_cannot_be_drawn_leaves_the_typed_words(
    step: PromptStep, server: LanguageServer, said: str, code: str
) -> None:
    server.behave = saying(said)
    assert settle(step, asking()) == {0: Drawn(words="a fox", code=code)}


def test_a_server_in_trouble_leaves_the_typed_words(
    step: PromptStep, server: LanguageServer
) -> None:
    server.behave = responding(b"", 500)
    assert settle(step, asking(), asking("a dog")) == {
        0: Drawn(words="a fox", code=NO_ANSWER),
        1: Drawn(words="a dog", code=NO_ANSWER),
    }


def test_who_left_meanwhile_is_left_out(step: PromptStep, server: LanguageServer) -> None:
    left: set[int] = set()

    def answer(exchange: Any) -> None:
        left.add(0)
        saying("a blue square")(exchange)

    server.behave = answer
    drawn = step([asking(), asking()], lambda index: index not in left, lambda _: None)
    assert set(drawn) <= {1}


def test_asking_again_keeps_the_words_unless_there_were_none() -> None:
    answered, failed = Drawn(words="a vixen"), Drawn(words="a fox", code=NO_ANSWER)
    assert asking(drawn=answered).again(7).drawn == answered
    assert asking(drawn=failed).again(7).drawn is None
    assert asking(drawn=answered).again(7).seed == 7
    typed = asking(drawn=answered).as_typed()
    assert (typed.words, typed.wording, typed.seed) == ("a fox", "as-typed", 1)

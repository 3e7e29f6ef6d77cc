from dataclasses import replace

import pytest
from aiogram.types import InlineKeyboardMarkup
from hypothesis import given
from hypothesis import strategies as st

from bot import cards, drawing
from bot.cards import ModeCard
from bot.flows import discover_flows
from bot.jobs.ports import Running, Waiting
from bot.prompts import utf16_length
from bot.texts import Languages, Texts
from pipelines.contracts import Drawn, ImageBlob, ImageRequest
from pipelines.image_fusion import ImageFusionRequest
from pipelines.image_variations import ImageVariationsRequest
from pipelines.profiles import Profile
from pipelines.prompting.chat import NEGATIVE_AS_TYPED, UNUSABLE
from pipelines.style_transfer import StyleTransferRequest
from pipelines.text_image_fusion import TextImageFusionRequest
from pipelines.text_to_image import TextToImageRequest
from storage.jobs import Job, JobResult, ResultPicture
from tests.building import PROFILE

LANGUAGES = Languages()
KNOWING = Profile.model_validate({**PROFILE, "knows": "anything"})
LEADS = [flow.lead for flow in discover_flows() if flow.lead]
MODE = replace(drawing.card(KNOWING), leads=LEADS)
SIZE = {"width_px": 128, "height_px": 128, "seed": 7}
BLOBS = tuple(ImageBlob(key=digit * 64) for digit in "abcd")
FROM_PICTURES: dict[str, ImageRequest] = {
    "image_variations": ImageVariationsRequest(images=BLOBS[:1], likeness="close", **SIZE),
    "image_fusion": ImageFusionRequest(images=BLOBS, weights=(5, 1, 3, 4), **SIZE),
    "text_image_fusion": TextImageFusionRequest(
        images=BLOBS[:2], prompt="x" * 1000, negative_prompt="y" * 1000, style="anime", **SIZE
    ),
    "style_transfer": StyleTransferRequest(images=BLOBS[:1], style="anime", **SIZE),
}
PICTURE = ResultPicture("p", "j", 7, 128, 128)


def job(prompt: str = "a fox", negative: str = "", n: int = 1, drawn: Drawn | None = None) -> Job:
    request = TextToImageRequest(
        prompt=prompt,
        negative_prompt=negative,
        style="anime",
        width_px=128,
        height_px=128,
        quality="base",
        n=n,
        drawn=drawn,
        seed=7,
    )
    pictures = tuple(replace(PICTURE, seed=7 + i) for i in range(n))
    return Job(
        id=2**62,
        origin="o",
        user_id=1,
        chat_id=1,
        thread_id=None,
        reply_to_message_id=None,
        language="en",
        mode="text_to_image",
        request=request.model_dump_json(),
        batch_key="k",
        pictures=n,
        cost=n,
        state="done",
        attempts=1,
        crashes=0,
        created_at=0,
        started_at=0,
        finished_at=0,
        error_code=None,
        result=JobResult(pictures, 12.2),
        card=None,
        told=False,
    )


@pytest.mark.parametrize(
    ("quality", "line"),
    [
        ("base", "without: люди\n🪄 without: people"),
        ("flash", "without: люди (no effect in flash quality)"),
    ],
)
def test_a_caption_is_honest_about_what_was_left_out(quality: str, line: str) -> None:
    drawn = job(negative="люди", drawn=Drawn(words="a fox", negative_words="people"))
    request = drawing.request_of(drawn).model_copy(update={"quality": quality})
    shown = replace(drawn, request=request.model_dump_json())
    text, _ = cards.picture(shown, MODE, LANGUAGES["en"]).body.render()
    assert text.endswith(f"\nstyle: anime\n{line}")


def every_view(shown: Job, texts: Texts, mode: ModeCard = MODE) -> list[cards.CardView]:
    return [
        *(
            cards.in_progress(shown, state, mode, texts)
            for state in (
                *(Waiting(0, 5), Waiting(3, 500), None),
                *(Running(1, 3, None), Running(0, 1, None, is_rewording=True)),
            )
        ),
        cards.picture(shown, mode, texts),
        *(
            cards.album_control(shown, fate, mode, texts)
            for fate in ("album-sent", "album-unknown", "expired")
        ),
        cards.expired(shown, mode, texts),
        cards.refused(shown, mode, texts),
        cards.failed(replace(shown, state="cancelled"), mode, texts),
        cards.failed(replace(shown, state="failed", error_code="error-unsupported"), mode, texts),
    ]


def views_of_every_mode(texts: Texts) -> list[cards.CardView]:
    """Every view of text to image, and of every mode that starts from pictures."""
    views = every_view(job(n=4), texts)
    flows = {flow.mode: flow for flow in discover_flows()}
    for mode, request in FROM_PICTURES.items():
        card = replace(flows[mode].card(KNOWING), leads=LEADS)
        shown = replace(job(n=4), mode=mode, request=request.model_dump_json())
        views += every_view(shown, texts, card)
    return views


def test_every_mode_of_pictures_is_looked_at() -> None:
    assert sorted(FROM_PICTURES) == sorted(lead.mode for lead in LEADS)


@pytest.mark.parametrize("language", LANGUAGES.names)
def test_the_card_of_every_mode_fits_into_a_caption(language: str) -> None:
    for view in views_of_every_mode(LANGUAGES[language]):
        text, entities = view.body.render()
        assert utf16_length(text) <= cards.CAPTION_LIMIT
        assert {entity.type for entity in entities} == {"expandable_blockquote"}


def data_of(markup: InlineKeyboardMarkup) -> list[str]:
    return [b.callback_data or "" for row in markup.inline_keyboard for b in row]


@given(
    prompt=st.text(st.characters(categories=["L", "So", "M"]), min_size=1, max_size=1000),
    negative=st.text(st.characters(categories=["L", "So"]), max_size=1000),
    drawn=st.none()
    | st.builds(
        Drawn,
        words=st.text("дa🦊 ", min_size=1, max_size=4000),
        negative_words=st.none() | st.text("дa🦊 ", min_size=1, max_size=4000),
        code=st.sampled_from([None, UNUSABLE, NEGATIVE_AS_TYPED]),
    ),
    language=st.sampled_from(LANGUAGES.names),
)
def test_whatever_is_typed_and_drawn_every_view_fits_into_a_caption(
    prompt: str, negative: str, drawn: Drawn | None, language: str
) -> None:
    for view in every_view(job(prompt, negative, 4, drawn), LANGUAGES[language]):
        text, entities = view.body.render()
        assert utf16_length(text) <= cards.CAPTION_LIMIT
        assert {entity.type for entity in entities} == {"expandable_blockquote"}
        assert len(entities) <= 2


def test_every_button_fits_into_what_telegram_carries() -> None:
    for view in views_of_every_mode(LANGUAGES["ru"]):
        assert all(1 <= len(data.encode()) <= 64 for data in data_of(view.keyboard))


def test_a_result_says_how_it_was_made() -> None:
    text, _ = cards.picture(job(negative="text"), MODE, LANGUAGES["en"]).body.render()
    assert text == "a fox\nseed 7 · 128×128 · base · 13 s\nstyle: anime\nwithout: text"


@pytest.mark.parametrize(
    ("share", "drawn"), [(0, "▱" * 10), (0.5, "▰" * 5 + "▱" * 5), (1, "▰" * 10)]
)
def test_the_bar_grows_with_the_share(share: float, drawn: str) -> None:
    assert cards.bar(share) == drawn


def test_a_code_without_words_is_told_as_a_fault_of_ours() -> None:
    failed = replace(job(), state="failed", error_code="error-from-the-future")
    text, _ = cards.failed(failed, MODE, LANGUAGES["en"]).body.render()
    assert text.endswith("Something broke on our side while drawing. Please try again.")


@pytest.mark.parametrize("language", LANGUAGES.names)
def test_no_button_is_cut_on_a_phone(language: str) -> None:
    texts = LANGUAGES[language]
    for view in views_of_every_mode(texts):
        for row in view.keyboard.inline_keyboard:
            assert len(row) <= 4
            assert all(len(button.text) * len(row) <= 36 for button in row), row


def test_leads_stand_under_pictures_and_under_nothing_else() -> None:
    texts = LANGUAGES["en"]
    label = texts(LEADS[0].label)
    shown = [
        any(button.text == label for row in view.keyboard.inline_keyboard for button in row)
        for view in every_view(job(n=4), texts)
    ]
    assert shown == [*([False] * 5), True, True, True, *([False] * 5)]


def test_the_moment_before_the_picture_cannot_be_cancelled() -> None:
    assert data_of(cards.in_progress(job(), None, MODE, LANGUAGES["en"]).keyboard) == []

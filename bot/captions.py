"""The lines below a finished picture that several modes have: how it was made."""

from typing import Final

from bot.prompts import shortened
from bot.texts import Texts
from pipelines.contracts import WordedRequest
from pipelines.requests import DrawingRequest
from pipelines.styles import NO_STYLE
from storage.jobs import Job

_NEGATIVE_SHOWN_CHARS: Final = 100


def how_made(job: Job, request: DrawingRequest, how: str, texts: Texts) -> str:
    """Say seed, size and seconds, and ``how``: what of the mode's own was chosen."""
    seeds = [str(picture.seed) for picture in job.result.pictures] if job.result else []
    return texts(
        "card-details",
        seed=seeds[0] if len(seeds) == 1 else f"{seeds[0]}…{seeds[-1]}",
        width_px=str(request.width_px),
        height_px=str(request.height_px),
        how=how,
        seconds=job.result.seconds if job.result else 0,
    )


def in_style(style: str, texts: Texts) -> list[str]:
    """Name the style, if there is one."""
    return [texts("card-style", style=texts(f"style-{style}"))] if style != NO_STYLE else []


def left_out(request: WordedRequest, texts: Texts) -> list[str]:
    """Say what was to be kept out of the picture, as typed and as translated."""
    if not request.negative_prompt:
        return []
    lines = [texts("card-negative", negative=_short(request.negative_prompt))]
    if request.negative_words != request.negative_prompt:
        lines.append(texts("card-negative-drawn", negative=_short(request.negative_words)))
    return lines


def left_out_in_vain(request: WordedRequest, texts: Texts) -> list[str]:
    """Likewise where the model has no guidance, and thus no use for it."""
    if not request.negative_prompt:
        return []
    return [texts("card-negative-unheeded", negative=_short(request.negative_prompt))]


def _short(negative: str) -> str:
    return shortened(negative, _NEGATIVE_SHOWN_CHARS)

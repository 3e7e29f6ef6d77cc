"""Which of the 1000 timesteps of training the samplers visit; no torch, as recipes count them."""

from collections.abc import Sequence
from typing import Final

TRAIN_STEPS: Final = 1000
FLASH_TIMESTEPS: Final = (979, 729, 479, 229)
"""Source: ai-forever/Kandinsky-3, `t2i_pipeline.py:56-57`."""

REFINER_TIMESTEPS: Final = FLASH_TIMESTEPS[2:]
"""Source: ai-forever/KandiSuperRes, `model/diffusion_refine.py:57-65`."""


def timesteps(steps: int) -> list[int]:
    """Space ``steps`` timesteps over the 1000 of training, the noisiest first.

    The same as the reference's where ``steps`` divides 1000 (50: 999, 979, ..., 19). Elsewhere the
    reference gives one step more or less than asked; this gives exactly as many as asked.

    Source: ai-forever/Kandinsky-3, `t2i_pipeline.py:55`; spacing "trailing" of diffusers.
    """
    return [round(TRAIN_STEPS - index * TRAIN_STEPS / steps) - 1 for index in range(steps)]


def tail(spaced: Sequence[int], strength: float) -> list[int]:
    """Leave the last of the timesteps: those by which a given picture is drawn anew.

    Args:
        spaced: all that a picture is drawn with from noise, the noisiest first.
        strength: (0, 1], the share of them to make, rounded down as diffusers does; one is made
            in any case. The less, the more is left of the given picture.

    Source: diffusers, `pipeline_kandinsky3_img2img.py`, `get_timesteps`.
    """
    return list(spaced)[-max(1, min(int(len(spaced) * strength), len(spaced))) :]

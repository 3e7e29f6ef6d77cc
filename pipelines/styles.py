"""Styles: words added to a prompt. The table is ``styles.yaml``."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

import yaml

NO_STYLE: Final = "none"


def _read(path: Path) -> Mapping[str, str]:
    return MappingProxyType(yaml.safe_load(path.read_text(encoding="utf-8")))


STYLES: Final = _read(Path(__file__).with_name("styles.yaml"))
"""A style's code -> what it adds to the prompt."""


def with_style(prompt: str, style: str) -> str:
    """Add a style's words to the prompt; ``none`` adds nothing.

    Raises:
        KeyError: there is no such style.
    """
    suffix = STYLES[style]
    return f"{prompt}, {suffix}" if suffix else prompt

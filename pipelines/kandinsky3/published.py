"""All that can be fetched for a Kandinsky 3; another published source is one more part."""

from typing import Final

from pipelines.kandinsky3 import convert, convert_adapter, convert_controlnet

PARTS: Final = (*convert.PARTS, *convert_adapter.PARTS, *convert_controlnet.PARTS)

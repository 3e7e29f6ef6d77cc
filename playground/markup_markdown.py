"""Telegram's MarkdownV2 and its older Markdown, with their own error sentences."""

import re
from dataclasses import dataclass
from typing import Final

from playground.errors import ApiError, bad_request
from playground.text import Entity

_RESERVED: Final = frozenset("_*[]()~`>#+-=|{}.!")
_SIMPLE: Final = (
    ("||", "spoiler", "Spoiler"),
    ("__", "underline", "Underline"),
    ("*", "bold", "Bold"),
    ("_", "italic", "Italic"),
    ("~", "strikethrough", "Strikethrough"),
)
_LANGUAGE: Final = re.compile(r"([\w+#.-]+)\n")


@dataclass
class _Open:
    marker: str
    type: str
    name: str
    start: int
    position: int


def _cannot_parse(sentence: str) -> ApiError:
    return bad_request(f"can't parse entities: {sentence}")


class _MarkdownV2:
    """One pass over the source; entities nest, so open ones wait on a stack."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.position = 0
        self.text: list[str] = []
        self.stack: list[_Open] = []
        self.entities: list[Entity] = []
        self.quote_start: int | None = None

    def parse(self) -> tuple[str, list[Entity]]:
        while self.position < len(self.source):
            if not self._quote_edge():
                self._step()
        if self.quote_start is not None:
            self._end_quote()
        if self.stack:
            raise self._endless(self.stack[-1].name, self.stack[-1].position)
        return "".join(self.text), self.entities

    def _step(self) -> None:
        source, here = self.source, self.position
        char = source[here]
        if char == "\\" and here + 1 < len(source) and 0 < ord(source[here + 1]) <= 126:
            self._put(source[here + 1], 2)
        elif char == "`":
            self._code()
        elif char == "[" or source.startswith("![", here):
            self._open_link()
        elif char == "]" and any(opened.marker == "[" for opened in self.stack):
            self._close_link()
        elif not self._simple():
            if char in _RESERVED:
                raise _cannot_parse(
                    f"Character '{char}' is reserved and must be escaped with the preceding '\\'"
                )
            self._put(char, 1)

    def _put(self, char: str, width: int) -> None:
        self.text.append(char)
        self.position += width

    def _byte_offset(self, position: int) -> int:
        return len(self.source[:position].encode())

    def _endless(self, name: str, position: int) -> ApiError:
        byte_offset = self._byte_offset(position)
        return _cannot_parse(f"Can't find end of {name} entity at byte offset {byte_offset}")

    def _simple(self) -> bool:
        for marker, kind, name in _SIMPLE:
            if not self.source.startswith(marker, self.position):
                continue
            if self.stack and self.stack[-1].marker == marker:
                self._add(kind, self.stack.pop().start)
            elif marker == "||" and self._expandable_end():
                return True
            else:
                here = _Open(marker, kind, name, len(self.text), self.position)
                self.stack.append(here)
            self.position += len(marker)
            return True
        return False

    def _add(self, kind: str, start: int, **details: str) -> None:
        self.entities.append(Entity(kind, start, len(self.text) - start, **details))

    def _code(self) -> None:
        marker = "```" if self.source.startswith("```", self.position) else "`"
        kind, name = ("pre", "Pre") if marker == "```" else ("code", "Code")
        opening, start = self.position, len(self.text)
        self.position += len(marker)
        details = {}
        language = _LANGUAGE.match(self.source, self.position) if marker == "```" else None
        if language:
            details["language"] = language[1]
            self.position = language.end()
        while not self.source.startswith(marker, self.position):
            if self.position >= len(self.source):
                raise self._endless(name, opening)
            escaped = self.source[self.position] == "\\" and self.position + 1 < len(self.source)
            self._put(self.source[self.position + escaped], 1 + escaped)
        self.position += len(marker)
        self._add(kind, start, **details)

    def _open_link(self) -> None:
        emoji = self.source[self.position] == "!"
        kind, name = ("custom_emoji", "CustomEmoji") if emoji else ("text_link", "TextUrl")
        self.stack.append(_Open("[", kind, name, len(self.text), self.position))
        self.position += 2 if emoji else 1

    def _close_link(self) -> None:
        opened = self.stack.pop()
        if opened.marker != "[":
            raise self._endless(opened.name, opened.position)
        match = re.compile(r"\]\(((?:\\.|[^\\)])*)\)", re.DOTALL).match(self.source, self.position)
        if match is None:
            if self.source.startswith("](", self.position):
                byte_offset = self._byte_offset(self.position)
                raise _cannot_parse(f"Can't find end of a URL at byte offset {byte_offset}")
            self.position += 1
            return
        url = re.sub(r"\\(.)", r"\1", match[1])
        self.position = match.end()
        if opened.type == "text_link":
            self._add("text_link", opened.start, url=url)
        else:
            self._add("custom_emoji", opened.start, custom_emoji_id=url.rpartition("=")[2])

    def _quote_edge(self) -> bool:
        """Begin or end a block quotation; quotes are known by how their lines begin."""
        at_line_start = self.position == 0 or self.source[self.position - 1] == "\n"
        if not at_line_start:
            return False
        marker = next((m for m in ("**>", ">") if self.source.startswith(m, self.position)), None)
        if marker is None:
            if self.quote_start is not None:
                self._end_quote()
            return False
        if self.quote_start is None or marker == "**>":
            if self.quote_start is not None:
                self._end_quote()
            self.quote_start = len(self.text)
        self.position += len(marker)
        return True

    def _expandable_end(self) -> bool:
        rest = self.source[self.position + 2 : self.position + 3]
        ends = self.source.startswith("||", self.position) and rest in {"", "\n"}
        if not ends or self.quote_start is None:
            return False
        self.position += 2
        self._end_quote("expandable_blockquote")
        return True

    def _end_quote(self, kind: str = "blockquote") -> None:
        if self.quote_start is not None:
            length = len("".join(self.text[self.quote_start :]).rstrip("\n"))
            self.entities.append(Entity(kind, self.quote_start, length))
        self.quote_start = None


def parse_markdown_v2(source: str) -> tuple[str, list[Entity]]:
    """Split MarkdownV2 into text and entities with offsets in code points.

    Raises:
        ApiError: `can't parse entities: ...` for an unescaped or unclosed marker.
    """
    return _MarkdownV2(source).parse()


def parse_markdown(source: str) -> tuple[str, list[Entity]]:
    """Split the older Markdown (`*`, `_`, backquotes, links; nothing nests).

    Raises:
        ApiError: `can't parse entities: ...` for an unclosed marker.
    """
    text: list[str] = []
    entities: list[Entity] = []
    position = 0
    kinds = {"*": "bold", "_": "italic", "`": "code", "```": "pre"}
    while position < len(source):
        char = source[position]
        if char == "\\" and source[position + 1 : position + 2] in {"_", "*", "`", "["}:
            text.append(source[position + 1])
            position += 2
            continue
        link = _link(source, position) if char == "[" else None
        marker = "```" if source.startswith("```", position) else char
        if link:
            label, url, position = link
            entities.append(Entity("text_link", len(text), len(label), url=url))
            text.extend(label)
        elif marker in kinds:
            end = source.find(marker, position + len(marker))
            if end < 0:
                offset = len(source[:position].encode())
                raise _cannot_parse(
                    f"Can't find end of the entity starting at byte offset {offset}"
                )
            inner = source[position + len(marker) : end]
            entities.append(Entity(kinds[marker], len(text), len(inner)))
            text.extend(inner)
            position = end + len(marker)
        else:
            text.append(char)
            position += 1
    return "".join(text), entities


def _link(source: str, start: int) -> tuple[str, str, int] | None:
    """Read `[label](url)`; gives both and where it ends.

    Searched for and not matched: a pattern takes seconds where thousands of brackets stay open.
    """
    middle = source.find("]", start)
    if middle < 0 or source[middle + 1 : middle + 2] != "(":
        return None
    end = source.find(")", middle)
    return (source[start + 1 : middle], source[middle + 2 : end], end + 1) if end > 0 else None

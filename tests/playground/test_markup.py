import time

import pytest

from playground.errors import ApiError
from playground.markup import caption, formatted, message_text
from playground.text import MAX_ENTITIES, MAX_RAW_BYTES, utf16_length

Marks = list[tuple[str, int, int]]


def marks(text: str, mode: str) -> tuple[str, Marks]:
    result = formatted(text, mode, None)
    return result.text, [(found.type, found.offset, found.length) for found in result.entities]


@pytest.mark.parametrize(
    ("source", "text", "expected"),
    [
        ("<b>bold</b>", "bold", [("bold", 0, 4)]),
        ("<i><u>x</u></i>", "x", [("italic", 0, 1), ("underline", 0, 1)]),
        ("a &lt;b&gt; &amp; &quot;&#65;&#x42;", 'a <b> & "AB', []),
        ("&copy; stays", "&copy; stays", []),
        ("😀<b>x</b>", "😀x", [("bold", 2, 1)]),
        ('<pre><code class="language-py">x</code></pre>', "x", [("pre", 0, 1)]),
        ("<blockquote expandable>q</blockquote>", "q", [("expandable_blockquote", 0, 1)]),
        ('<span class="tg-spoiler">s</span>', "s", [("spoiler", 0, 1)]),
        ('<a href="https://e.com/?a=1&amp;b=2">l</a>', "l", [("text_link", 0, 1)]),
        ("  <b> x </b>  ", "x", [("bold", 0, 1)]),
        ("<b></b>x", "x", []),
    ],
)
def test_html_becomes_text_and_entities(source: str, text: str, expected: Marks) -> None:
    assert marks(source, "HTML") == (text, expected)


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("<b>x", 'Can\'t find end tag corresponding to start tag "b"'),
        ("<b><i>x</b></i>", 'Unmatched end tag at byte offset 7, expected "</i>", found "</b>"'),
        ("é<table>", 'Unsupported start tag "table" at byte offset 2'),
        ("x</b>", "Unexpected end tag at byte offset 1"),
        ("1 < 2", "Unclosed start tag at byte offset 2"),
        ("<span>x</span>", 'Tag "span" must have class "tg-spoiler" at byte offset 0'),
    ],
)
def test_broken_html_is_named_as_telegram_names_it(source: str, sentence: str) -> None:
    with pytest.raises(ApiError) as caught:
        formatted(source, "HTML", None)
    assert caught.value.description == f"Bad Request: can't parse entities: {sentence}"


@pytest.mark.parametrize(
    ("source", "text", "expected"),
    [
        (
            "*b* _i_ __u__ ~s~ ||p||",
            "b i u s p",
            ["bold", "italic", "underline", "strikethrough", "spoiler"],
        ),
        ("`a*b`", "a*b", ["code"]),
        ("```py\nx = 1\n```", "x = 1", ["pre"]),
        (r"1\. \*not\*", "1. *not*", []),
        ("[l](https://e.com/a_b)", "l", ["text_link"]),
        (">one\n>two\nafter", "one\ntwo\nafter", ["blockquote"]),
        ("**>hidden\n>more||", "hidden\nmore", ["expandable_blockquote"]),
        ("![👍](tg://emoji?id=5)", "👍", ["custom_emoji"]),
        ("*b _i_*", "b i", ["bold", "italic"]),
    ],
)
def test_markdown_v2_becomes_text_and_entities(
    source: str, text: str, expected: list[str]
) -> None:
    found, entities = marks(source, "MarkdownV2")
    assert found == text
    assert [kind for kind, _, _ in entities] == expected


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("Hello.", "Character '.' is reserved and must be escaped with the preceding '\\'"),
        ("é*b", "Can't find end of Bold entity at byte offset 2"),
        ("`x", "Can't find end of Code entity at byte offset 0"),
        ("[a](b", "Can't find end of a URL at byte offset 2"),
    ],
)
def test_broken_markdown_is_named_as_telegram_names_it(source: str, sentence: str) -> None:
    with pytest.raises(ApiError) as caught:
        formatted(source, "MarkdownV2", None)
    assert caught.value.description == f"Bad Request: can't parse entities: {sentence}"


def test_the_older_markdown_is_understood() -> None:
    text, found = marks(r"*b* _i_ `c` [l](http://e.com) \_", "Markdown")
    assert text == "b i c l _"
    assert [kind for kind, _, _ in found] == ["bold", "italic", "code", "text_link"]
    with pytest.raises(ApiError, match="Can't find end of the entity starting at byte offset 0"):
        formatted("*b", "Markdown", None)


def test_an_unknown_parse_mode_is_refused() -> None:
    with pytest.raises(ApiError, match="Bad Request: unsupported parse_mode"):
        formatted("x", "BBCode", None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/start@some_bot now", [("bot_command", 0, 15)]),
        ("see https://e.com/a. ok", [("url", 4, 15)]),
        ("hi @durov and #tag", [("mention", 3, 6), ("hashtag", 14, 4)]),
        ("a@b.com", [("email", 0, 7)]),
        ("and/or 1/2", []),
        ("😀 /go", [("bot_command", 3, 3)]),
    ],
)
def test_commands_mentions_and_links_are_found(text: str, expected: Marks) -> None:
    assert marks(text, "") == (text, expected)


def test_nothing_is_found_inside_code() -> None:
    assert marks("<code>/start</code>", "HTML")[1] == [("code", 0, 6)]


def test_length_is_counted_in_code_points_after_parsing() -> None:
    assert message_text("<b>" + "😀" * 4096 + "</b>", "HTML", None)
    with pytest.raises(ApiError, match="Bad Request: message is too long"):
        message_text("x" * 4097, None, None)
    assert caption("x" * 1024, None, None)
    with pytest.raises(ApiError, match="message caption is too long"):
        caption("x" * 1025, None, None)


def test_a_raw_text_over_32_kib_is_refused_before_parsing() -> None:
    with pytest.raises(ApiError, match="text is too long"):
        message_text("<b></b>" * 5000, "HTML", None)


@pytest.mark.parametrize("text", ["", " \n\t ", "<b> </b>"])
def test_an_empty_text_is_refused(text: str) -> None:
    with pytest.raises(ApiError, match="message text is empty"):
        message_text(text, "HTML", None)


def test_utf16_counts_astral_characters_twice() -> None:
    assert utf16_length("a😀") == 3


@pytest.mark.parametrize("piece", ["#a ", "/a ", "<b>x</b> #a ", "<code>x</code> @name "])
def test_a_long_text_full_of_marks_takes_no_long_time(piece: str) -> None:
    began = time.process_time()
    result = formatted(piece * (MAX_RAW_BYTES // len(piece)), "HTML", None)
    assert time.process_time() - began < 2
    assert len(result.entities) == MAX_ENTITIES


@pytest.mark.parametrize("piece", ["[", "![", "[a](", "[a](b) "])
def test_brackets_that_stay_open_take_no_long_time(piece: str) -> None:
    began = time.process_time()
    formatted(piece * (MAX_RAW_BYTES // len(piece)), "Markdown", None)
    assert time.process_time() - began < 2


def test_marks_on_one_piece_are_kept_once() -> None:
    assert marks("<b>" * 500 + "x" + "</b>" * 500, "HTML") == ("x", [("bold", 0, 1)])


def test_what_telegram_marks_by_itself_stays_out_of_code() -> None:
    expected = [("code", 0, 2), ("hashtag", 3, 2), ("url", 6, 19), ("mention", 26, 5)]
    source = "<code>#a</code> #b https://e.com/#c/@d @name"
    assert marks(source, "HTML") == ("#a #b https://e.com/#c/@d @name", expected)


@pytest.mark.parametrize("text", ["www." + "." * 32_000, "<a " + " " * 32_000 + ">x</a>"])
def test_what_only_begins_like_a_link_takes_no_long_time(text: str) -> None:
    began = time.process_time()
    formatted(text, "HTML", None)
    assert time.process_time() - began < 2

from typing import Any

from playground.transcript import Transcript


def note(transcript: Transcript, **arguments: Any) -> None:
    transcript.add(1, "sendMessage", arguments, 200, {"ok": True, "result": arguments})


def test_long_texts_are_cut_wherever_they_are() -> None:
    transcript = Transcript()
    note(transcript, media=[{"caption": "x" * 9000}])
    call = transcript.calls()[0]
    assert len(call["arguments"]["media"][0]["caption"]) == 5000
    assert len(call["answer"]["result"]["media"][0]["caption"]) == 5000


def test_nesting_without_end_is_cut() -> None:
    deep: list[Any] = []
    for _ in range(600):
        deep = [deep]
    transcript = Transcript()
    note(transcript, deep=deep)
    assert "(too deep)" in str(transcript.calls())


def test_the_oldest_calls_go_where_there_is_no_room() -> None:
    transcript = Transcript(max_total_bytes=50_000)
    for number in range(100):
        note(transcript, number=number, text="x" * 2000)
    kept = [call["arguments"]["number"] for call in transcript.calls()]
    assert 5 < len(kept) < 15
    assert kept == list(range(100 - len(kept), 100))
    few = Transcript(size=2)
    for number in range(5):
        note(few, number=number)
    assert [call["arguments"]["number"] for call in few.calls()] == [3, 4]

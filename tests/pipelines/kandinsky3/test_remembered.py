"""What was computed lately is not computed again, and not all of it is kept."""

from pipelines.kandinsky3.remembered import Remembered


def test_what_is_remembered_is_not_made_again() -> None:
    made: list[str] = []
    values: Remembered[str, int] = Remembered(2)

    def make() -> int:
        made.append("once")
        return 7

    assert [values.get("seven", make) for _ in range(3)] == [7, 7, 7]
    assert made == ["once"]


def test_what_was_not_asked_for_longest_is_forgotten() -> None:
    made: list[str] = []
    values: Remembered[str, str] = Remembered(2)
    for key in ("a", "b", "a", "c", "a", "b"):

        def make(key: str = key) -> str:
            made.append(key)
            return key

        assert values.get(key, make) == key
    assert made == ["a", "b", "c", "b"]

"""A dictionary that forgets its oldest entries."""

from collections import OrderedDict
from typing import Generic, TypeVar

_K = TypeVar("_K")
_V = TypeVar("_V")


class Bounded(Generic[_K, _V]):
    """At most `size` entries; those added first go first."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._entries: OrderedDict[_K, _V] = OrderedDict()

    def add(self, key: _K, value: _V) -> None:
        """Put an entry at the end."""
        self._entries[key] = value
        self._entries.move_to_end(key)
        if len(self._entries) > self._size:
            self._entries.popitem(last=False)

    def get(self, key: _K) -> _V | None:
        """Find an entry."""
        return self._entries.get(key)

    def pop(self, key: _K) -> _V | None:
        """Find an entry and take it out."""
        return self._entries.pop(key, None)

    def __len__(self) -> int:
        return len(self._entries)

    def values(self) -> list[_V]:
        """List all entries, oldest first."""
        return list(self._entries.values())

    def keys(self) -> list[_K]:
        """List all keys, oldest first."""
        return list(self._entries)

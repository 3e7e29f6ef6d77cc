"""Import aiogram in a quarter of the time and half the memory; import this before it.

aiogram ends its import by building a validator for each of its 600 types, most of which no
program ever meets. pydantic can build each when it is first used, given the names that its
annotations stand for. So while aiogram is imported, a rebuild only notes those names down.
``make bench`` prints what that saves.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from pydantic import BaseModel


@contextmanager
def deferred_rebuilds() -> Iterator[None]:
    """Let a ``model_rebuild`` that is given names keep them and build nothing yet."""
    rebuild = BaseModel.__dict__["model_rebuild"]

    def keep_names(model: type[BaseModel], /, **how: object) -> bool | None:
        names = how.get("_types_namespace")
        if names is None:
            return cast("bool | None", rebuild.__func__(model, **how))
        model.__pydantic_parent_namespace__ = dict(cast("dict[str, Any]", names))
        return None

    BaseModel.model_rebuild = classmethod(keep_names)  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        BaseModel.model_rebuild = rebuild  # type: ignore[method-assign]


with deferred_rebuilds():
    from aiogram import methods, types

# A method that is used before the types it takes has to find the names those stand for.
for _method in (getattr(methods, name) for name in methods.__all__):
    _method.__pydantic_parent_namespace__ = types.TelegramObject.__pydantic_parent_namespace__

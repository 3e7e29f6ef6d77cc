"""No method goes without a call that is carried out and one that is refused."""

import importlib
import pkgutil
from collections.abc import Iterator

from playground.api.table import METHODS
from tests.playground import conformance
from tests.playground.conformance.cases import Case

# Nothing can be wrong with a call that has no argument which could be.
NEVER_REFUSED = {"getme", "getwebhookinfo", "deletewebhook", "getchatmenubutton"}


def cases() -> Iterator[Case]:
    for module in pkgutil.iter_modules(conformance.__path__):
        if module.name.startswith("test_"):
            loaded = importlib.import_module(f"{conformance.__name__}.{module.name}")
            yield from getattr(loaded, "CASES", ())


def test_every_method_has_a_call_that_is_carried_out() -> None:
    shown = {case.method.lower() for case in cases() if case.sentence is None}
    assert shown == set(METHODS)


def test_every_method_has_a_call_that_is_refused() -> None:
    shown = {case.method.lower() for case in cases() if case.sentence is not None}
    assert shown == set(METHODS) - NEVER_REFUSED


def test_no_case_is_written_twice() -> None:
    names = [str(case) for case in cases()]
    assert sorted(names) == sorted(set(names))

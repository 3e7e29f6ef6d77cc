"""``make bench``: every speed and size we claim, measured here and now.

``python -m benchmarks [NAME ...]`` runs some of them. The exit code is 1 if a promise is broken.
"""

import argparse
import importlib
import pkgutil
import sys
from collections.abc import Callable, Mapping
from typing import Final

import benchmarks
from benchmarks.figures import Figure

_NOT_BENCHMARKS: Final = frozenset({"__main__", "figures", "micro"})


def discover() -> Mapping[str, Callable[[], list[Figure]]]:
    """Every file of this package but these has a ``measure``."""
    modules = pkgutil.iter_modules(benchmarks.__path__)
    names = [module.name for module in modules if not module.ispkg]
    return {
        name: importlib.import_module(f"benchmarks.{name}").measure
        for name in sorted(set(names) - _NOT_BENCHMARKS)
    }


def main() -> int:
    """Run and print a Markdown table."""
    known = discover()
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of: {', '.join(known)}")
    wanted: list[str] = parser.parse_args().names or list(known)
    if unknown := set(wanted) - set(known):
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    print("| what | measured | promise | kept | how |\n|---|---|---|---|---|")
    are_kept = True
    for name in wanted:
        for figure in known[name]():
            print(figure.row(), flush=True)
            are_kept = are_kept and figure.is_kept
    return 0 if are_kept else 1


if __name__ == "__main__":
    sys.exit(main())

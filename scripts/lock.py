"""Write the lock files in ``requirements/`` from ``pyproject.toml``: ``make lock``.

pip itself resolves, in its dry-run mode; nothing is installed. ``cpu.lock`` and ``cuda.lock`` hold
what the product imports, ``dev.lock`` only what its tests and checks add on top.
"""

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[1]
LOCKS: Final = ROOT / "requirements"
CUDA_ONLY: Final = re.compile(r"nvidia-|cuda-|triton$")


def resolve(requirements: Iterable[str]) -> dict[str, str]:
    """Return every package pip would install, as name -> version.

    A local build tag (``2.13.0+cpu``) is dropped: the lock names the release.
    pip's own configuration is not read: a local folder of wheels must not decide.
    """
    install = [sys.executable, "-m", "pip", "install", "--quiet"]
    environment = {**os.environ, "PIP_FIND_LINKS": "", "PIP_CONFIG_FILE": os.devnull}
    report = subprocess.run(
        [*install, "--dry-run", "--ignore-installed", "--report", "-", *requirements],
        check=True,
        capture_output=True,
        text=True,
        env=environment,
    )
    found: list[dict[str, Any]] = json.loads(report.stdout)["install"]
    names = {package["metadata"]["name"]: package["metadata"]["version"] for package in found}
    return {name: version.partition("+")[0] for name, version in sorted(names.items(), key=_fold)}


def write(name: str, title: str, packages: dict[str, str]) -> None:
    """Write one lock file."""
    lines = [f"# {title}", "# Written by `make lock`; change pyproject.toml, not this file."]
    lines += [f"{package}=={version}" for package, version in packages.items()]
    (LOCKS / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{name}: {len(packages)} packages")


def main() -> None:
    """Resolve once with the development tools, once without."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    runtime: list[str] = project["dependencies"]
    everything = resolve(runtime + project["optional-dependencies"]["dev"])
    cuda = {name: everything[name] for name in resolve(runtime)}
    cpu = {name: version for name, version in cuda.items() if not CUDA_ONLY.match(name)}
    write("cuda.lock", "What the product runs on, with an NVIDIA GPU", cuda)
    write("cpu.lock", "What the product runs on, without a GPU", cpu)
    tools = {name: version for name, version in everything.items() if name not in cuda}
    write("dev.lock", "What the tests and checks add", tools)


def _fold(item: tuple[str, str]) -> str:
    return item[0].lower()


if __name__ == "__main__":
    main()

"""A mode without Telegram: ``python -m pipelines MODE --prompt ... -o out.png``.

And before that, where a profile's weights are published: ``python -m pipelines fetch PROFILE``,
and ``PROFILE-ADDON`` for what is added to them.

The arguments are the fields of the mode's request, so a new mode is here without an edit. What the
profile can say for a person it says: sizes by ``--ar``, the quality, and a seed is drawn by lot.
Pictures to start from are files: ``--images cat.jpg dog.png``.
"""

import argparse
import logging
import secrets
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal, NoReturn, get_args, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from tqdm import tqdm

from pipelines.contracts import (
    SEED_MAX,
    AnyMode,
    GenerationError,
    ImageBlob,
    Output,
    Picture,
    Request,
    Step,
)
from pipelines.profiles import BadProfile, Profile, load_profile, load_published
from pipelines.registry import discover_modes

_FETCH: Final = "fetch"
_SIZE_FIELDS: Final = frozenset({"width_px", "height_px"})
_PROMPTING_FIELDS: Final = frozenset({"wording", "drawn"})
"""Of the engine's prompt step; here everything is drawn as typed."""
_IMAGES_FIELD: Final = "images"
_PROFILE_FIELDS: Final = _SIZE_FIELDS | {"quality", "seed"}
_SUFFIXES: Final = (".png", ".jpg", ".jpeg")


def main(arguments: Sequence[str] | None = None) -> None:
    """Draw what the command line asks for.

    Exits with 2 if it asks for something that cannot be, with 1 if drawing failed.
    """
    modes = discover_modes()
    parser = _parser(modes)
    options = parser.parse_args(arguments)
    try:
        load = load_published if options.mode == _FETCH else load_profile
        profile = load(options.config, options.profile)
    except BadProfile as error:
        parser.error(str(error))
    if options.mode == _FETCH:
        _fetch(parser, profile, options)
        return
    mode = modes[options.mode]
    if not mode.is_served(profile):
        parser.error(f"{mode.name}: the weights of {profile.weights_dir} cannot do this")
    request = _request(parser, mode, profile, options)
    paths = _paths(parser, options.output, request.pictures)
    output = _draw(parser, mode, profile, request)
    for path, picture in zip(paths, output.pictures, strict=True):
        path.write_bytes(_bytes_for(path, picture))
        sys.stdout.write(f"{path}  seed {picture.seed}  {output.seconds:.1f} s\n")


class _OneLineParser(argparse.ArgumentParser):
    """Says what is wrong in one line, without the usage before it."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")


def _parser(modes: Mapping[str, AnyMode]) -> argparse.ArgumentParser:
    parser = _OneLineParser(prog="python -m pipelines", description="Draw without Telegram.")
    commands = parser.add_subparsers(dest="mode", required=True, metavar="MODE")
    for mode in modes.values():
        about = (mode.request_type.__doc__ or "").splitlines()[0]
        command = commands.add_parser(mode.name, help=about, description=about)
        fields = mode.request_type.model_fields
        for name, field in fields.items():
            if name not in _SIZE_FIELDS | _PROMPTING_FIELDS:
                _add_field(command, name, field)
        if fields.keys() >= _SIZE_FIELDS:
            command.add_argument("--ar", default="1:1", help="aspect ratio (1:1)")
        command.add_argument("--profile", help="which weights; config.yaml's choice if not given")
        command.add_argument("--config", type=Path, default=Path("config.yaml"))
        command.add_argument("-o", "--output", type=Path, required=True, help="out.png or out.jpg")
    _add_fetch(commands.add_parser(_FETCH, help="bring a profile's published weights here"))
    return parser


def _add_fetch(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "profile",
        nargs="?",
        metavar="PROFILE[-ADDON]",
        help="config.yaml's choice if not given; or one of the profile's addons",
    )
    command.add_argument("--config", type=Path, default=Path("config.yaml"))
    command.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="VARIANT",
        help="base, flash or inpainting, and what it needs; all if not given",
    )
    command.add_argument(
        "--discard-originals",
        action="store_true",
        help="delete each downloaded file once it is converted",
    )


def _add_field(command: argparse.ArgumentParser, name: str, field: FieldInfo) -> None:
    is_choice = get_origin(field.annotation) is Literal
    command.add_argument(
        f"--{name.replace('_', '-')}",
        dest=name,
        nargs="+" if get_origin(field.annotation) is tuple else None,
        metavar="FILE" if name == _IMAGES_FIELD else None,
        choices=get_args(field.annotation) if is_choice else None,
        required=field.is_required() and name not in _PROFILE_FIELDS,
        default=argparse.SUPPRESS,
        help=field.description,
    )


def _request(
    parser: argparse.ArgumentParser, mode: AnyMode, profile: Profile, options: argparse.Namespace
) -> Request:
    fields = mode.request_type.model_fields
    given: dict[str, Any] = {
        name: value for name, value in vars(options).items() if name in fields
    }
    if "seed" in fields:
        given.setdefault("seed", secrets.randbelow(SEED_MAX + 1))
    if "quality" in fields:
        given.setdefault("quality", profile.default_quality)
    if fields.keys() >= _SIZE_FIELDS:
        size = profile.sizes.get(options.ar)
        if size is None:
            parser.error(f"--ar: {options.ar} is none of {', '.join(profile.sizes)}")
        given.update(size.model_dump())
    if _IMAGES_FIELD in given:
        given[_IMAGES_FIELD] = tuple(_image(parser, Path(name)) for name in given[_IMAGES_FIELD])
    try:
        request: Request = mode.request_type.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        option = str(first["loc"][0]).replace("_", "-")
        parser.error(f"--{option}: {first['msg'].removeprefix('Value error, ')}")
    return request


def _image(parser: argparse.ArgumentParser, path: Path) -> ImageBlob:
    from pipelines.uploads import Unfit, normalise  # noqa: PLC0415 - Pillow, for those who need it

    try:
        return ImageBlob.of(normalise(path.read_bytes()).png)
    except OSError as error:
        parser.error(f"--images: {path}: {error.strerror}")
    except Unfit as error:
        parser.error(f"--images: {path}: {error}")


def _paths(parser: argparse.ArgumentParser, output: Path, count: int) -> list[Path]:
    """Name the files; several are numbered: out-1.png, out-2.png."""
    if output.suffix.lower() not in _SUFFIXES:
        parser.error(f"--output: {output} must end with one of {', '.join(_SUFFIXES)}")
    if not output.parent.is_dir():
        parser.error(f"--output: there is no folder {output.parent}")
    if count == 1:
        return [output]
    return [output.with_stem(f"{output.stem}-{index}") for index in range(1, count + 1)]


def _draw(
    parser: argparse.ArgumentParser, mode: AnyMode, profile: Profile, request: Request
) -> Output:
    # Importing torch takes seconds; bad arguments are answered before.
    from pipelines.engine.batch import attempt  # noqa: PLC0415
    from pipelines.weights import ComponentStore  # noqa: PLC0415

    with tqdm(unit="step", disable=None) as bar:

        def on_step(step: Step) -> frozenset[int]:
            bar.total = step.total
            bar.update(step.index - bar.n)
            return frozenset()

        try:
            return attempt(lambda: mode.load(ComponentStore.open(profile))([request], on_step)[0])
        except GenerationError as error:
            bar.close()
            parser.exit(1, f"{parser.prog}: {str(error) or error.code}\n")


def _fetch(parser: argparse.ArgumentParser, profile: Profile, options: argparse.Namespace) -> None:
    from pipelines.checkpoints.errors import FetchError  # noqa: PLC0415
    from pipelines.checkpoints.fetch import chosen, fetch  # noqa: PLC0415
    from pipelines.kandinsky3.published import PARTS  # noqa: PLC0415

    try:
        parts = chosen(profile, PARTS, options.only)
        fetch(profile, parts, _say, discards_originals=options.discard_originals)
    except FetchError as error:
        parser.exit(1, f"{parser.prog}: {error}\n")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _bytes_for(path: Path, picture: Picture) -> bytes:
    return picture.png if path.suffix.lower() == ".png" else picture.jpeg


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)

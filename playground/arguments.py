"""Reading a call: query, urlencoded form, JSON or multipart become fields and uploads.

Everything is bounded while it is read: a hostile body is cut off, not collected first.
"""

import asyncio
import json
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl

from aiohttp import BodyPartReader, MultipartReader, web
from aiohttp.http import HttpProcessingError

from playground.errors import ApiError, bad_request, too_large
from playground.files import MAX_UPLOAD_BYTES, safe_file_name

MAX_FILES: Final = 100
MAX_FIELDS: Final = 1000
MAX_FIELD_BYTES: Final = 1024 * 1024
MAX_TOTAL_BYTES: Final = 2 * MAX_UPLOAD_BYTES
MAX_BODY_BYTES: Final = MAX_TOTAL_BYTES + 2 * MAX_FIELD_BYTES  # with the multipart's own lines
BODY_TIMEOUT_S: Final = 60.0
MAX_DEPTH: Final = 100  # of JSON; the Bot API's own goes no deeper than ten


@dataclass(frozen=True)
class Upload:
    """A file part of a multipart body."""

    content: bytes
    file_name: str
    mime_type: str | None


@dataclass
class Arguments:
    """What a call brought: fields by name (strings, or JSON values) and uploads by part name."""

    fields: dict[str, Any] = field(default_factory=dict)
    uploads: dict[str, Upload] = field(default_factory=dict)

    def summary(self) -> dict[str, Any]:
        """Show the arguments for the transcript, files by name and size."""
        files = {
            name: {"file_name": upload.file_name, "size": len(upload.content)}
            for name, upload in self.uploads.items()
        }
        return {**self.fields, **({"(files)": files} if files else {})}


async def read_arguments(request: web.Request) -> Arguments:
    """Collect the arguments of a call from wherever they are.

    Raises:
        ApiError: 413 over a limit, 408 for a body that takes longer than a minute, 400 for one
            that cannot be read or is not UTF-8.
    """
    arguments = Arguments(dict(request.query))
    if (request.content_length or 0) > MAX_BODY_BYTES:
        raise too_large()
    if request.method == "POST" and request.can_read_body:
        try:
            async with asyncio.timeout(BODY_TIMEOUT_S):
                await _read_body(request, arguments)
        except TimeoutError as error:
            raise ApiError(408, "Request Timeout") from error
        except (HttpProcessingError, web.RequestPayloadError) as error:
            raise bad_request("can't parse the request body") from error
    types = {name: upload.mime_type for name, upload in arguments.uploads.items()}
    _check_encoding([arguments.fields, types])
    return arguments


async def _read_body(request: web.Request, arguments: Arguments) -> None:
    kind = request.content_type
    if kind == "multipart/form-data":
        await _read_multipart(request, arguments)
    elif kind == "application/json":
        arguments.fields.update(_json_object(await _read_bounded(request)))
    elif kind == "application/x-www-form-urlencoded":
        arguments.fields.update(_form(await _read_bounded(request)))


def parse_json(source: str | bytes) -> Any:  # noqa: ANN401 - JSON
    """Read JSON that comes from outside.

    Raises:
        ValueError: it is none, or nested too deeply.
        ApiError: it has a string that is half of a surrogate pair, which no text may be.
    """
    try:
        parsed = json.loads(source)
        _check_depth(parsed)
        _check_encoding(parsed)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    return parsed


def _check_depth(value: object) -> None:
    # Level by level: a walk down would itself run out of stack.
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [part for whole in level for part in _parts(whole)]
        if not level:
            return
    raise ValueError("nested too deeply")


def _parts(value: object) -> Collection[object]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _check_encoding(value: object) -> None:
    try:
        # Python's reader takes NaN and 1e999, which are no JSON: the ValueError for them is the
        # caller's to word.
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError as error:
        raise bad_request("strings must be encoded in UTF-8") from error


async def _read_bounded(request: web.Request) -> bytes:
    body = bytearray()
    async for chunk in request.content.iter_chunked(65536):
        body += chunk
        if len(body) > MAX_FIELD_BYTES:
            raise too_large()
    return bytes(body)


def _form(body: bytes) -> dict[str, str]:
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS))
    except ValueError as error:
        raise bad_request("can't parse the request body") from error


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        parsed = parse_json(body)
    except ValueError as error:
        raise bad_request("can't parse JSON object") from error
    if not isinstance(parsed, dict):
        raise bad_request("JSON object expected")
    return parsed


async def _read_multipart(request: web.Request, arguments: Arguments) -> None:
    try:
        reader = await request.multipart()
        room = _Room()
        while (part := await reader.next()) is not None:
            if isinstance(part, MultipartReader):
                raise bad_request("nested multipart is not expected")
            await _read_part(part, arguments, room)
    except (ValueError, RuntimeError, AssertionError, LookupError) as error:
        # What aiohttp raises for a body that is not the multipart it claims to be.
        raise bad_request("can't parse multipart body") from error


@dataclass
class _Room:
    """How much more a body may bring."""

    fields: int = MAX_FIELDS
    field_bytes: int = MAX_FIELD_BYTES
    files: int = MAX_FILES
    file_bytes: int = MAX_TOTAL_BYTES


async def _read_part(part: BodyPartReader, arguments: Arguments, room: _Room) -> None:
    name = part.name
    if name is None:
        raise bad_request("a part of the multipart body has no name")
    if part.filename is None:
        room.fields -= 1
        content = await _read_chunks(part, room.field_bytes)
        room.field_bytes -= len(content)
        arguments.fields[name] = content.decode("utf-8", "replace")
    else:
        room.files -= 1
        content = await _read_chunks(part, min(MAX_UPLOAD_BYTES, room.file_bytes))
        room.file_bytes -= len(content)
        mime_type = part.headers.get("Content-Type")
        upload = Upload(content, safe_file_name(part.filename), mime_type)
        arguments.uploads[name] = upload
    if room.fields < 0 or room.files < 0:
        raise too_large()


async def _read_chunks(part: BodyPartReader, limit_bytes: int) -> bytes:
    content = bytearray()
    while chunk := await part.read_chunk(65536):
        content += chunk
        if len(content) > limit_bytes:
            raise too_large()
    return bytes(content)

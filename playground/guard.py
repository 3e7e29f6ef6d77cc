"""Who may talk to this server from a browser: its own page, and nobody else's."""

import ipaddress
import logging
from typing import Final
from urllib.parse import SplitResult, urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from playground.errors import ApiError, internal_error

_log: Final = logging.getLogger(__name__)

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "media-src 'self' blob:; connect-src 'self'; frame-src http: https:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
# How long what a refused caller goes on sending is read and dropped. Without it the connection
# would be reset before the refusal is read; with aiohttp's own ten seconds it would pay to go on.
LINGERING_S: Final = 0.5
LOCAL_NAMES: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_EVERYWHERE: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared, not bound


class Guard:
    """Refuses foreign pages (Origin, Sec-Fetch-Site) and foreign names (DNS rebinding)."""

    def __init__(self, bound_host: str, more_hosts: frozenset[str] = frozenset()) -> None:
        self._hosts = LOCAL_NAMES | more_hosts | {bound_host}
        self._any_address = bound_host in _EVERYWHERE

    def refusal(self, request: web.Request) -> str | None:
        """Say what is wrong with where a request comes from, if anything is."""
        host = _parts(f"//{request.host}").hostname or ""
        if host not in self._hosts and not (self._any_address and _is_address(host)):
            return "this server does not go by that name"
        origin = request.headers.get("Origin")
        if origin is not None and _parts(origin).netloc != request.host:
            return "another page may not talk to this server"
        site = request.headers.get("Sec-Fetch-Site", "none")
        if request.path != "/" and site not in {"none", "same-origin"}:
            return "another page may not talk to this server"
        return None


def _parts(address: str) -> SplitResult:
    try:
        return urlsplit(address)
    except ValueError:
        return urlsplit("")  # a torn IPv6 address is nobody's


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def guarded(guard: Guard) -> Middleware:
    """Make the middleware that applies a guard and turns whatever goes wrong into JSON."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        refusal = guard.refusal(request)
        if refusal:
            return web.json_response({"ok": False, "description": refusal}, status=403)
        try:
            return await handler(request)
        except ApiError as error:
            return web.json_response(error.to_json(), status=error.status)
        except (web.HTTPException, ConnectionError):
            raise
        except Exception:
            _log.exception("%s %s failed", request.method, request.path)
            return web.json_response(internal_error().to_json(), status=500)

    return middleware


async def add_headers(_request: web.Request, response: web.StreamResponse) -> None:
    """Keep browsers from guessing types, framing the page or running anything foreign."""
    response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers.setdefault("Cache-Control", "no-cache")

"""`/ui`: one page that shows adapters, drift warnings, servers, held definitions and recent calls.

The page itself holds nothing and needs no key: it reads the operator's API with the key that the
reader types in, and changes nothing. What servers and agents wrote is shown as text, never as
markup, and the page may load nothing from elsewhere.
"""

from importlib.resources import files

from fastapi import APIRouter, Response

router = APIRouter(prefix="/ui", include_in_schema=False)

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


def _read(name: str) -> bytes:
    return files(__name__).joinpath(name).read_bytes()


_PAGE, _STYLE, _SCRIPT = _read("page.html"), _read("page.css"), _read("page.js")


@router.get("")
async def page() -> Response:
    """The page."""
    return Response(_PAGE, media_type="text/html; charset=utf-8", headers=_HEADERS)


@router.get("/page.css")
async def style() -> Response:
    """How it looks."""
    return Response(_STYLE, media_type="text/css; charset=utf-8", headers=_HEADERS)


@router.get("/page.js")
async def script() -> Response:
    """What it does."""
    return Response(_SCRIPT, media_type="text/javascript; charset=utf-8", headers=_HEADERS)

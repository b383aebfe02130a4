"""Serves the explorer's static files; holds no logic and touches no service."""

import json
from collections.abc import Mapping
from html import escape
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

# Only our own scripts, styles and pictures; frames are drawn from blobs made in the page.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {"Content-Security-Policy": CONTENT_SECURITY_POLICY, "Cache-Control": "no-cache"}
_STATIC = files("dicomweb_server.ui") / "static"


def explorer_routes(
    dicomweb_root: str, version: str, *, rest: bool, viewers: Mapping[str, str] | None = None
) -> list[BaseRoute]:
    """`/` leads to `/ui/`, which explores what is served below `dicomweb_root` (such as /dicom-web).

    `rest`: whether the REST interface is there too, for what the explorer asks of it. `viewers`: URLs by name, in which
    {study}, {series} and {dicomweb} are to be filled in.
    """
    # Relative, so that the page also works behind a proxy that adds a prefix.
    relative_root = "../" + dicomweb_root.strip("/")
    page = (_STATIC / "index.html").read_text("utf-8")
    page = page.replace("{dicomweb_root}", escape(relative_root)).replace("{version}", escape(version))
    page = page.replace("{rest_root}", "../" if rest else "")
    page = page.replace("{viewers}", escape(json.dumps(viewers or {})))

    async def to_explorer(request: Request) -> Response:
        return RedirectResponse("ui/", status_code=307)

    async def explorer(request: Request) -> Response:
        return Response(page, media_type="text/html", headers=_HEADERS)

    return [
        Route("/", to_explorer, include_in_schema=False),
        Route("/ui/", explorer, include_in_schema=False),
        Mount("/ui/static", StaticFiles(packages=[("dicomweb_server.ui", "static")]), name="ui"),
    ]

"""Serves a build of OHIF, as its makers publish it, beside our own services, and configures it for them.

Its files refer to each other from the root on, so they lie there; whatever has a route of its own goes first.
"""

import hashlib
import json
import re
from base64 import b64encode
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.staticfiles import StaticFiles

from dicomweb_server.errors import StartError

_INLINE = re.compile(r"<script>(.*?)</script>", re.DOTALL)
_HASHED = re.compile(r"[0-9a-f]{16}\.")  # names that change with their content
_SOURCE = "dicomweb-server"
OHIF_LINK = "../viewer?StudyInstanceUIDs={study}"  # from the explorer


def check_build(folder: Path) -> None:
    """StartError unless a folder looks like a build."""
    if not (folder / "index.html").is_file():
        raise StartError(f"ohif = {folder} is no build of OHIF: it has no index.html")


def ohif_routes(folder: Path, dicomweb_root: str, wado_uri_root: str) -> list[BaseRoute]:
    """Routes to be asked after all others."""
    page = (folder / "index.html").read_text("utf-8", "replace")
    static = StaticFiles(directory=folder)
    headers = {"Content-Security-Policy": content_security_policy(page), "Cache-Control": "no-cache"}
    configuration = app_config(dicomweb_root, wado_uri_root)

    async def configured(request: Request) -> Response:
        return Response(configuration, media_type="text/javascript", headers=headers)

    async def file_or_page(request: Request) -> Response:
        path: str = request.path_params["path"]
        try:
            response = await static.get_response(path or "index.html", request.scope)
        except HTTPException:
            # What the viewer shows has addresses such as /viewer?StudyInstanceUIDs=1.2.3, for which it is one page.
            if "." in path or "text/html" not in request.headers.get("accept", ""):
                raise
            return Response(page, media_type="text/html", headers=headers)
        response.headers.update(headers)
        if _HASHED.search(path):
            response.headers["Cache-Control"] = "private, max-age=31536000, immutable"
        return response

    return [
        Route("/app-config.js", configured, include_in_schema=False),
        Route("/{path:path}", file_or_page, include_in_schema=False),
    ]


def app_config(dicomweb_root: str, wado_uri_root: str) -> str:
    """The file by which OHIF finds this server."""
    configuration = {
        "friendlyName": _SOURCE,
        "name": _SOURCE,
        "qidoRoot": dicomweb_root,
        "wadoRoot": dicomweb_root,
        "wadoUriRoot": wado_uri_root,
        "imageRendering": "wadors",
        "thumbnailRendering": "thumbnail",  # made once and kept, while frames would have to be fetched as a whole
        "thumbnailRequestStrategy": "fetch",
        "qidoSupportsIncludeField": True,
        "supportsFuzzyMatching": True,
        "supportsWildcard": True,
        "supportsReject": False,
        "enableStudyLazyLoad": True,
        "dicomUploadEnabled": True,
        "bulkDataURI": {"enabled": True},
        "singlepart": "bulkdata,video,pdf",
    }
    whole = {
        "routerBasename": None,
        "extensions": [],
        "modes": [],
        "showStudyList": True,
        "defaultDataSourceName": _SOURCE,
        "dataSources": [
            {
                "namespace": "@ohif/extension-default.dataSourcesModule.dicomweb",
                "sourceName": _SOURCE,
                "configuration": configuration,
            }
        ],
    }
    return f"window.config = {json.dumps(whole, indent=2)};\n"


def content_security_policy(page: str) -> str:
    """What the viewer may do: run its own files, WebAssembly, and the scripts in its page; fetch from here."""
    hashes = [
        f"'sha256-{b64encode(hashlib.sha256(script.encode('utf-8')).digest()).decode('ascii')}'"
        for script in _INLINE.findall(page)
    ]
    scripts = " ".join(["'self'", "'wasm-unsafe-eval'", "'unsafe-eval'", "blob:", *hashes])
    return (
        f"default-src 'self'; script-src {scripts}; worker-src 'self' blob:; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' blob: data:; font-src 'self' data:; media-src 'self' blob:; connect-src 'self' blob: data:; "
        "object-src 'self' blob:; frame-src 'self' blob:; base-uri 'self'; form-action 'self'; frame-ancestors 'self'"
    )

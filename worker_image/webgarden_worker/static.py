"""A directory of files, served by Starlette's `StaticFiles`: ranges, ETag, If-Modified-Since, no way out of the root.

`index.html` is the default document and a `404.html` in the root is used. Symbolic links are followed as long as they
stay inside the root, which is how Kubernetes mounts a ConfigMap. No directory listing. Files are looked up for each
request, so a changed ConfigMap shows without a restart.

Nothing is compressed here. A `style.css.br` or `style.css.gz` beside `style.css`, as whitenoise and others write it, is
sent to clients that take it, with the type of `style.css` and an ETag of its own.
"""

import mimetypes
import os
import stat
from dataclasses import dataclass
from pathlib import Path

import anyio.to_thread
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.responses import FileResponse, Response
from starlette.staticfiles import NotModifiedResponse, PathLike, StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from webgarden_worker.errors import LoadError
from webgarden_worker.paths import REST

# A slim image has no /etc/mime.types, and what Python knows by itself differs from version to version.
_TYPES = {
    ".avif": "image/avif",
    ".mjs": "text/javascript",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
}
_ENCODINGS = {"br": ".br", "gzip": ".gz"}  # The first that a client takes.
_PACKED = {"gzip": "application/gzip"}


def static_files(root: Path) -> ASGIApp:
    """Raises `LoadError` where there is no such directory."""
    if not root.is_dir():
        raise LoadError(f"there is no directory {root}")
    for extension, media_type in _TYPES.items():
        mimetypes.add_type(media_type, extension)
    return ExceptionMiddleware(Files(directory=root, html=True))


class Files(StaticFiles):
    def get_path(self, scope: Scope) -> str:
        if "%2f" in scope[REST].lower():
            raise HTTPException(404)  # No file has a separator in its name.
        return super().get_path(scope)

    def file_response(
        self, full_path: PathLike, stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        return _Negotiated(self, os.fspath(full_path), stat_result)


@dataclass(frozen=True)
class _Variant:
    path: str
    found: os.stat_result
    encoding: str = ""


class _Negotiated(Response):
    """The variant of a file that the client takes, which is looked for when the answer is sent: not in the loop."""

    def __init__(self, files: Files, path: str, found: os.stat_result) -> None:
        super().__init__()
        self._files = files
        self._plain = _Variant(path, found)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        packed = await anyio.to_thread.run_sync(_variants, self._plain.path)
        taken = next((v for v in packed if accepts(headers.get("accept-encoding", ""), v.encoding)), self._plain)
        response: Response = _answer(taken, media_type(self._plain.path), varies=bool(packed))
        if self._files.is_not_modified(response.headers, headers):
            response = NotModifiedResponse(response.headers)
        await response(scope, receive, send)


class _File(FileResponse):
    chunk_size = 256 * 1024
    """Each is a trip through a thread."""


def _variants(path: str) -> list[_Variant]:
    """Compressed ones, best first."""
    found = []
    for encoding, suffix in _ENCODINGS.items():
        try:
            seen = os.lstat(path + suffix)  # Not through a link, which might lead out of the root.
        except OSError:
            continue
        if stat.S_ISREG(seen.st_mode):
            found.append(_Variant(path + suffix, seen, encoding))
    return found


def _answer(variant: _Variant, media_type: str, *, varies: bool) -> Response:
    headers = {"vary": "Accept-Encoding"} if varies else {}
    if variant.encoding:
        headers["content-encoding"] = variant.encoding
    return _File(variant.path, headers=headers, media_type=media_type, stat_result=variant.found)


def media_type(path: str) -> str:
    """Of a file as it is: an archive that is asked for by its name is not unpacked on the way."""
    found, packed = mimetypes.guess_type(path)
    if packed:
        return _PACKED.get(packed, "application/octet-stream")
    return found or "application/octet-stream"


def accepts(header: str, encoding: str) -> bool:
    """Whether an `Accept-Encoding` has room for the encoding (RFC 9110, 12.5.3)."""
    weights: dict[str, bool] = {}
    for item in header.lower().split(","):
        name, _, parameter = item.partition(";")
        weight = parameter.partition("=")[2].strip()
        weights[name.strip()] = bool(weight.strip("0.")) or not parameter.strip()
    return weights.get(encoding, weights.get("*", False))

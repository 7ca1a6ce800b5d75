"""A directory of files, served by Starlette's `StaticFiles`: ranges, ETag, If-Modified-Since, no way out of the root.

`index.html` is the default document and a `404.html` in the root is used. Symbolic links are followed as long as they
stay inside the root, which is how Kubernetes mounts a ConfigMap. No directory listing. Files are looked up for each
request, so a changed ConfigMap shows without a restart.
"""

import mimetypes
from pathlib import Path

from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from webgarden_worker.errors import LoadError

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


def static_files(root: Path) -> ASGIApp:
    """Raises `LoadError` where there is no such directory."""
    if not root.is_dir():
        raise LoadError(f"there is no directory {root}")
    for extension, media_type in _TYPES.items():
        mimetypes.add_type(media_type, extension)
    return ExceptionMiddleware(StaticFiles(directory=root, html=True))

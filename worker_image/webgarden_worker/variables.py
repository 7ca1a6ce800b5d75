"""A request as the meta-variables of RFC 3875 (CGI), which are the text half of a WSGI environment, too.

Paths are decoded and are text of the form that WSGI wants: bytes, each as the character of its number. `REQUEST_URI` (as
Apache and uWSGI call it) and `RAW_URI` (gunicorn) are the target as the client wrote it.

A header with an underscore is dropped: as a variable it could not be told from the one with a hyphen, which somebody in
front may have checked. So is `Proxy`: `HTTP_PROXY` would tell programs where to send their own requests.
"""

from importlib.metadata import version
from urllib.parse import unquote_to_bytes, urlsplit

from starlette.types import Scope

from webgarden_worker.paths import REST

SOFTWARE = f"webgarden/{version('webgarden')}"
_UNPREFIXED = {b"content-length": "CONTENT_LENGTH", b"content-type": "CONTENT_TYPE"}


def of(scope: Scope) -> dict[str, str]:
    """Those of a request to the application whose `root_path` and rest are in the scope."""
    target = _target(scope)
    headers = _headers(scope)
    server, port = _server(scope, headers.get("HTTP_HOST", ""))
    variables = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": scope["root_path"],
        "PATH_INFO": decoded(scope[REST]),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "REQUEST_URI": target,
        "RAW_URI": target,
        "SERVER_NAME": server,
        "SERVER_PORT": str(port),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "SERVER_SOFTWARE": SOFTWARE,
    }
    if scope.get("client"):
        variables["REMOTE_ADDR"], variables["REMOTE_PORT"] = scope["client"][0], str(scope["client"][1])
    if scope["scheme"] == "https":
        variables["HTTPS"] = "on"
    return variables | headers


def decoded(path: str) -> str:
    return unquote_to_bytes(path).decode("latin-1")


def _server(scope: Scope, host: str) -> tuple[str, int]:
    """As the client named it, which is what programs put into their links; the port of the pod leads nowhere."""
    usual = 443 if scope["scheme"] == "https" else 80
    try:
        named = urlsplit(f"//{host}")
        if named.hostname:
            return named.hostname, named.port or usual
    except ValueError:
        pass
    address, port = scope.get("server") or ("localhost", usual)
    return address, port or usual


def _target(scope: Scope) -> str:
    path, query = bytes(scope["raw_path"]), bytes(scope["query_string"])
    return (path + b"?" + query if query else path).decode("latin-1")


def _headers(scope: Scope) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in scope["headers"]:
        if b"_" in name or name == b"proxy":
            continue
        variable = _UNPREFIXED.get(name) or "HTTP_" + name.decode("latin-1").upper().replace("-", "_")
        text = value.decode("latin-1")
        if variable in found:
            text = f"{found[variable]}{'; ' if name == b'cookie' else ','}{text}"
        found[variable] = text
    return found

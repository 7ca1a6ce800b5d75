"""One rule for paths, the listener's and the worker's: docs/sites.md says it for users.

A path is compared segment by segment after what RFC 3986 calls normalisation: characters that need no percent-encoding
are decoded, `.` and `..` are resolved, and nothing else is touched. So an encoded separator (`%2F`, `%5C`) stays a part
of its segment, where ASGI's decoded `path` would turn it into one more segment. Empty segments count for nothing in the
comparison and are kept in what an application gets.

The listener has normalised what it forwards; the worker does it again, for those who come past the listener.
"""

import re
from collections.abc import Iterator

REST = "webgarden_worker.rest"
"""Key of a scope: the path behind `root_path`, percent-encoded."""
_ENCODED_UNRESERVED = re.compile(r"%(2[DdEe]|3[0-9]|4[1-9A-Fa-f]|5[0-9AaFf]|6[1-9A-Fa-f]|7[0-9AaEe])")


def normalised(path: str) -> str:
    """`path` as it stands in a request line, without its query."""
    decoded = _ENCODED_UNRESERVED.sub(lambda found: chr(int(found[1], 16)), path)
    return _without_dots(decoded) if "/." in decoded else decoded


def _without_dots(path: str) -> str:
    segments = path.split("/")[1:]
    kept: list[str] = []
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in (".", ".."):
        kept.append("")  # They name a directory.
    return "/" + "/".join(kept)


def beginnings(path: str, *, depth: int) -> Iterator[tuple[str, str]]:
    """(beginning without empty segments, rest as it came), from none to at most `depth` segments."""
    beginning, rest = "", path
    yield beginning, rest
    for _ in range(depth):
        segment, slash, after = rest.lstrip("/").partition("/")
        if not segment or not rest.startswith("/"):
            return
        beginning, rest = f"{beginning}/{segment}", slash + after
        yield beginning, rest

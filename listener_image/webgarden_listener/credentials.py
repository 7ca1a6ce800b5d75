"""What a connection to the operator needs of the disk: the token that says who we are, the authority that says who it is.

Both are read anew for each connection, since the kubelet renews them. One that is not there, or is no such thing, is
`Unreadable`, with the name of its file: it may be mended while the agent lives, so it ends nothing.
"""

from __future__ import annotations

import re
import ssl
from pathlib import Path

TOKEN = re.compile(rb"[\w.~+/=-]+")
"""RFC 6750. Anything else would be another header, or none."""


class Unreadable(Exception):
    """In words for the log; the same for the same cause."""


def authorization(token: Path | None) -> dict[str, str]:
    """Headers. Raises `Unreadable`."""
    if token is None:
        return {}
    try:
        found = token.read_bytes().strip()
    except OSError as error:
        raise Unreadable(f"the token cannot be read: {error}") from error
    if not TOKEN.fullmatch(found):
        raise Unreadable(f"what is in {token} is no token")
    return {"Authorization": f"Bearer {found.decode()}"}


def trust(authority: Path | None) -> ssl.SSLContext | bool:
    """In the authority, or in the system's (True). Raises `Unreadable`."""
    if authority is None:
        return True
    try:
        return ssl.create_default_context(cafile=authority)
    except OSError as error:
        raise Unreadable(f"there is no authority's certificate in {authority}: {error}") from error

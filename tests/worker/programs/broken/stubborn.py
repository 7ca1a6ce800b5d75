"""Will not stop: waits for ever while it is imported, or in a thread that is no daemon, or in a request."""

import threading
from collections.abc import Iterable
from typing import Any

for_ever = threading.Event()


def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:  # noqa: ANN401
    for_ever.wait()
    return []

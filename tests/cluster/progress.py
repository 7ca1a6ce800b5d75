"""Progress on standard error: a line a step, with the seconds since the command began.

With `verbose` the long commands (builds, installations) show their own output as well.
"""

import sys
import time

_began = time.monotonic()
verbose = False


def step(text: str) -> None:
    print(f"{time.monotonic() - _began:7.1f} s  {text}", file=sys.stderr, flush=True)

"""`webgarden-worker`: load every application, serve them, stop when told.

Exit codes: 0 stopped as told, everything answered. 1 an application could not be loaded or started, a setting or a
port is wrong (the last line of the log says which), or requests had to be cut at the time limit. 143 told twice.
"""

import sys

from webgarden_worker import init


def main() -> int:
    init.step_aside()
    from webgarden_worker import hosting  # Not earlier: PID 1 would have in memory what only its child needs.

    return hosting.main()


if __name__ == "__main__":
    sys.exit(main())

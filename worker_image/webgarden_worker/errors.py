"""Everything that keeps a worker from serving. Each message is one line that an administrator can act on.

They end the process with exit code 1 before the application port is open; none of them is raised for a request.
"""


class WorkerError(Exception):
    """The worker cannot serve."""


class SettingsError(WorkerError):
    """An environment variable says something that cannot be followed."""


class LoadError(WorkerError):
    """An application could not be loaded or did not start."""

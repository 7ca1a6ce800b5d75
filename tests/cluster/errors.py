"""The one exception of this package: what went wrong, told so that a person can act on it."""


class ClusterError(Exception):
    pass

"""What goes wrong with a program. None of it leaves the package, but `LocalRedirect`, which is the host's to follow."""


class Malformed(Exception):
    """What the program wrote is no answer."""


class Crashed(Exception):
    """A signal ended the program in the middle of its answer."""


class SlashMissing(Exception):
    """The path names a directory."""


class LocalRedirect(Exception):
    """The program answers with another path of its site (RFC 3875, 6.2.2)."""

    def __init__(self, location: str) -> None:
        super().__init__(location)
        self.location = location

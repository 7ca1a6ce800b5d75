"""Ends the process while it is imported, as scripts without a main guard do."""

import sys

sys.exit("usage: leaves FILE")

"""Tables as files, on the terminal, and a user's own numbers beside the papers'."""

from convrepro.reporting.compare import compare
from convrepro.reporting.console import show
from convrepro.reporting.files import write_all

__all__ = ["compare", "show", "write_all"]

"""Tables as files, on the terminal, and a user's own numbers beside the papers'."""

from convrepro.reporting.compare import compare
from convrepro.reporting.console import show
from convrepro.reporting.files import write_all
from convrepro.reporting.frame import to_frame

__all__ = ["compare", "show", "to_frame", "write_all"]

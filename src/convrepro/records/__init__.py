"""What runs leave behind."""

from convrepro.records.cell import Cell, Table
from convrepro.records.record import SELECTION_RULES, Record
from convrepro.records.store import path_of, read, read_all, write

__all__ = ["SELECTION_RULES", "Cell", "Record", "Table", "path_of", "read", "read_all", "write"]

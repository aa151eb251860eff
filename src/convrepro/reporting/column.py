"""A column of a shown table."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column; ``rank`` orders the columns by how soon a narrow page drops them, 0 never."""

    title: str
    texts: tuple[str, ...]
    rank: int
    is_label: bool = False

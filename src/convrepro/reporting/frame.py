"""A built table as a pandas DataFrame, for notebooks."""

import io
from typing import TYPE_CHECKING

from convrepro.reporting import long_form
from convrepro.tables import BuiltTable

if TYPE_CHECKING:
    import pandas as pd


def to_frame(built: BuiltTable) -> "pd.DataFrame":
    """The columns and rows of the table's CSV file; labels are text, what is empty there is missing."""
    import pandas as pd

    labels = dict.fromkeys({name for row in built.rows for name in row.labels}, str)
    return pd.read_csv(io.StringIO(long_form.render(built)), dtype=labels)

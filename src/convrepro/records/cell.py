"""One cell of a table: what is computed, and the labels under which a table shows it."""

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A configuration without its seed.

    Args:
        run_id: hash of the configuration; the records of the cell carry it.
        labels: ``dataset``, ``model``, ``conv``, in this order, then the other axes of the table's grid, such as
            ``conv.points``; values as text.
        official_data: whether the data are the official distribution.
        scaled: whether fewer epochs or images are used than the protocol asks for.
        metrics: what the table shows of it; empty for the table's own metric.
        margin: half-width within which two means count as equal; None for the table's own.
    """

    run_id: str
    labels: dict[str, str]
    official_data: bool
    scaled: bool
    metrics: tuple[str, ...] = ()
    margin: float | None = None


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table's grid and how it is judged; read from ``configs/table``.

    Args:
        name: file name in ``configs/table``, with marks such as ``.cifar10_jpeg`` or ``.scale0.02`` where the data
            were substituted or the protocol scaled.
        config: file name in ``configs/table``.
        paper: name of the paper in ``convrepro.papers``; empty if the table stands in none.
        title: one line.
        source: where the paper prints it ("Table 5"); empty if nowhere.
        metric: ``test_error``, ``test_accuracy``, ``num_parameters``, ...
        selection: selection rule that the paper used.
        num_seeds: seeds 0 .. num_seeds - 1 are asked for.
        margin: half-width within which two means count as equal, in the metric's unit; 0 for counts. A cell may have
            its own.
        baseline: the ``conv`` that the others are tested against.
        assumptions: where the paper is silent, what was decided.
        cells: in the order of the grid.
        reference: labels of the cell that ``accuracy_loss`` is counted from; empty if there is none.
        replaced: a data set that takes the place of one of the table's own -> that one.
        cost: what all its runs take, as an estimate in words; empty if nothing is said.
    """

    name: str
    config: str
    paper: str
    title: str
    source: str
    metric: str
    selection: str
    num_seeds: int
    margin: float
    baseline: str
    assumptions: tuple[str, ...]
    cells: tuple[Cell, ...]
    reference: dict[str, str] = field(default_factory=dict)
    replaced: dict[str, str] = field(default_factory=dict)
    cost: str = ""

    def runs(self) -> list[tuple[str, int]]:
        """Run id and seed of each of its runs, in the order of the cells."""
        return [(cell.run_id, seed) for cell in self.cells for seed in range(self.num_seeds)]

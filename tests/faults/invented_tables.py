"""An invented table of four cells and five seeds, with its records."""

from convrepro.records import Cell, Record, Table

NUM_SEEDS = 5
CONVS = ("standard", "one", "two", "three")


def record(conv: str, seed: int, test_accuracy: float) -> Record:
    return Record(
        run_id=run_id(conv),
        seed=seed,
        status="done",
        config={"conv": conv, "protocol": {"task": "classification"}},
        names={"dataset": "digits", "model": "cnn4", "conv": conv},
        official_data=True,
        scaled=False,
        num_parameters=1000,
        num_macs=2_000_000,
        num_operator_layers=3,
        splits={},
        epochs={"test_accuracy": [test_accuracy / 2, test_accuracy]},
        selected={"last": {"epoch": 2, "test_accuracy": test_accuracy}},
        measured={"wall_seconds": 10.5},
        environment={"device": "cpu"},
    )


def run_id(conv: str) -> str:
    return f"{CONVS.index(conv) if conv in CONVS else int(conv):016x}"


def table(convs: tuple[str, ...], num_seeds: int) -> Table:
    return Table(
        name="doe_table1",
        config="doe_table1",
        paper="",
        title="Doe and Roe, test error",
        source="",
        metric="test_error",
        selection="last",
        num_seeds=num_seeds,
        margin=0.5,
        baseline="",
        assumptions=(),
        cells=tuple(
            Cell(
                run_id=run_id(conv),
                labels={"dataset": "digits", "model": "cnn4", "conv": conv},
                official_data=True,
                scaled=False,
            )
            for conv in convs
        ),
    )


TABLE = table(CONVS, NUM_SEEDS)
RECORDS = [
    record(conv, seed, 90.0 + number + 0.25 * seed) for number, conv in enumerate(CONVS) for seed in range(NUM_SEEDS)
]

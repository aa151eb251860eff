"""How long the command line takes to answer where nothing is trained."""

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from convrepro.benchmarks.row import Goal, Row
from convrepro.benchmarks.settings import Advance, Settings
from convrepro.benchmarks.timing import in_turn

GOAL = Goal(most=0.5)  # seconds
_ROUNDS = 7
_CSV = "table,dataset,model,conv,metric,value\ndk_table6,fashion_mnist,cnn4,standard,num_parameters,143050\n"
_ENTRY = "import sys; from convrepro.cli.main import main"
_HAS_TORCH = f"""{_ENTRY}
try:
    main(sys.argv[1:])
except SystemExit:
    pass
sys.exit("torch" in sys.modules)
"""


def rows(settings: Settings, advance: Advance) -> list[Row]:
    """Fresh processes of ``convrepro``, on the results of the folder that the benchmark was started in."""
    csv = settings.fresh_folder() / "mine.csv"
    csv.write_text(_CSV)
    commands = [["--help"], ["list"], ["status", "--results", str(_results(settings))], ["compare", str(csv)]]
    samples = in_turn(
        {command[0]: lambda command=command: _seconds(command) for command in commands},  # type: ignore[misc]
        rounds=settings.num_rounds(_ROUNDS),
        advance=advance,
    )
    return [
        Row(
            what=f"convrepro {command[0]}",
            unit="s",
            values=samples[command[0]],
            goal=GOAL,
            detail=f"imports {'torch' if imports_torch(command) else 'no torch'}",
        )
        for command in commands
    ]


def _results(settings: Settings) -> Path:
    """The results folder here, or an empty one."""
    here = Path("results").absolute()
    return here if here.is_dir() else settings.fresh_folder()


def imports_torch(command: Sequence[str]) -> bool:
    """Whether a command ends with torch in its process."""
    done = subprocess.run([sys.executable, "-c", _HAS_TORCH, *command], capture_output=True, check=False)
    return done.returncode == 1


def _seconds(command: Sequence[str]) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", f"{_ENTRY}; sys.exit(main())", *command], capture_output=True, check=True)
    return time.perf_counter() - started

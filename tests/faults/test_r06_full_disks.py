"""R6: where nothing more can be written, a sweep ends and says so; with space again it ends in the same table."""

import builtins
import errno
import io
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests import commands
from tests.commands import JOBLIB, RUN, SERIAL, All, At, Logged, Slow

NUM_EPOCHS = 2
KEPT = ("records/*", "runs/*/weights/*", "runs/*/train/*.csv")  # of a finished run


@dataclass(frozen=True)
class Full:
    """No space is left in a folder, from the k-th write, fsync, or making of a file, link or folder there on.

    A file's write that comes upon it stores half of its bytes, as a disk does.

    Args:
        folder: whatever lies elsewhere is on another disk.
        log: ``.`` for each of these operations, ``f`` for each that fails, ``e`` for each epoch that begins.
        number: k, from 1 on, counted with the epochs and over all processes; 0: there is space.
        error: ENOSPC, or EDQUOT of a quota.
    """

    folder: Path
    log: Path
    number: int = 0
    error: int = errno.ENOSPC

    def __call__(self) -> None:
        from convrepro.training import Learner

        full, begin = self, Learner.start_epoch
        log = os.open(self.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        real_write, real_open, real_os_open = os.write, io.open, os.open

        def has_space() -> bool:
            is_full = 0 < full.number <= os.fstat(log).st_size + 1
            real_write(log, b"f" if is_full else b".")
            return not is_full

        def use() -> None:
            if not has_space():
                raise OSError(full.error, os.strerror(full.error))

        class Raw(io.FileIO):
            def write(self, content: Any) -> int:
                if not has_space():
                    super().write(bytes(content)[: len(content) // 2])
                    raise OSError(full.error, os.strerror(full.error))
                return super().write(content)

        def opened(
            file: Any,
            mode: str = "r",
            buffering: int = -1,
            encoding: Any = None,
            errors: Any = None,
            newline: Any = None,
            closefd: bool = True,
            opener: Any = None,
        ) -> Any:
            if not set(mode) & set("wax+") or not full.is_mine(file):
                return real_open(file, mode, buffering, encoding, errors, newline, closefd, opener)
            if not isinstance(file, int) and not os.path.lexists(file):
                use()
            raw = Raw(file, mode.replace("b", "").replace("t", ""), closefd, opener)
            if buffering == 0:
                return raw
            buffered = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
            return buffered if "b" in mode else io.TextIOWrapper(buffered, encoding, errors, newline)

        def opened_descriptor(path: Any, flags: int, *arguments: Any, **keywords: Any) -> int:
            makes = (flags & os.O_CREAT and not os.path.lexists(path)) or flags & os.O_TMPFILE == os.O_TMPFILE
            if makes and full.is_mine(path):
                use()
            return real_os_open(path, flags, *arguments, **keywords)

        def faulty(real: Any, position: int) -> Any:
            def call(*arguments: Any, **keywords: Any) -> Any:
                if full.is_mine(arguments[position]):
                    use()
                return real(*arguments, **keywords)

            return call

        def start_epoch(learner: Learner, epoch: int) -> None:
            real_write(log, b"e")
            begin(learner, epoch)

        io.open = builtins.open = opened  # type: ignore[assignment]
        os.open = opened_descriptor  # type: ignore[assignment]
        os.write, os.fsync = faulty(os.write, 0), faulty(os.fsync, 0)
        os.mkdir, os.link = faulty(os.mkdir, 0), faulty(os.link, 1)
        Learner.start_epoch = start_epoch  # type: ignore[method-assign]

    def is_mine(self, file: Any) -> bool:
        path = Path(f"/proc/self/fd/{file}").readlink() if isinstance(file, int) else Path(os.fsdecode(file)).absolute()
        return path.is_relative_to(self.folder)


@dataclass(frozen=True)
class Whole:
    """A sweep of two runs.

    Args:
        begun: a folder in which the first run is done, and the table made of it.
        records: as ``records_of``, at the end.
        tables: as ``tables_of``, at the end.
        num_operations: of ``Full``, from ``begun`` to the end.
    """

    begun: Path
    records: dict[str, dict[str, Any]]
    tables: dict[str, str]
    num_operations: int


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    begun = tmp_path_factory.mktemp("whole") / "begun"
    commands.tiny_table(begun, num_cells=2, num_seeds=1, epochs=NUM_EPOCHS)
    assert commands.run([*RUN, *SERIAL], begun)[0] == 0
    records, tables = commands.records_of(begun), commands.tables_of(begun)
    _, second = sorted((begun / "results" / "records").iterdir(), key=lambda path: path.stat().st_mtime_ns)
    second.unlink()
    shutil.rmtree(begun / "results" / "runs" / second.stem)
    assert commands.run(["tables", "tiny.images0.1"], begun)[0] == 1
    copy = _copy(begun, begun.with_name("copy"))
    assert commands.run([*RUN, *SERIAL], copy, fault=Full(copy / "results", copy / "log"))[0] == 0
    assert commands.records_of(copy) == records
    return Whole(begun, records, tables, len((copy / "log").read_text()))


def test_no_space_from_the_kth_operation_on(tmp_path: Path, whole: Whole, figure: Callable[[int, int], int]) -> None:
    num_cases = min(figure(8, whole.num_operations), whole.num_operations)
    numbers = [1 + round(place * (whole.num_operations - 1) / (num_cases - 1)) for place in range(num_cases)]
    codes = [_check(tmp_path, whole, number, errno.EDQUOT if number % 3 else errno.ENOSPC) for number in numbers]
    # What is written last is the cache, which nobody misses.
    assert codes == sorted(codes, reverse=True)
    assert codes.count(2) >= 0.9 * num_cases - 1


def _check(folder: Path, whole: Whole, number: int, error: int) -> int:
    """Runs into a full disk, and on; returns the exit code of the first."""
    sweep = _copy(whole.begun, folder / f"{number}")
    before, old_tables = _bytes(sweep), commands.tables_of(sweep)
    code, _, err = commands.run([*RUN, *SERIAL], sweep, fault=Full(sweep / "results", sweep / "log", number, error))
    _check_told(code, err)
    assert "e" not in (sweep / "log").read_text().partition("f")[2]
    assert _bytes(sweep).items() >= before.items()
    for name, text in commands.tables_of(sweep).items():
        assert text in (old_tables[name], whole.tables[name])
    _go_on(sweep, whole)
    return code


def test_no_space_in_the_midst_of_a_real_disk(
    tmp_path: Path, whole: Whole, mounted: Callable[[Path, int], None], figure: Callable[[int, int], int]
) -> None:
    size_kib = sum(-(-path.stat().st_size // 4096) for path in whole.begun.glob("results/**/*")) * 4
    codes = []
    for more_kib in range(0, 4 * figure(1, 100), 4):
        sweep = tmp_path / f"{more_kib}"
        commands.tiny_table(sweep, num_cells=2, num_seeds=1, epochs=NUM_EPOCHS)
        mounted(sweep / "results", size_kib + more_kib)
        shutil.copytree(whole.begun / "results", sweep / "results", dirs_exist_ok=True)
        before = _bytes(sweep)
        code, _, err = commands.run([*RUN, *SERIAL], sweep)
        codes.append(code)
        _check_told(code, err, disk=sweep / "results")
        assert _bytes(sweep).items() >= before.items()
        subprocess.run(["mount", "-o", "remount,size=64m", sweep / "results"], check=True)
        _go_on(sweep, whole)
        subprocess.run(["umount", sweep / "results"], check=True)
        if code == 0:
            break
    assert codes[0] == 2


@pytest.mark.large
def test_one_worker_that_has_no_space_ends_the_others(tmp_path: Path) -> None:
    """Only one folder is full: the other run would go on for a minute."""
    sweep = tmp_path / "sweep"
    commands.tiny_table(sweep, num_cells=2, num_seeds=1, epochs=60)
    alone = tmp_path / "alone"
    shutil.copytree(sweep, alone, symlinks=True)
    assert commands.run([*RUN, *SERIAL], alone)[0] == 0
    first, second = sorted(commands.records_of(alone))
    full = At("open", rf"{first.removesuffix('.json')}/train/\.epoch3\.ckpt", what="full")
    log = Logged(sweep / "log")
    command = commands.start(
        [*RUN, *JOBLIB], sweep, fault=All((full, Slow(1.0), log)), environment={"LOKY_MAX_CPU_COUNT": "2"}
    )
    log.wait_for("epoch3")
    code = command.wait(10.0)
    _check_told(code, command.err())
    assert code == 2
    assert commands.records_of(sweep) == {}
    _, out, _ = commands.run(["status", "tiny.images0.1"], sweep)
    assert out.count("1 interrupted") == 1
    assert commands.run([*RUN, *SERIAL], sweep)[0] == 0
    assert commands.records_of(sweep) == commands.records_of(alone)
    epochs = [event.what for event in log.events() if event.run == second.removesuffix(".json")]
    assert len([what for what in epochs if what.startswith("epoch")]) < 10  # before


def test_training_one_run_without_space(tmp_path: Path, whole: Whole) -> None:
    run = ["train", "model=lenet", "model.hidden=[8,8]", "recipe=quickstart", "recipe.epochs=1", "protocol.images=0.05"]
    run += ["recipe.milestones=[]", "machine.accelerator=cpu", "machine.threads=1", "machine.results_dir=results"]
    sweep = _copy(whole.begun, tmp_path / "sweep")
    before = _bytes(sweep)
    code, _, err = commands.run(run, sweep, fault=Full(sweep / "results", sweep / "log", 20))
    _check_told(code, err)
    assert code == 2
    assert _bytes(sweep) == before
    assert commands.run(run, sweep)[0] == 0
    assert len(commands.records_of(sweep)) == 2


@pytest.fixture
def mounted() -> Iterator[Callable[[Path, int], None]]:
    """Mounts an empty disk of so many KiB."""
    places: list[Path] = []

    def mount(place: Path, size_kib: int) -> None:
        place.mkdir()
        try:
            subprocess.run(
                ["mount", "-t", "tmpfs", "-o", f"size={size_kib}k", "tmpfs", place], check=True, capture_output=True
            )
        except (OSError, subprocess.CalledProcessError):
            pytest.skip("only root may mount a disk")
        places.append(place)

    yield mount
    for place in places:
        subprocess.run(["umount", place], check=False, capture_output=True)


def _check_told(code: int, err: str, *, disk: Path = Path("/")) -> None:
    assert "Traceback" not in err
    told = [line for line in err.splitlines() if line.startswith("convrepro: ")]
    if code == 0:
        assert told == []
        return
    (line,) = told
    assert line.startswith("convrepro: no space left for results")
    assert line.endswith(f" on the disk at {disk}; free some, then go on.")
    assert len(line) <= len("convrepro: ") + 200


def _go_on(sweep: Path, whole: Whole) -> None:
    code, _, err = commands.run([*RUN, *SERIAL], sweep)
    assert code == 0, err
    assert commands.records_of(sweep) == whole.records
    assert commands.tables_of(sweep) == whole.tables
    assert commands.left_over(sweep) == []


def _bytes(sweep: Path) -> dict[str, bytes]:
    """Of the files of finished runs."""
    paths = [path for pattern in KEPT for path in (sweep / "results").glob(pattern)]
    done = {path.stem for path in (sweep / "results" / "records").glob("*.json")}
    return {str(path): path.read_bytes() for path in paths if done & {path.stem, *path.relative_to(sweep).parts}}


def _copy(begun: Path, folder: Path) -> Path:
    shutil.copytree(begun, folder, symlinks=True)
    return folder

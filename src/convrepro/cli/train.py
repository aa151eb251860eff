"""``convrepro train``: one run, or a sweep with ``-m``, by Hydra overrides."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from convrepro import config_files
from convrepro.cli.errors import one_line
from convrepro.cli.progress import TableProgress
from convrepro.records import SELECTION_RULES

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from convrepro.protocols.schema import Config
    from convrepro.records import Record

_JUDGED_BY = {"classification": "test_error", "segmentation": "test_pixel_accuracy"}  # tasks that a rule selects in

_FLAGS = ("-m", "--multirun", "--cfg", "--resolve")

HELP = """usage: convrepro train [-m] [OVERRIDE ...] [--cfg job]

Runs one seed of one cell; with -m, every combination of comma-separated values.

  convrepro train model=resnet20 conv=dk dataset=cifar10 seed=0
  convrepro train -m model=resnet20 conv=standard,dk 'seed=range(5)'
  convrepro train -m hydra/launcher=joblib conv=standard,dk 'seed=range(5)'    or ray, or submitit
  convrepro train model=cnn4 --cfg job        shows the composed config and runs nothing

Groups: {groups}.
The files in configs/GROUP are the choices; `convrepro list` has a line on most. A run that has a record is not run
again.
"""


def add_to(commands: Any) -> None:
    parser = commands.add_parser("train", add_help=False, help="one run or a sweep, by Hydra overrides")
    parser.set_defaults(command=lambda arguments: command_line([]))


def command_line(arguments: Sequence[str]) -> int:
    """Runs Hydra on the arguments after ``train``.

    Raises:
        ValueError: if an override is wrong.
    """
    from convrepro.protocols.compose import GROUPS, check_choices, check_files, explained

    if "--help" in arguments or "-h" in arguments:
        print(HELP.format(groups=", ".join(GROUPS)), end="")
        return 0
    import hydra
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    overrides = [argument for argument in arguments if not argument.startswith("-")]
    flags = [argument for argument in arguments if argument.startswith("-")]
    for flag in flags:
        config_files.check_name(flag, _FLAGS, kind="flag")
    if "--cfg" in flags:
        overrides = [override for override in overrides if override != "job"]
    check_choices(overrides, several=bool({"-m", "--multirun"} & set(flags)))
    check_files(overrides)
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then raises instead of printing and exiting
    shown = ["job"] if "--cfg" in flags else []  # what Hydra wants behind `--cfg`
    sys.argv = ["convrepro train", *flags, *shown, *overrides]
    _failures.clear()
    try:
        hydra.main(version_base="1.3", config_path=str(config_files.CONFIG_DIR), config_name="train")(_job)()
    except (HydraException, OmegaConfBaseException) as error:
        raise explained(error, overrides) from error
    return 2 if _failures else 0


_failures: list[str] = []  # of the jobs of this command; Hydra has no other way to hand them back


def _job(composed: "DictConfig") -> None:
    """Runs one job; of several, Hydra's own launcher runs one after the other."""
    sweep([composed], launcher="serial")


def sweep(composed: Sequence["DictConfig"], *, launcher: str) -> None:
    """Runs all jobs of a sweep by a launcher; prints what each found, in their order, when all have ended.

    Args:
        composed: of each job, as Hydra composes it.
        launcher: as in ``launch``.

    Raises:
        ValueError: if there is no such launcher, or it lacks its package.
    """
    from convrepro.protocols.identity import run_id
    from convrepro.protocols.validation import validate
    from convrepro.records import workspace

    configs = []
    for job in composed:
        try:
            config = validate(job)
            workspace.check_writable(Path(config.machine.results_dir))
            configs.append(config)
        except (ValueError, OSError) as error:
            _note(one_line(error))
    if not configs:
        return
    from convrepro.protocols.launch import launch  # takes seconds, which a wrong config need not wait for

    lines: dict[tuple[str, int], str] = {}
    keys = [(run_id(config), config.seed) for config in configs]
    try:
        with TableProgress("train", dict.fromkeys(keys, 1.0)) as progress:

            def advance(config: "Config", share: float) -> None:
                progress.advance((run_id(config), config.seed), _label(config), share)

            for outcome in launch(configs, launcher=launcher, report=advance):
                key, label = (run_id(outcome.config), outcome.config.seed), _label(outcome.config)
                if outcome.is_elsewhere or outcome.is_interrupted:
                    state = "another process works on it; waiting for it" if outcome.is_elsewhere else "interrupted"
                    progress.note(f"{label}: {state}")
                    continue
                if outcome.record is None:
                    _note(one_line(ValueError(f"{label}: {outcome.failure}" if len(keys) > 1 else outcome.failure)))
                else:
                    lines[key] = _line(outcome.config, outcome.record)
                if len(keys) > 1:
                    progress.end(key, f"{label}: {_summary(outcome.record) if outcome.record else 'failed'}")
    finally:
        for key in dict.fromkeys(keys):
            if key in lines:
                print(lines[key])


def _note(failure: str) -> None:
    print(f"convrepro: {failure}", file=sys.stderr)
    _failures.append(failure)


def _label(config: "Config") -> str:
    return f"{config.dataset.name} {config.model.get('name')} {config.conv.get('name')} seed {config.seed}"


def _line(config: "Config", record: "Record") -> str:
    return f"{_label(config)}: {_summary(record)}; {_path_of(config.machine.results_dir, record)}"


def _summary(record: "Record") -> str:
    if record.status == "diverged":
        return f"diverged, {record.reason}"
    task = record.config["protocol"]["task"]
    last = record.selected.get("last", {})
    if task in _JUDGED_BY:
        metric = _JUDGED_BY[task]
        rules = (
            f"{rule} {record.metric(metric, rule):.2f} % (epoch {record.selected[rule]['epoch']:.0f})"
            for rule in SELECTION_RULES
            if rule in record.selected
        )
        return f"{metric.replace('_', ' ')} by {', '.join(rules)}"
    if task == "filters":
        return f"train loss {last['train_loss']:.6g} after {last['epoch']:.0f} iterations"
    if task == "count":
        counts = [f"{record.num_parameters:,} parameters", f"{record.num_macs:,} multiply-accumulates"]
        return ", ".join([*counts, *(f"{name} {value:.4f}" for name, value in last.items())])
    return ", ".join(f"{name} {value:.6g}" for name, value in last.items())


def _path_of(results_dir: str, record: "Record") -> Path:
    from convrepro.records import store, workspace

    return store.path_of(workspace.records_dir(Path(results_dir)), record.run_id, record.seed)


if __name__ == "__main__":
    from convrepro.cli.main import main

    sys.exit(main(["train", *sys.argv[1:]]))

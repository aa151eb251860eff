"""What submitit's jobs ask for; the jobs themselves are in tests/faults."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.protocols.test_run import TINY

from convrepro.protocols.composer import compose

submitit = pytest.importorskip("submitit")
from convrepro.protocols.launchers import submitit as launcher  # noqa: E402

ROOT = Path(__file__).parents[3]


def test_settings_have_their_types() -> None:
    asked = launcher.settings("cluster=slurm  slurm_partition=gpu,cpu timeout_min=600 mem_gb=7.5")
    assert asked == {"cluster": "slurm", "slurm_partition": "gpu,cpu", "timeout_min": 600, "mem_gb": 7.5}
    assert launcher.settings("") == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("slurm_partion=gpu", "unknown key of CONVREPRO_SUBMITIT 'slurm_partion'; did you mean 'slurm_partition'?"),
        ("timeout_min=long", "`CONVREPRO_SUBMITIT` must say timeout_min=<int>, got 'timeout_min=long'."),
        ("slurm_account", "`CONVREPRO_SUBMITIT` must say slurm_account=<str>, got 'slurm_account'."),
        ("cluster=slrm", "unknown cluster of CONVREPRO_SUBMITIT 'slrm'; did you mean 'slurm'?"),
    ],
)
def test_wrong_settings_are_one_line(text: str, message: str) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011
        launcher.settings(text)
    assert str(error.value) == message


@pytest.mark.parametrize("cluster", ["local", "slurm"])
def test_submitit_takes_every_setting(cluster: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    srun = tmp_path / "srun"
    srun.write_text("#!/bin/sh\n")
    srun.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    examples: dict[type, Any] = {str: "some", int: 2, float: 1.5}
    executor = submitit.AutoExecutor(tmp_path / "jobs", cluster=cluster)
    executor.update_parameters(**{key: examples[kind] for key, kind in launcher.SETTINGS.items() if key != "cluster"})


def test_a_failed_job_is_told_by_what_its_trace_ends_with(tmp_path: Path) -> None:
    def fails() -> None:
        raise MemoryError("none left\nfor anybody else")

    job = submitit.AutoExecutor(tmp_path, cluster="local").submit(fails)
    with pytest.raises(submitit.core.utils.FailedJobError) as error:
        job.result()
    assert launcher._reason(error.value) == "MemoryError: none left for anybody else"
    assert launcher._reason(submitit.core.utils.UncompletedJobError("no output")) == "no output"


def test_jobs_ask_for_what_the_greatest_group_needs() -> None:
    groups = [[compose([*TINY, f"machine.threads={threads}", "machine.devices=2"])] for threads in (0, 3)]
    assert launcher._needs(groups) == {"cpus_per_task": 6}


@pytest.mark.parametrize("name", ["slurm_array.sh", "slurm_submitit.sh"])
def test_the_examples_are_bash(name: str) -> None:
    subprocess.run(["bash", "-n", str(ROOT / "scripts" / name)], check=True, timeout=60)

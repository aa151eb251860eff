"""The launchers of tables for sweeps: ``convrepro train -m hydra/launcher=ray ...``; found by Hydra in this package.

It imports nothing heavy, as every program that uses Hydra imports all its plugins.
"""

import copy
from collections.abc import Sequence
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn, JobStatus, filter_overrides, setup_globals
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict


class ConvreproLauncher(Launcher):
    """Hands all jobs of a sweep to ``convrepro.protocols.launch``, as ``convrepro run`` does with the runs of a table.

    Args:
        name: of the launcher there.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self._loader, self._config = hydra_context.config_loader, config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Runs the jobs; which of them failed is said there, and nothing is raised for them."""
        from convrepro.cli.train import sweep

        setup_globals()
        jobs = [self._job(overrides, number) for number, overrides in enumerate(job_overrides, start=initial_job_idx)]
        sweep([job.cfg for job in jobs if job.cfg is not None], launcher=self._name)
        return jobs

    def _job(self, overrides: Sequence[str], number: int) -> JobReturn:
        """What Hydra knows of a job, its config composed."""
        composed = self._loader.load_sweep_config(self._config, list(overrides))
        with open_dict(composed):
            composed.hydra.job.id = composed.hydra.job.num = number
        before = HydraConfig.instance().cfg
        HydraConfig.instance().set_config(composed)  # for interpolations of the job's own
        try:
            job = JobReturn(
                overrides=filter_overrides(overrides), working_dir=str(Path.cwd()), status=JobStatus.COMPLETED
            )
            job.hydra_cfg = copy.deepcopy(composed)
            with open_dict(composed):
                del composed["hydra"]
            job.cfg = composed
        finally:
            HydraConfig.instance().cfg = before
        return job

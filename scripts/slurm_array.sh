#!/bin/bash
# A table on SLURM without any launcher: every task of the array runs the same command on the shared results folder,
# and the tasks share the runs out among themselves. From the project's folder:
#
#   sbatch scripts/slurm_array.sh dk_table6 --seeds 5
#
#SBATCH --job-name=convrepro
#SBATCH --array=0-7                # as many tasks as there are to be at a time
#SBATCH --cpus-per-task=4
#SBATCH --time=04:00:00            # shorter than a run is fine: it goes on from its checkpoint
#SBATCH --signal=USR1@120          # srun's processes save what they have two minutes before the time is up
#SBATCH --requeue                  # a preempted task comes back by itself; so does, below, one whose time was up
#SBATCH --open-mode=append
#SBATCH --output=slurm-%x-%A_%a.out
##SBATCH --partition=gpu --gpus-per-task=1

set -u

srun .venv/bin/convrepro run "$@" --launcher serial --machine threads="${SLURM_CPUS_PER_TASK:-1}"
code=$?
if [ "$code" -eq 143 ] && [ -n "${SLURM_ARRAY_JOB_ID:-}" ]; then # stopped by a signal, with its checkpoints saved
    scontrol requeue "${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}"
fi
exit "$code"

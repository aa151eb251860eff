#!/bin/bash
# A table on SLURM by submitit: a small job that only submits one job per run and waits for them. From the project's
# folder, with the extra installed (pip install 'convrepro[submitit]'):
#
#   CONVREPRO_SUBMITIT="slurm_partition=gpu gpus_per_node=1 timeout_min=240" sbatch scripts/slurm_submitit.sh dk_table6
#
# It may as well run on a login node: CONVREPRO_SUBMITIT=... scripts/slurm_submitit.sh dk_table6
#
#SBATCH --job-name=convrepro
#SBATCH --cpus-per-task=1
#SBATCH --time=2-00:00:00          # of the whole table; the same command goes on where it stopped
#SBATCH --signal=B:TERM@120        # then it asks its jobs to save what they have, and ends
#SBATCH --output=slurm-%x-%j.out

set -eu

exec .venv/bin/convrepro run "$@" --launcher submitit

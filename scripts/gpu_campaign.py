"""``PYTHONPATH=src python scripts/gpu_campaign.py OPTIONS`` is ``convrepro campaign OPTIONS``, without installing."""

import sys

from convrepro.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["campaign", *sys.argv[1:]]))

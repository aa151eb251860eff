"""``python scripts/train.py OVERRIDES`` is ``convrepro train OVERRIDES``."""

import sys

from convrepro.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:]]))

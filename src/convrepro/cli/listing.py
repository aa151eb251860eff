"""``convrepro list``: tables, datasets, models, operators, with one line each."""

import argparse
from typing import Any

from convrepro import config_files

_KINDS = {"tables": "table", "datasets": "dataset", "models": "model", "operators": "conv", "recipes": "recipe",
          "protocols": "protocol"}  # fmt: skip
_KIND_OF = {group: kind for kind, group in _KINDS.items()}  # `conv`, as in conv=dk, means operators


def add_to(commands: Any) -> None:
    parser = commands.add_parser("list", help="what there is: tables, datasets, models, operators, ...")
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"any of {', '.join(_KINDS)}; all by default")
    parser.set_defaults(command=command)


def command(arguments: argparse.Namespace) -> int:
    asked = [_KIND_OF.get(kind, kind) for kind in arguments.kinds]
    for kind in asked:
        config_files.check_name(kind, _KINDS, kind="kind")
    for kind in asked or _KINDS:
        group = _KINDS[kind]
        names = config_files.names(group)
        width = max(map(len, names), default=0)
        print(f"{kind}  ({'run with' if group == 'table' else 'choose with'} "
              f"{'make reproduce-table TABLE=' if group == 'table' else group + '='}NAME)")  # fmt: skip
        for name in names:
            print(f"  {name:<{width}}  {config_files.load(group, name)['about']}")
        print()
    return 0

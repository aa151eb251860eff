"""The ``convrepro`` command: parse, call one function, print."""

import argparse
import os
import re
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from convrepro import __version__, config_files, interruption
from convrepro.cli import (
    audit,
    benchmark,
    benchmark_operators,
    campaign,
    compare,
    data,
    explain,
    export,
    listing,
    merge,
    plan,
    run,
    smoke,
    status,
    tables,
    train,
)
from convrepro.cli.errors import one_line
from convrepro.interruption import Interrupted

_COMMANDS = (
    listing,
    plan,
    run,
    tables,
    status,
    explain,
    compare,
    audit,
    train,
    data,
    export,
    campaign,
    merge,
    smoke,
    benchmark,
    benchmark_operators,
)

_RESUMED = (["run"], ["train"])


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Returns:
        0; 1 if a table is not complete; 2 for bad input, after one line on stderr; 130 after Ctrl-C, 143 after
            another signal to stop; 141 if nobody reads on.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in arguments
    arguments = [argument for argument in arguments if argument != "--debug"]
    try:
        with interruption.heeded():
            if arguments[:1] == ["train"]:
                return train.command_line(arguments[1:])  # Hydra parses what follows
            parsed = parser().parse_args(arguments)
            return int(parsed.command(parsed))
    except (Interrupted, KeyboardInterrupt) as interrupted:
        goes_on = "; the same command goes on where it stopped" if arguments[:1] in _RESUMED else ""
        print(f"convrepro: interrupted{goes_on}", file=sys.stderr)
        return interrupted.exit_code if isinstance(interrupted, Interrupted) else 130
    except BrokenPipeError:  # whoever read has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python complains at its end
        return 141
    except (ValueError, OSError) as error:
        if debug:
            raise
        print(f"convrepro: {one_line(error)}", file=sys.stderr)
        return 2


def parser() -> argparse.ArgumentParser:
    top = _Parser(
        prog="convrepro",
        description="Is a convolution paper's table true? Reproduce it, seed by seed, and get a verdict per cell.",
        epilog="Start with `convrepro list`, then `convrepro run quickstart`.",
    )
    top.add_argument("--version", action="version", version=f"convrepro {__version__}")
    top.add_argument("--debug", action="store_true", help="show where an error came from")
    commands = top.add_subparsers(metavar="COMMAND", required=True)
    for command in _COMMANDS:
        command.add_to(commands)
    return top


class _Parser(argparse.ArgumentParser):
    """Says a wrong argument in one line; argparse prints the usage first, and takes what begins as an option for it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "allow_abbrev": False})

    def error(self, message: str) -> NoReturn:
        self.exit(2, one_line(f"{self.prog}: {_with_nearest(message, self)}; see `{self.prog} --help`") + "\n")


def _with_nearest(message: str, parser: argparse.ArgumentParser) -> str:
    """argparse's message; for a word that is no choice or option, the nearest one instead of all."""
    choice = re.search(r"argument (\S+): invalid choice: '(.*?)' \(choose from (.*)\)", message)
    option = re.match(r"unrecognized arguments: (--[\w-]+)", message)
    try:
        if choice:
            config_files.check_name(choice[2], re.findall(r"\w[\w-]*", choice[3]), kind=choice[1].lower())
        elif option:
            config_files.check_name(option[1], _options(parser), kind="option")
    except ValueError as error:
        return str(error).rstrip(".")
    return message


def _options(parser: argparse.ArgumentParser) -> set[str]:
    """Those of a parser and of its commands."""
    found = {option for action in parser._actions for option in action.option_strings if option.startswith("--")}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            found = found.union(*map(_options, action.choices.values()))
    return found


if __name__ == "__main__":
    sys.exit(main())

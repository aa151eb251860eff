"""Twenty pickles that write a file when they are unpickled, each in a way of its own."""

import builtins
import functools
import os
import pickle
import runpy
import shutil
import subprocess
import timeit
from collections.abc import Callable
from pathlib import Path
from typing import Any


class Call:
    """Becomes the result of a call when it is unpickled."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.parts = function, arguments

    def __reduce__(self) -> Any:
        return self.parts


class Key(Call):
    """As the key of a dictionary."""

    def __hash__(self) -> int:
        return 0


def pickles(marker: Path) -> dict[str, bytes]:
    """Pickles by what they do to create the file ``marker``."""
    path, source = str(marker), marker.with_name("source.py")
    code = f"open({path!r}, 'w').close()"
    source.write_text(code)
    shell = f"touch '{path}'"
    write = Call(open, path, "w")
    calls = {
        "open": write,
        "os.system": Call(os.system, shell),
        "subprocess.call": Call(subprocess.call, ["touch", path]),
        "exec": Call(builtins.exec, code),
        "eval": Call(builtins.eval, code),
        "Path.touch": Call(Path.touch, marker),
        "os.mkdir": Call(os.mkdir, path),
        "shutil.copy": Call(shutil.copy, str(source), path),
        "runpy": Call(runpy.run_path, str(source)),
        "timeit": Call(timeit.timeit, code, "pass", timeit.default_timer, 1),
        "partial": Call(functools.partial(open, path), "w"),
        "in a list": [1, write],
        "in a tuple in a set": {(2, Key(open, path, "w"))},
        "as a value": {"weights": {}, "hyper_parameters": {"learning_rate": write}},
        "as a key": {Key(open, path, "w"): 1},
    }
    whole = {name: pickle.dumps(call, protocol=2 + number % 3) for number, (name, call) in enumerate(calls.items())}
    touch = b"cposix\nsystem\n" + _text(shell) + b"\x85R."
    return whole | {
        "protocol 0": b"cposix\nsystem\n(V" + shell.encode() + b"\ntR.",
        "INST": b"(V" + shell.encode() + b"\niposix\nsystem\n.",
        "OBJ": b"\x80\x02(cposix\nsystem\n" + _text(shell) + b"o.",
        "after NEWOBJ": b"\x80\x02cpathlib\nPath\n" + _text(path) + b"\x85\x810" + touch,
        "after a tensor's name": b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n0" + touch,
    }  # fmt: skip


def _text(text: str) -> bytes:
    return b"X" + len(text.encode()).to_bytes(4, "little") + text.encode()

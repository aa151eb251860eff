"""Finds what may run what it reads, or writes where it should not: ``python tests/forbidden_calls.py FOLDER ...``.

Names are followed through imports and their aliases. What was looked at and stays is in ``reviewed_calls.yaml``, by
file and form, with the reason; an entry that nothing matches any more is an error too.
"""

import ast
import sys
from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import yaml

ROOT = Path(__file__).parents[1]
REVIEWED = Path(__file__).with_name("reviewed_calls.yaml")

# Modules that run what they read, and functions whatever their arguments.
MODULES = ("pickle", "_pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve", "code", "runpy")
NAMES = (
    *("joblib.load", "pandas.read_pickle", "torch.hub", "torch.package", "torch.jit.load"),
    *("yaml.load", "yaml.load_all", "yaml.unsafe_load", "yaml.unsafe_load_all", "yaml.full_load", "yaml.full_load_all"),
    *("yaml.Loader", "yaml.UnsafeLoader", "yaml.FullLoader", "yaml.CLoader"),
    *("builtins.eval", "builtins.exec", "builtins.__import__", "builtins.compile"),
    *("os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput", "pty.spawn"),
    *("tempfile.mktemp", "shutil.unpack_archive"),
    # They unpickle what they downloaded.
    *("torchvision.datasets.CIFAR10", "torchvision.datasets.CIFAR100"),
)
# Functions that are safe with one argument only, and arguments that no function may be given.
NEEDED = {"torch.load": ("weights_only", True)}
REFUSED = {"allow_pickle": True, "shell": True, "trust_remote_code": True}


class Found(NamedTuple):
    """A forbidden form in a file."""

    path: str
    line: int
    form: str


def find(source: str, path: str) -> list[Found]:
    """The forbidden forms in a module's source, line by line."""
    tree = ast.parse(source)
    nodes = list(ast.walk(tree))
    finder = _Finder(_imported(nodes), {id(node.func) for node in nodes if isinstance(node, ast.Call)})
    texts = [node.value for node in nodes if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)]
    forms = [(node.lineno, form) for node in nodes if node not in texts for form in finder.forms(node)]
    return [Found(path, line, form) for line, form in sorted(forms)]


class _Finder:
    def __init__(self, imported: Mapping[str, str], called: Container[int]) -> None:
        self.imported = imported
        self.called = called

    def forms(self, node: ast.AST) -> Iterator[str]:
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            yield from (f"import {name}" for name in names if name.split(".")[0] in MODULES)
        elif isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load):
            name = self.qualified(node)
            if name in NAMES:
                yield name
            if name in NEEDED and id(node) not in self.called:
                yield "{} without {}={}".format(name, *NEEDED[name])
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and "http://" in node.value:
            yield "http://"
        elif isinstance(node, ast.Call):
            yield from self._of_call(node)

    def _of_call(self, call: ast.Call) -> Iterator[str]:
        name = self.qualified(call.func)
        given = {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
        if name in NEEDED:
            argument, value = NEEDED[name]
            if not (argument in given and _is(given[argument], value)):
                yield f"{name} without {argument}={value}"
        for argument, value in REFUSED.items():
            if argument in given and not _is(given[argument], not value):
                yield f"{argument}={value}"
        method = call.func.attr if isinstance(call.func, ast.Attribute) else ""
        if method in ("extract", "extractall") and "filter" not in given:
            yield f"{method} without filter"
        if name == "importlib.import_module":
            asked = call.args[0].value if call.args and isinstance(call.args[0], ast.Constant) else None
            if asked is None or asked in MODULES:
                yield f"import {asked or 'of a variable'}"

    def qualified(self, node: ast.AST) -> str:
        """The dotted name that an expression stands for, its imports followed; "" if it is none."""
        if isinstance(node, ast.Name):
            return self.imported.get(node.id, f"builtins.{node.id}")
        if isinstance(node, ast.Attribute):
            above = self.qualified(node.value)
            return f"{above}.{node.attr}" if above else ""
        return ""


def _imported(nodes: Sequence[ast.AST]) -> dict[str, str]:
    """Local name -> what was imported under it, wherever in the file."""
    names: dict[str, str] = {}
    for node in nodes:
        if isinstance(node, ast.Import):
            top = {alias.name.split(".")[0]: alias.name.split(".")[0] for alias in node.names if not alias.asname}
            names |= top | {alias.asname: alias.name for alias in node.names if alias.asname}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return names


def _is(node: ast.expr, value: bool) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


def problems(found: Sequence[Found], reviewed: Mapping[str, Mapping[str, str]]) -> list[str]:
    """A line on each form that was not reviewed, and on each review that nothing matches.

    Args:
        found: in all files.
        reviewed: path -> form -> the reason why it stays.
    """
    counted = Counter((path, form) for path, _, form in found)
    lines = [f"{path}:{line}: {form}" for path, line, form in found if form not in reviewed.get(path, {})]
    for path, reasons in reviewed.items():
        for form, reason in reasons.items():
            if not counted[path, form]:
                lines.append(f"{REVIEWED.name}: {path} has no {form} any more; take the entry out.")
            if not reason.strip():
                lines.append(f"{REVIEWED.name}: {path}, {form}: the reason is missing.")
    return lines


def main(folders: Sequence[str]) -> int:
    """Returns 1 if there is a problem, else 0."""
    paths = sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    found = [one for path in paths for one in find(path.read_text(encoding="utf-8"), path.relative_to(ROOT).as_posix())]
    lines = problems(found, yaml.safe_load(REVIEWED.read_text(encoding="utf-8")))
    sys.stdout.write("".join(f"{line}\n" for line in lines or [f"{len(paths)} files, {len(found)} forms reviewed"]))
    return bool(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

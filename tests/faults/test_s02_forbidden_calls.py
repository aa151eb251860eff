"""What reads without running and writes where it should: the gate of ``make check``, and that it finds each form."""

import pytest
import yaml
from tests import forbidden_calls

FORBIDDEN = {
    "import pickle": "import pickle",
    "import pickle as p\np.loads(b'')": "import pickle",
    "from pickle import loads as x\nx(b'')": "import pickle",
    "from pickle import Unpickler": "import pickle",
    "def f():\n    import _pickle": "import _pickle",
    "import dill, os": "import dill",
    "from marshal import loads": "import marshal",
    "import shelve": "import shelve",
    "import importlib\nimportlib.import_module('pickle').loads(b'')": "import pickle",
    "from importlib import import_module as i\ni(name)": "import of a variable",
    "__import__('pickle')": "builtins.__import__",
    "import joblib\njoblib.load(path)": "joblib.load",
    "from joblib import load as read\nread(path)": "joblib.load",
    "import pandas as pd\npd.read_pickle(path)": "pandas.read_pickle",
    "import torch\ntorch.load(path)": "torch.load without weights_only=True",
    "import torch as t\nt.load(path, weights_only=False)": "torch.load without weights_only=True",
    "from torch import load as x\nx(path, weights_only=flag)": "torch.load without weights_only=True",
    "import torch\ntorch.load(path, **given)": "torch.load without weights_only=True",
    "import torch\nread = torch.load": "torch.load without weights_only=True",
    "import functools, torch\nfunctools.partial(torch.load, path)": "torch.load without weights_only=True",
    "import torch\ntorch.hub.load('a', 'b')": "torch.hub",
    "import numpy as np\nnp.load(path, allow_pickle=True)": "allow_pickle=True",
    "import numpy as np\nnp.lib.format.read_array(f, allow_pickle=flag)": "allow_pickle=True",
    "import yaml\nyaml.load(text, yaml.SafeLoader)": "yaml.load",
    "from yaml import load as x\nx(text)": "yaml.load",
    "import yaml\nyaml.unsafe_load(text)": "yaml.unsafe_load",
    "from yaml import UnsafeLoader\nf(UnsafeLoader)": "yaml.UnsafeLoader",
    "eval('1')": "builtins.eval",
    "run = exec": "builtins.exec",
    "import builtins\nbuiltins.eval('1')": "builtins.eval",
    "import subprocess\nsubprocess.run(text, shell=True)": "shell=True",
    "import subprocess as s\ns.Popen(text, shell=flag)": "shell=True",
    "from subprocess import getoutput\ngetoutput(text)": "subprocess.getoutput",
    "import os\nos.system(text)": "os.system",
    "from os import system as run\nrun(text)": "os.system",
    "import os\nos.popen(text)": "os.popen",
    "import tarfile\ntarfile.open(path).extractall(folder)": "extractall without filter",
    "archive.extract(member, folder)": "extract without filter",
    "import shutil\nshutil.unpack_archive(path)": "shutil.unpack_archive",
    "import tempfile\ntempfile.mktemp()": "tempfile.mktemp",
    "from tempfile import mktemp as x\nx()": "tempfile.mktemp",
    "fetch('http://example.org/a')": "http://",
    "fetch(f'http://{host}/a')": "http://",
    "from torchvision.datasets import CIFAR10\nCIFAR10(folder)": "torchvision.datasets.CIFAR10",
}
HARMLESS = (
    "import torch\ntorch.load(path, weights_only=True)",
    "import numpy as np\nnp.load(path, allow_pickle=False)",
    "import yaml\nyaml.safe_load(text)",
    "import subprocess\nsubprocess.run([program, argument])",
    "network.eval()",
    "archive.extractall(folder, filter='data')",
    "archive.extractfile(member)",
    "'''See http://example.org.'''",
    "import importlib\nimportlib.import_module('json')",
    "from convrepro.data import load\nload(config)",
    "import tempfile\ntempfile.mkstemp()",
)


@pytest.mark.parametrize("source", FORBIDDEN)
def test_each_forbidden_form_is_found(source: str) -> None:
    assert FORBIDDEN[source] in [found.form for found in forbidden_calls.find(source, "a.py")]


@pytest.mark.parametrize("source", HARMLESS)
def test_what_is_harmless_is_not(source: str) -> None:
    assert forbidden_calls.find(source, "a.py") == []


def test_a_finding_says_where() -> None:
    assert forbidden_calls.find("x = 1\n\neval(x)\n", "src/a.py") == [
        forbidden_calls.Found("src/a.py", 3, "builtins.eval")
    ]


def test_a_reviewed_form_stays_in_its_file_only() -> None:
    found = [forbidden_calls.Found("a.py", 1, "os.system"), forbidden_calls.Found("b.py", 2, "os.system")]
    assert forbidden_calls.problems(found, {"a.py": {"os.system": "a constant"}}) == ["b.py:2: os.system"]


def test_a_review_that_nothing_matches_is_an_error() -> None:
    (line,) = forbidden_calls.problems([], {"a.py": {"os.system": "a constant"}})
    assert line == "reviewed_calls.yaml: a.py has no os.system any more; take the entry out."


def test_a_review_needs_a_reason() -> None:
    found = [forbidden_calls.Found("a.py", 1, "os.system")]
    (line,) = forbidden_calls.problems(found, {"a.py": {"os.system": " "}})
    assert line.endswith("the reason is missing.")


def test_this_project_has_none_outside_the_reviewed_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert forbidden_calls.main(["src", "scripts"]) == 0, capsys.readouterr().out


def test_config_files_fetch_nothing_by_http() -> None:
    for path in (forbidden_calls.ROOT / "configs").rglob("*.yaml"):
        for download in (yaml.safe_load(path.read_text(encoding="utf-8")) or {}).get("downloads", []):
            assert str(download["url"]).startswith("https://"), path

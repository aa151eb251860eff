"""convrepro: reproduce the tables of convolution papers, and judge them."""

import ctypes
import importlib.abc
import importlib.machinery
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

__version__ = "0.1.0"


class _TorchvisionOperators(importlib.abc.MetaPathFinder):
    """Defines two operator schemas right before torchvision is first imported, where they are missing.

    PyPI's torchvision for Linux is built against CUDA. Beside a CPU-only torch its operators cannot load, and
    its import fails with "operator torchvision::nms does not exist". Data sets, transforms and networks need
    none of its operators.
    """

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> None:
        if fullname == "torchvision":
            sys.meta_path.remove(self)
            if not _operators_load(importlib.machinery.PathFinder.find_spec("torchvision")):
                _define_operator_schemas()


def _operators_load(torchvision: importlib.machinery.ModuleSpec | None) -> bool:
    folders = torchvision.submodule_search_locations if torchvision else None
    libraries = [library for folder in folders or [] for library in Path(folder).glob("_C.*")]
    if not libraries:
        return False
    import torch  # noqa: F401  (its libraries must be in the process before those that link to them)

    try:
        ctypes.CDLL(str(libraries[0]))
    except OSError:
        return False
    return True


def _define_operator_schemas() -> None:
    import torch

    library = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")  # type: ignore[no-untyped-call]
    _KEEP_ALIVE.append(library)


_KEEP_ALIVE: list[object] = []  # a Library undoes its definitions when it is collected
sys.meta_path.insert(0, _TorchvisionOperators())

"""What a run was made with."""

import json
import subprocess
from typing import Any

import pytest
import torch

from convrepro.protocols import environment
from convrepro.protocols.composer import compose


def _described(*overrides: str) -> dict[str, Any]:
    return environment.describe(torch.device("cpu"), compose(list(overrides)), 5)


def test_versions_device_and_threads_are_named() -> None:
    described = _described()
    assert described["versions"]["torch"] == torch.__version__
    assert described["device"]
    assert described["threads"] == torch.get_num_threads()
    assert isinstance(described["git_dirty"], bool)
    assert described["seeds_together"] == 5
    assert (described["precision"], described["compiled"]) == ("float32", False)
    assert described["memory_format"] == "channels_last"
    json.dumps(described, allow_nan=False)


def test_a_checkout_that_is_not_this_projects_is_no_commit_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "_git", lambda folder, *arguments: "/somebody/elses")
    environment._code.cache_clear()
    try:
        assert _described()["git_commit"] == ""
    finally:
        environment._code.cache_clear()


def test_a_slow_git_stops_no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(folder: object, *arguments: str) -> str:
        raise subprocess.TimeoutExpired("git", 30)

    monkeypatch.setattr(environment, "_git", slow)
    environment._code.cache_clear()
    try:
        assert _described()["git_dirty"] is False
    finally:
        environment._code.cache_clear()

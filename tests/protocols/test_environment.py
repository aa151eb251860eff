"""What a run was made with."""

import json

import torch

from convrepro.protocols import environment


def test_versions_device_and_threads_are_named() -> None:
    described = environment.describe(torch.device("cpu"), channels_last=True)
    assert described["versions"]["torch"] == torch.__version__
    assert described["device"]
    assert described["threads"] == torch.get_num_threads()
    assert isinstance(described["git_dirty"], bool)
    json.dumps(described, allow_nan=False)

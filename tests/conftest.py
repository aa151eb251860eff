"""Processes that tests start are forked from one that has imported everything, in milliseconds."""

import pytest
from tests import commands


@pytest.fixture(scope="session", autouse=True)
def _server() -> None:
    commands.start_server()

"""Processes of these tests start in milliseconds."""

import pytest
from tests.faults import commands


@pytest.fixture(scope="session", autouse=True)
def _server() -> None:
    commands.start_server()

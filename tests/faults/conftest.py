"""How often: each scenario has a small figure for `make test` and a large one for `make test-faults`."""

import os
from collections.abc import Callable

import pytest

_ASKED = os.environ.get("CONVREPRO_FAULTS", "")  # set by `make test-faults`: a number, or "large"


@pytest.fixture
def figure() -> Callable[[int, int], int]:
    """From the small and the large figure of a scenario to the one that is asked for."""

    def choose(small: int, large: int) -> int:
        return int(_ASKED) if _ASKED.isdecimal() else large if _ASKED else small

    return choose


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if not _ASKED and item.get_closest_marker("large"):
            item.add_marker(pytest.mark.skip(reason="takes longer: make test-faults"))

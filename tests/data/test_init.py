"""The package's lazy names."""

import pytest

from convrepro import data


def test_every_public_name_is_there() -> None:
    for name in data.__all__:
        assert getattr(data, name).__name__ == name


def test_unknown_name() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'lod'"):
        data.lod  # noqa: B018

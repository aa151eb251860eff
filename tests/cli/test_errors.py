"""How an error is told."""

from convrepro.cli.errors import one_line


def test_a_long_message_is_cut() -> None:
    assert len(f"convrepro: {one_line(ValueError('x' * 300))}") == 200
    assert one_line(ValueError("a\n  b")) == "a b"

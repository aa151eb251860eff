"""How an error is told."""

_MAX_CHARACTERS = 200


def one_line(error: Exception) -> str:
    """An error's message on one line of at most 200 characters."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= _MAX_CHARACTERS else text[: _MAX_CHARACTERS - 1] + "…"

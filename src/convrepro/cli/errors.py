"""How an error is told."""

_MAX_CHARACTERS = 200 - len("convrepro: ")


def one_line(error: Exception | str) -> str:
    """An error's message on one line of 200 characters with `convrepro: `, in which nothing drives the terminal."""
    from convrepro.reporting import neutral  # here, for it takes a tenth of a second, and most commands tell no error

    text = neutral.plain(" ".join(str(error).split())) or type(error).__name__
    if len(text) <= _MAX_CHARACTERS:
        return text
    head = _MAX_CHARACTERS // 3  # what is wrong stands first, what to do last; in between stand long paths
    return text[:head] + "…" + text[head + 1 - _MAX_CHARACTERS :]

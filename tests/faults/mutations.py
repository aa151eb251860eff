"""What happens to text files: on disks, in editors, in spreadsheets, in mails."""

import random
from collections.abc import Callable

Mutation = Callable[[bytes, random.Random], bytes]


def _line(change: Callable[[bytes, random.Random], bytes]) -> Mutation:
    """The change of any one line, which has no line end."""

    def mutate(content: bytes, numbers: random.Random) -> bytes:
        lines = content.split(b"\n")
        number = numbers.randrange(max(1, len(lines) - 1))
        lines[number] = change(lines[number], numbers)
        return b"\n".join(lines)

    return mutate


def _insert(*texts: bytes) -> Mutation:
    def mutate(content: bytes, numbers: random.Random) -> bytes:
        where = numbers.randrange(len(content) + 1)
        return content[:where] + numbers.choice(texts) + content[where:]

    return mutate


def _number(*texts: bytes) -> Mutation:
    """Another text in the place of a number, which stands between two characters that no number has."""

    def mutate(content: bytes, numbers: random.Random) -> bytes:
        digits = [where for where, letter in enumerate(content) if letter in b"0123456789"]
        start = end = numbers.choice(digits)
        while start and content[start - 1 : start] in b"0123456789.-":
            start -= 1
        while content[end : end + 1] and content[end : end + 1] in b"0123456789.":
            end += 1
        return content[:start] + numbers.choice(texts) + content[end:]

    return mutate


def _thousands(content: bytes, numbers: random.Random) -> bytes:
    pairs = [where for where in range(1, len(content)) if content[where - 1 : where + 1].isdigit()]
    where = numbers.choice(pairs)
    return content[:where] + numbers.choice((b",", b"'", b" ", b"_", "\u202f".encode())) + content[where:]


def _columns(change: Callable[[list[bytes], int], list[bytes]]) -> Mutation:
    """The same change of one column in every line."""

    def mutate(content: bytes, numbers: random.Random) -> bytes:
        lines = content.split(b"\n")
        column = numbers.randrange(len(lines[0].split(b",")))
        return b"\n".join(b",".join(change(line.split(b","), column)) if line else line for line in lines)

    return mutate


def _without_line(content: bytes, numbers: random.Random) -> bytes:
    lines = content.split(b"\n")
    del lines[numbers.randrange(len(lines) - 1)]
    return b"\n".join(lines)


def _line_twice(content: bytes, numbers: random.Random) -> bytes:
    lines = content.split(b"\n")
    line = numbers.choice(lines[:-1])
    lines.insert(numbers.randrange(len(lines)), line)
    return b"\n".join(lines)


def _cut_in_line(line: bytes, numbers: random.Random) -> bytes:
    """At a comma: what a cut leaves of the last field cannot be told from another number."""
    fields = line.split(b",")
    return b",".join(fields[: numbers.randrange(len(fields))])


def _cell_twice(line: bytes, numbers: random.Random) -> bytes:
    fields = line.split(b",")
    number = numbers.randrange(len(fields))
    return b",".join([*fields[: number + 1], *fields[number:]])


MUTATIONS: dict[str, Mutation] = {
    "cut": lambda content, numbers: content[: numbers.randrange(len(content))],
    "cut at a line": lambda content, numbers: content[: content.find(b"\n", numbers.randrange(len(content))) + 1],
    "line cut": _line(_cut_in_line),
    "line lost": _without_line,
    "line twice": _line_twice,
    "line end lost": _line(lambda line, numbers: line),
    "cell twice": _line(_cell_twice),
    "NUL": _insert(b"\0"),
    "bad UTF-8": _insert(b"\xff", b"\xe9", b"\xc3", b"\xed\xa0\x80"),
    "byte order mark": lambda content, numbers: b"\xef\xbb\xbf" + content,
    "CRLF": lambda content, numbers: content.replace(b"\n", b"\r\n"),
    "a CRLF": lambda content, numbers: content.replace(b"\n", b"\r\n", numbers.randrange(9)),
    "CR": lambda content, numbers: content.replace(b"\n", b"\r"),
    "UTF-16": lambda content, numbers: content.decode().encode("utf-16"),
    "no number": _number(b"NaN", b"nan", b"inf", b"-Infinity", b"1e999", b"", b'""', b"null", b"#REF!", b"five"),
    "thousands": _thousands,
    "decimal comma": lambda content, numbers: content.replace(b".", b",", numbers.randrange(1, 5)),
    "semicolons": lambda content, numbers: content.replace(b",", b";"),
    "tabs": lambda content, numbers: content.replace(b",", b"\t"),
    "a semicolon": _line(lambda line, numbers: line.replace(b",", b";", 1)),
    "a quotation mark": _insert(b'"'),
    "column lost": _columns(lambda fields, column: fields[:column] + fields[column + 1 :]),
    "column twice": _columns(lambda fields, column: fields[: column + 1] + fields[column:]),
    "empty": lambda content, numbers: b"",
    "empty lines": lambda content, numbers: b"\n\n\n",
    "zeros": lambda content, numbers: bytes(len(content)),
    "zeros at the end": lambda content, numbers: content[: len(content) // 2] + bytes(len(content) // 2),
    "another file": lambda content, numbers: b"<!DOCTYPE html>\n<html><body>404, not found</body></html>\n",
}
MUTATIONS["line end lost"] = lambda content, numbers: content.replace(b"\n", b"", 1 + numbers.randrange(3))

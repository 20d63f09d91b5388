"""Reading a large JSON object piece by piece, so that nobody waits while it is parsed.

A parser written in C keeps the interpreter for itself until it is through, in whatever thread it
runs: half a million packs would stop everything for a second. Here the standard library's parser
reads one value at a time out of a small window on the body, and the caller lets others run
whenever a window ends.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple, NoReturn

VALUE_LENGTH_MAX: Final = 4_096
"""Characters of a value that is no array of packs, and of blanks between two tokens (our choice: a
pack has some 150)."""
_WINDOW_BYTES: Final = 4_096
"""Some twenty-five packs: a third of a millisecond (our choice, measured)."""
_BLANK: Final = frozenset(" \t\r\n")
_BLANKS: Final = re.compile(rf"[ \t\r\n]{{0,{VALUE_LENGTH_MAX}}}")


class JsonFormError(ValueError):
    """The text is no JSON, or holds a value longer than is taken."""


class Element(NamedTuple):
    """An element of an array."""

    value: Any
    text: str
    """As it was sent."""


def _refuse_constant(name: str) -> NoReturn:
    raise JsonFormError(f"{name} is no JSON")


_decoder: Final = json.JSONDecoder(parse_constant=_refuse_constant)


class JsonPieces:
    """A cursor on the bytes of one JSON text in UTF-8. All methods raise JsonFormError."""

    def __init__(self, body: bytes | bytearray, window_bytes: int = _WINDOW_BYTES) -> None:
        self._body = memoryview(body)
        self._next_byte = 3 if body.startswith(codecs.BOM_UTF8) else 0
        self._window_bytes = window_bytes
        self._text = ""
        self._at = 0
        self.window_count = 0
        """Windows read so far."""

    def _fill(self) -> None:
        """Make sure that a whole value is in the window, unless the text ends before."""
        while len(self._text) - self._at < VALUE_LENGTH_MAX and self._next_byte < len(self._body):
            chunk = self._body[self._next_byte : self._next_byte + self._window_bytes]
            is_last = self._next_byte + len(chunk) == len(self._body)
            try:
                text, used = codecs.utf_8_decode(chunk, "strict", is_last)
            except UnicodeDecodeError as error:
                raise JsonFormError("the text is no UTF-8") from error
            self._text = self._text[self._at :] + text
            self._at = 0
            self._next_byte += used
            self.window_count += 1

    def _skip_blanks(self) -> None:
        self._fill()
        blanks = _BLANKS.match(self._text, self._at)
        assert blanks is not None
        self._at = blanks.end()

    def take(self, mark: str) -> bool:
        """Go behind a punctuation mark, if it is the next; tell whether it is."""
        if not self._text.startswith(mark, self._at):
            self._skip_blanks()
            if not self._text.startswith(mark, self._at):
                return False
        self._at += 1
        return True

    def expect(self, mark: str) -> None:
        """Go behind a punctuation mark."""
        if not self.take(mark):
            raise JsonFormError(f"{mark!r} is missing")

    def expect_end(self) -> None:
        """Make sure that nothing follows."""
        self._skip_blanks()
        if self._at < len(self._text):
            raise JsonFormError("something follows the object")

    def value(self) -> Element:
        """Read a value of whatever kind."""
        self._fill()
        if self._text[self._at : self._at + 1] in _BLANK:
            self._skip_blanks()
            self._fill()
        start = self._at
        try:
            value, end = _decoder.raw_decode(self._text, start)
        except (ValueError, RecursionError) as error:
            raise JsonFormError("here is no JSON value, or one that is too long") from error
        if end - start > VALUE_LENGTH_MAX:
            raise JsonFormError("a value is too long")
        self._at = end
        return Element(value, self._text[start:end])

    def elements(self) -> Iterator[Element]:
        """Read an array of values, its opening bracket behind us."""
        if self.take("]"):
            return
        while True:
            yield self.value()
            if self.take("]"):
                return
            self.expect(",")

    def member_names(self) -> Iterator[str]:
        """Read an object up to its end; the caller reads each member's value."""
        self.expect("{")
        if self.take("}"):
            return
        while True:
            name = self.value().value
            if not isinstance(name, str):
                raise JsonFormError("a member has no name")
            self.expect(":")
            yield name
            if self.take("}"):
                return
            self.expect(",")

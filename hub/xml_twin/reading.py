"""An XML message turned into the JSON of the same message, piece by piece.

expat reads it, not libxml2: that keeps every name it has met for as long as its thread lives, and
here a stranger's message has as many as fit into megabytes. A document type is refused, so there
are no entities to expand, and nothing is fetched.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any, Final
from xml.parsers import expat

import msgspec

from emvs.errors import BadRequestError
from hub.xml_twin import NAMESPACE
from hub.xml_twin.shapes import Member, members_of

_PIECE_BYTES: Final = 64 * 1024
_TOKEN_BYTES_MAX: Final = 256 * 1024
"""A tag or comment may have so many: the parser reads one anew with each piece while it is open."""
_DEPTH_MAX: Final = 8
_SEPARATOR: Final = " "
_INSTANCE: Final = f"http://www.w3.org/2001/XMLSchema-instance{_SEPARATOR}"
_INTEGER: Final = re.compile(r"-?\d{1,18}")


async def json_of(body: bytes, kind: Any, root: str) -> bytes:
    """Return the JSON of the message of this kind in an XML document, whose element is `root`.

    Lets the event loop run in between. What is in the message is judged by whoever reads the JSON;
    only what has no place in JSON is refused here, with BadRequestError.
    """
    reader = _Reader(kind, root)
    view = memoryview(body)
    for start in range(0, len(body), _PIECE_BYTES):
        reader.feed(view[start : start + _PIECE_BYTES])
        await asyncio.sleep(0)
    return msgspec.json.encode(reader.end())


class _Element:
    """An element that is open."""

    __slots__ = ("content", "members", "name", "path", "text")

    def __init__(self, name: str, path: str, members: dict[str, Member] | None) -> None:
        self.name = name
        self.path = path
        self.members = members
        """None: it holds text."""
        self.content: dict[str, Any] = {}
        self.text: list[str] = []


class _Reader:
    """Takes pieces of one document."""

    def __init__(self, kind: Any, root: str) -> None:
        self._kind = kind
        self._root = root
        self._open: list[_Element] = []
        self._message: dict[str, Any] | None = None
        self._bytes = 0
        parser = self._parser = expat.ParserCreate(namespace_separator=_SEPARATOR)
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.StartDoctypeDeclHandler = self._refuse_doctype

    def feed(self, piece: memoryview) -> None:
        self._parse(piece, is_last=False)
        self._bytes += len(piece)
        if self._bytes - self._parser.CurrentByteIndex > _TOKEN_BYTES_MAX:
            raise BadRequestError(f"a tag or comment has more than {_TOKEN_BYTES_MAX} bytes")

    def end(self) -> dict[str, Any]:
        self._parse(memoryview(b""), is_last=True)
        assert self._message is not None, "a document without an element is not well-formed"
        return self._message

    def _parse(self, piece: memoryview, *, is_last: bool) -> None:
        try:
            self._parser.Parse(piece, is_last)
        except expat.ExpatError as error:
            raise BadRequestError(f"the XML is not well-formed: {error}") from error
        except (LookupError, ValueError) as error:
            raise BadRequestError("the XML's encoding is not known here: use UTF-8") from error

    def _refuse_doctype(self, *_: object) -> None:
        raise BadRequestError("a document type is not taken: leave <!DOCTYPE ...> out")

    def _start(self, qualified: str, attributes: dict[str, str]) -> None:
        namespace, _, name = qualified.rpartition(_SEPARATOR)
        if namespace != NAMESPACE:
            raise BadRequestError(
                f"element {name[:40]!a} is of the namespace {namespace[:80]!a}; ours is"
                f" {NAMESPACE!a}"
            )
        if any(not attribute.startswith(_INSTANCE) for attribute in attributes):
            raise BadRequestError(f"element {name[:40]!a} has an attribute; messages have none")
        if attributes.get(f"{_INSTANCE}nil") in {"true", "1"}:
            raise BadRequestError(f"element {name[:40]!a} is nil: leave it out")
        if not self._open:
            if name != self._root:
                raise BadRequestError(f"the element is {name[:40]!a}, here it is {self._root!a}")
            self._open.append(_Element(name, "$", members_of(self._kind)))
            return
        parent = self._open[-1]
        if parent.members is None:
            raise BadRequestError(f"an element inside text - at `{parent.path}`")
        if len(self._open) >= _DEPTH_MAX:
            raise BadRequestError("the XML is nested too deeply")
        member = parent.members.get(name)
        if member is None:
            raise BadRequestError(
                f"{name[:40]!a} is not a member of the message - at `{parent.path}`"
            )
        if not member.is_list and name in parent.content:
            raise BadRequestError(f"{name} stands twice - at `{parent.path}`")
        inner = members_of(member.kind) if member.is_message else None
        self._open.append(_Element(name, f"{parent.path}.{name}", inner))

    def _characters(self, text: str) -> None:
        element = self._open[-1]
        if element.members is None:
            element.text.append(text)
        elif not text.isspace():
            raise BadRequestError(f"text beside elements - at `{element.path}`")

    def _end(self, _: str) -> None:
        element = self._open.pop()
        if not self._open:
            self._message = element.content
            return
        parent = self._open[-1]
        assert parent.members is not None, "only an element with members has one inside"
        member = parent.members[element.name]
        value: Any = element.content
        if element.members is None:
            value = _value("".join(element.text), member.kind)
        if member.is_list:
            parent.content.setdefault(element.name, []).append(value)
        else:
            parent.content[element.name] = value


def _value(text: str, kind: Any) -> Any:
    """Return what JSON has in place of a text; what does not fit is left to its reader."""
    if kind is int and _INTEGER.fullmatch(text.strip()):
        return int(text)
    if kind is bool and text.strip() in {"true", "false"}:
        return text.strip() == "true"
    return text

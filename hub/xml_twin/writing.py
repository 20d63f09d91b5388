"""JSON of an answer written as XML: the same names, a list as its element repeated.

What is null is left out. A member whose name is no XML name becomes `<entry name="...">`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final
from xml.sax.saxutils import escape, quoteattr

from hub.xml_twin import NAMESPACE

ROOT: Final = "answer"
PROBLEM: Final = "problem"
_PROBLEM_NAMESPACE: Final = "urn:ietf:rfc:7807"
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def xml_of(content: Any, *, is_problem: bool = False) -> Iterator[str]:
    """Yield the parts of the XML document of an answer; a part is an element at most."""
    root = PROBLEM if is_problem else ROOT
    namespace = _PROBLEM_NAMESPACE if is_problem else NAMESPACE
    yield f'<?xml version="1.0" encoding="UTF-8"?>\n<{root} xmlns="{namespace}">'
    members = content if isinstance(content, dict) else {"entry": content}
    for name, value in members.items():
        yield from _element(name, value)
    yield f"</{root}>\n"


def _element(name: str, value: Any) -> Iterator[str]:
    if value is None:
        return
    if isinstance(value, list):
        for one in value:
            yield from _element(name, one)
        return
    start = end = name
    if _NAME.fullmatch(name) is None:
        start, end = f"entry name={quoteattr(_fit(name))}", "entry"
    if isinstance(value, dict):
        yield f"<{start}>"
        for inner, one in value.items():
            yield from _element(inner, one)
        yield f"</{end}>"
        return
    text = value if isinstance(value, str) else _written(value)
    # A carriage return that is not written as a reference would be read as a line feed.
    shown = escape(_fit(text), {"\r": "&#13;"})
    yield f"<{start}>{shown}</{end}>"


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _fit(text: str) -> str:
    """Return a text without what XML cannot hold."""
    return _NOT_XML.sub("\ufffd", text)

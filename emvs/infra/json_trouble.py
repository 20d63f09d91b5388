"""What is wrong with a JSON body, in words: the library's own ones name no allowed value, no
pattern's meaning, and of a text that is no JSON only a place."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from functools import cache
from typing import Any, Final

import msgspec
from msgspec import inspect

_GZIP: Final = b"\x1f\x8b"
_PLACE: Final = re.compile(r" - at `(.+)`\Z")
_STEP: Final = re.compile(r"\.([^.\[]+)|(\[[^\]]*\])")
_NO_VALUE: Final = "Invalid enum value"
_NO_MATCH: Final = "Expected `str` matching regex"


def trouble(body: bytes | bytearray, kind: Any, error: Exception) -> str:
    """Return why `body` is no message of this kind; `error` is what the JSON library says."""
    if isinstance(error, msgspec.ValidationError):
        return _unfit(kind, str(error))
    if not body.strip():
        return "the body is empty: a message in JSON is wanted"
    if body.startswith(codecs.BOM_UTF8):
        return "the body begins with a byte order mark, which JSON has not (RFC 8259, 8.1)"
    if body.startswith(_GZIP):
        return "the body is packed with gzip: say so with Content-Encoding: gzip"
    try:
        body.decode()
    except UnicodeDecodeError as wrong:
        return f"the text is not UTF-8, as JSON is (byte {wrong.start}, RFC 8259, 8.1)"
    return str(error) or "the JSON is nested too deeply"


def _unfit(kind: Any, text: str) -> str:
    found = _PLACE.search(text)
    if found is None or not text.startswith((_NO_VALUE, _NO_MATCH)):
        return text
    types = list(_types_at(_described(kind), found[1]))
    if text.startswith(_NO_VALUE):
        values = [value for one in types for value in _values(one)]
        if not values:
            return text
        return f"{text[: found.start()]}: one of {', '.join(values)}{found[0]}"
    words = next((one for one in map(_description, types) if one), None)
    return f"{words}{found[0]}" if words else text


@cache
def _described(kind: Any) -> Any:
    return inspect.type_info(kind)


def _types_at(described: Any, place: str) -> Iterator[Any]:
    """Yield what may stand at a place in a message, as `$.markets[0].market`."""
    types = list(_alternatives(described))
    for name, index in _STEP.findall(place):
        inner = (_inside(one, name) if not index else _element(one) for one in types)
        types = [one for each in inner if each is not None for one in _alternatives(each)]
    yield from types


def _alternatives(described: Any) -> Iterator[Any]:
    if isinstance(described, inspect.UnionType):
        for one in described.types:
            yield from _alternatives(one)
    else:
        yield described


def _plain(described: Any) -> Any:
    return described.type if isinstance(described, inspect.Metadata) else described


def _inside(described: Any, name: str) -> Any:
    fields = getattr(_plain(described), "fields", ())
    return next((one.type for one in fields if one.encode_name == name), None)


def _element(described: Any) -> Any:
    plain = _plain(described)
    return getattr(plain, "item_type", getattr(plain, "value_type", None))


def _values(described: Any) -> list[str]:
    plain = _plain(described)
    if isinstance(plain, inspect.EnumType):
        return [str(one.value) for one in plain.cls]
    return [str(one) for one in getattr(plain, "values", ())]


def _description(described: Any) -> str | None:
    if not isinstance(described, inspect.Metadata):
        return None
    words: str | None = (described.extra_json_schema or {}).get("description")
    return words

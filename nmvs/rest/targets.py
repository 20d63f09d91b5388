"""Request targets of the REST dialect: which resource one names, and the identifiers in it.

The raw target is read, never a decoded path: a serial number may hold `/` and `%2F`, and both
must arrive as one character of the serial. Whether identifiers are well-formed is not judged
here. Sources: the public clients of the REST-built systems, old and new ones.
"""

from __future__ import annotations

from typing import Final, NamedTuple
from urllib.parse import unquote, unquote_plus

# The address of the first installations, of the old test environment, and today's. The longest
# comes first because today's clients are the most.
_PACK_HEADS: Final = ("/verification/product/", "/product/", "/api/product/")
_HEAD_LENGTH_MAX: Final = max(map(len, _PACK_HEADS))
_PREFIXES: Final = ("/verification", "/api")
_TOKEN_TAIL: Final = "/connect/token"  # noqa: S105 - a path
_WELL_KNOWN: Final = "/.well-known/"
_PACK_WORD: Final = "pack"


class PackTarget(NamedTuple):
    """Identifiers as a request target carries them, decoded once."""

    scheme: str
    product_code: str
    serial_number: str
    batch_id: str | None
    """None if absent or empty: a widespread HTTP library writes `batch=` for no value."""
    expiry: str | None


def parse_pack_target(target: str) -> PackTarget | None:
    """Return the identifiers of `{base}/product/{scheme}/{code}/pack/{serial}?batch=&expiry=`.

    None if the target is no pack's. Words of the path match in any case. All that stands between
    `/pack/` and the question mark is the serial number; there a plus is a plus, in the query it
    is a blank, as forms have it.
    """
    if not target.startswith("/"):
        target = _origin_form(target)
    path, _, query = target.partition("?")
    head = path[:_HEAD_LENGTH_MAX].lower()
    for known in _PACK_HEADS:
        if head.startswith(known):
            parts = path[len(known) :].split("/", 3)
            break
    else:
        return None
    if len(parts) == 3:  # The path ends with the word: the serial number is missing.
        parts.append("")
    if len(parts) != 4 or parts[2].lower() != _PACK_WORD:
        return None
    scheme, product_code, _, serial_number = parts
    if "%" in path:
        scheme, product_code = unquote(scheme), unquote(product_code)
        serial_number = unquote(serial_number)
    batch_id = expiry = None
    for pair in query.split("&"):
        name, _, value = pair.partition("=")
        if not value:
            continue
        if "%" in value or "+" in value:
            value = unquote_plus(value)
        name = name.lower()
        if name == "batch":
            batch_id = value
        elif name == "expiry":
            expiry = value
    return PackTarget(scheme, product_code, serial_number, batch_id, expiry)


def is_token_target(target: str) -> bool:
    """Tell whether this is a token endpoint: `/connect/token`, under whatever prefix."""
    path = _origin_form(target).partition("?")[0]
    return path.rstrip("/").lower().endswith(_TOKEN_TAIL)


def split_identity_target(target: str) -> tuple[str, str] | None:
    """Return the raw path before `/.well-known/`, as the client wrote it, and what follows, in
    small letters; None if the target is no description of the identity server."""
    path = _origin_form(target).partition("?")[0].rstrip("/")
    at = path.lower().find(_WELL_KNOWN)
    return None if at < 0 else (path[:at], path[at + len(_WELL_KNOWN) :].lower())


def split_target(target: str) -> tuple[str, str, str]:
    """Return the prefix as the client wrote it, the path behind it, and the query, all raw."""
    path, _, query = _origin_form(target).partition("?")
    for known in _PREFIXES:
        if path[: len(known) + 1].lower() == known + "/":
            return path[: len(known)], path[len(known) :], query
    return "", path, query


def _origin_form(target: str) -> str:
    """Return path and query of a target that a proxy's client sent with scheme and host."""
    if target.startswith("/"):
        return target
    _, _, rest = target.partition("://")
    _, slash, path = rest.partition("/")
    return slash + path

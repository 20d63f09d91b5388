"""IFA codes: ANSI MH10.8.2 elements in an ISO/IEC 15434 envelope of format 06.

From text to elements and back; what the elements mean is scan.py's. Scanners that type their data
as a keyboard tend to lose control characters; they are put back here, but only where just one
reading is left.
Sources: ISO/IEC 15434 (envelope); ANSI MH10.8.2 (data identifiers, DI); IFA, "Coding of medicine
packs" (which of them a pack carries).
"""

import re
from collections.abc import Iterator

from emvs.elements import Element, ElementError

GROUP_SEPARATOR = "\x1d"
RECORD_SEPARATOR = "\x1e"
END_OF_TRANSMISSION = "\x04"

PRODUCT_CODE = "9N"
BATCH_ID = "1T"
EXPIRY = "D"
SERIAL_NUMBER = "S"
NATIONAL_NUMBER = "27Q"

_HEADER = f"[)>{RECORD_SEPARATOR}06{GROUP_SEPARATOR}"
_ANY_HEADER = re.compile(r"(?:\[\)>\x1e?)?(?:06\x1d?)?(?=\x1d?[0-9]{0,3}[A-Z])")
_DATA_IDENTIFIER = re.compile(r"[0-9]{0,3}[A-Z]")

# Elements that a pack may carry and how long their values are; None: 1 to 20 characters. The
# production date (16D) and a GTIN (8P) are here so that they are not taken for part of a value.
_VALUE_LENGTHS: dict[str, int | None] = {
    PRODUCT_CODE: 12,
    BATCH_ID: None,
    EXPIRY: 6,
    SERIAL_NUMBER: None,
    "16D": 6,
    "8P": 14,
    NATIONAL_NUMBER: None,
}
_VALUE_LENGTH_MAX = 20
# Delegated Regulation (EU) 2016/161, Art. 4: these four are on every pack.
_REQUIRED = frozenset({PRODUCT_CODE, BATCH_ID, EXPIRY, SERIAL_NUMBER})
# Beyond what all known elements take together there is no reading without separators.
_UNSEPARATED_LENGTH_MAX = 120


def looks_like_envelope(text: str) -> bool:
    """Tell whether this can only be an IFA code; no GS1 element string begins so."""
    return text.startswith(("[)>", "06" + GROUP_SEPARATOR, PRODUCT_CODE))


def parse_envelope(text: str) -> list[Element]:
    """Return the elements of a scanned text, in its order, unknown ones too.

    The envelope's own characters may be missing. If all group separators are, the elements are
    told apart by their lengths, provided that there is exactly one way to do it. Raises
    ElementError otherwise, and for other formats.
    """
    header = _ANY_HEADER.match(text)
    if header is None:
        raise ElementError("no envelope of format 06 begins the text", position=0)
    body = text[header.end() :].partition(RECORD_SEPARATOR)[0].rstrip(END_OF_TRANSMISSION)
    body = body.rstrip(GROUP_SEPARATOR)
    if GROUP_SEPARATOR in body.lstrip(GROUP_SEPARATOR):
        return _parse_separated(body, header.end())
    return _parse_unseparated(body.lstrip(GROUP_SEPARATOR), header.end())


def build_envelope(
    *, product_code: str, serial_number: str, batch_id: str | None = None, expiry: str | None = None
) -> str:
    """Return the envelope of a pack: product code, batch id, expiry date, serial number.

    The values may be wrong ones, as tests need them; ValueError for control characters in them.
    """
    elements = {
        PRODUCT_CODE: product_code,
        BATCH_ID: batch_id,
        EXPIRY: expiry,
        SERIAL_NUMBER: serial_number,
    }
    parts = []
    for identifier, value in elements.items():
        if value is None:
            continue
        if not value or not value.isprintable():
            raise ValueError(f"DI {identifier} needs a printable value, not {value!r}")
        parts.append(identifier + value)
    return _HEADER + GROUP_SEPARATOR.join(parts) + RECORD_SEPARATOR + END_OF_TRANSMISSION


def _parse_separated(body: str, position: int) -> list[Element]:
    elements: list[Element] = []
    for part in body.split(GROUP_SEPARATOR):
        if part:
            identifier = _DATA_IDENTIFIER.match(part)
            if identifier is None:
                raise ElementError(
                    f"no data identifier begins with {part[:4]!r}", position=position, read=elements
                )
            elements.append(Element(identifier[0], part[identifier.end() :], position))
        position += len(part) + 1
    return elements


def _parse_unseparated(body: str, position: int) -> list[Element]:
    """Return the one reading of a body that has lost its separators."""
    readings: list[list[Element]] = []
    if len(body) <= _UNSEPARATED_LENGTH_MAX:
        for reading in _readings(body, 0, frozenset(_VALUE_LENGTHS)):
            if {element.identifier for element in reading} >= _REQUIRED:
                readings.append(reading)
            if len(readings) == 2:
                break
    if len(readings) != 1:
        ways = "more than one way" if readings else "no way"
        raise ElementError(
            f"the group separators are lost, and there is {ways} to tell the elements apart",
            position=position,
        )
    return [
        Element(identifier, value, position + offset) for identifier, value, offset in readings[0]
    ]


def _readings(body: str, offset: int, left: frozenset[str]) -> Iterator[list[Element]]:
    """Yield every way to cut `body` from `offset` on into elements, each of those `left` once."""
    if offset == len(body):
        yield []
        return
    for identifier in left:
        if not body.startswith(identifier, offset):
            continue
        start = offset + len(identifier)
        length = _VALUE_LENGTHS[identifier]
        lengths = range(1, _VALUE_LENGTH_MAX + 1) if length is None else (length,)
        for end in (start + length for length in lengths):
            value = body[start:end]
            if end > len(body) or (length is not None and not value.isdigit()):
                break
            for rest in _readings(body, end, left - {identifier}):
                yield [Element(identifier, value, offset), *rest]

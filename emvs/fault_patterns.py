"""Fault patterns: what scanners, keyboards and people do to a scan, one row each.

Each row has what a client may make of the damage: read it as the pack it is, keep it back, or
(where nothing shows) send it, and then what a national system answers.
Sources: test data that the national organisations publish for client software; their lists of the
causes of false alerts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Final, NamedTuple

from emvs.expiry import last_day
from emvs.keyboard_faults import type_through
from emvs.keyboard_layouts import LAYOUTS
from emvs.scan import Scan, build_scan_text
from emvs.scheme import Scheme

_GS: Final = "\x1d"
_ESCAPE: Final = "\x1b"
_SERIAL_LENGTH_MAX: Final = 20
_LOOKALIKES: Final = str.maketrans(
    "ABCEHKMOPTXY", "\u0410\u0412\u0421\u0415\u041d\u041a\u041c\u041e\u0420\u0422\u0425\u0423"
)


class Reading(StrEnum):
    """What a parser makes of a damaged scan."""

    WHOLE = "whole"
    """The right pack, and nothing to be noted: the damage has touched nothing."""
    REPAIRED = "repaired"
    """The right pack, with a note of what was put right."""
    REFUSED = "refused"
    """Kept back, with advice."""
    SENT = "sent"
    """Other data than the pack's: the national system will object."""


_SEEN: Final = frozenset({Reading.WHOLE, Reading.REPAIRED, Reading.REFUSED})
_UNSEEN: Final = _SEEN | {Reading.SENT}
_REFUSED: Final = frozenset({Reading.REFUSED})
_REPAIRED: Final = frozenset({Reading.REPAIRED})


class FaultPattern(NamedTuple):
    """A kind of damage. `damage` returns None for a pack that it cannot touch."""

    name: str
    what: str
    damage: Callable[[Scan], str | None]
    allowed: frozenset[Reading]
    answer: str
    """What a national system says if it is sent: alert codes of the EU Hub, or HTTP 422."""


def scan_text(pack: Scan) -> str:
    """Return what an undamaged scanner sends for a whole pack."""
    return build_scan_text(
        scheme=pack.scheme,
        product_code=pack.product_code,
        serial_number=pack.serial_number,
        batch_id=pack.batch_id,
        expiry=pack.expiry,
    )


def _serial_first(pack: Scan) -> str:
    return f"]d201{pack.product_code}17{pack.expiry}21{pack.serial_number}{_GS}10{pack.batch_id}"


def _changed(pack: Scan, **values: str | None) -> str:
    fields: dict[str, str | None] = {
        "product_code": pack.product_code,
        "serial_number": pack.serial_number,
        "batch_id": pack.batch_id,
        "expiry": pack.expiry,
    }
    changed = {**fields, **values}
    if any(not value for value in changed.values()):
        return _typed(changed)
    return build_scan_text(scheme=pack.scheme, **changed)  # type: ignore[arg-type]


def _typed(fields: dict[str, str | None]) -> str:
    identifiers = {"product_code": "01", "expiry": "17", "batch_id": "10", "serial_number": "21"}
    parts = [f"({ai}){fields[name]}" for name, ai in identifiers.items() if fields[name]]
    return "".join(parts)


def _gs1(damage: Callable[[Scan], str | None]) -> Callable[[Scan], str | None]:
    return lambda pack: damage(pack) if pack.scheme is Scheme.GTIN else None


def _letters(change: Callable[[str], str]) -> Callable[[Scan], str]:
    """Change the case of all that comes after the symbology identifier's bracket."""
    return lambda pack: change(scan_text(pack))


def _values(change: Callable[[str], str]) -> Callable[[Scan], str | None]:
    """Change serial number and batch, as a slip of people or software does; None if in vain."""

    def damage(pack: Scan) -> str | None:
        serial, batch = change(pack.serial_number), change(pack.batch_id or "")
        if (serial, batch) == (pack.serial_number, pack.batch_id):
            return None
        return _changed(pack, serial_number=serial, batch_id=batch)

    return damage


def _cut(count: int) -> Callable[[Scan], str | None]:
    def damage(pack: Scan) -> str | None:
        if pack.scheme is not Scheme.GTIN or len(pack.serial_number) <= count:
            return None
        return scan_text(pack)[:-count]

    return damage


def _wrong_day(pack: Scan) -> str | None:
    expiry = pack.expiry or ""
    end = f"{last_day(expiry[:4] + '00'):%y%m%d}"
    if expiry.endswith("00"):
        return _changed(pack, expiry=end)
    if expiry == end:
        return _changed(pack, expiry=expiry[:4] + "00")
    return None


def _ean(pack: Scan) -> str:
    return pack.product_code[1:]


def _layout_patterns() -> Iterator[FaultPattern]:
    for layout in LAYOUTS.values():
        title = f"{layout.title} keyboard on the computer, US keyboard in the scanner"
        tells = type_through(layout, "]d2") != "]d2"
        allowed = _SEEN if tells else _UNSEEN

        def damage(pack: Scan, separator: str = "", start: int = 0, name: str = layout.name) -> str:
            return type_through(LAYOUTS[name], scan_text(pack)[start:], separator)

        answer = "A3, A68, or 422 where digits change"
        yield FaultPattern(
            f"keyboard-{layout.name}", f"{title}; group separators lost", damage, allowed, answer
        )
        yield FaultPattern(
            f"keyboard-{layout.name}-separated",
            f"{title}; group separators arrive as Escape",
            lambda pack, damage=damage: damage(pack, _ESCAPE),  # type: ignore[misc]
            allowed,
            answer,
        )
        yield FaultPattern(
            f"keyboard-{layout.name}-bare",
            f"{title}; no symbology identifier, which would tell",
            lambda pack, damage=damage: damage(pack, _ESCAPE, 3),  # type: ignore[misc]
            _UNSEEN,
            answer,
        )


PATTERNS: Final = (
    *_layout_patterns(),
    FaultPattern("caps-lock", "Caps Lock is on", _letters(str.swapcase), _SEEN, "A3 or A68"),
    FaultPattern(
        "forced-capitals",
        "Something makes capitals of all letters",
        _letters(str.upper),
        _SEEN,
        "A3 or A68 if the id has small letters",
    ),
    FaultPattern(
        "forced-small",
        "Something makes small letters of all capitals",
        _letters(str.lower),
        _UNSEEN,
        "A3 or A68 if the id has capitals",
    ),
    FaultPattern(
        "capitals-unseen",
        "Software makes capitals of batch and serial number",
        _values(str.upper),
        _UNSEEN,
        "A3 or A68",
    ),
    FaultPattern(
        "cyrillic",
        "Letters arrive as Cyrillic ones that look alike",
        _values(lambda text: text.translate(_LOOKALIKES)),
        _REFUSED,
        "422 or A3",
    ),
    FaultPattern(
        "separators-lost",
        "The group separator between batch and serial number is lost",
        _gs1(lambda pack: scan_text(pack).replace(_GS, "")),
        _SEEN,
        "422, A2, A3 or A68",
    ),
    FaultPattern(
        "separators-lost-serial-first",
        "The same, with the serial number before the batch",
        _gs1(lambda pack: _serial_first(pack).replace(_GS, "")),
        _SEEN,
        "422 or A3",
    ),
    *(
        FaultPattern(
            f"separator-{name}",
            f"The group separator arrives as {title}",
            _gs1(lambda pack, character=character: scan_text(pack).replace(_GS, character)),  # type: ignore[misc]
            allowed,
            "A68 or A2",
        )
        for name, title, character, allowed in (
            ("bracket", "]", "]", _REPAIRED | _REFUSED),
            ("blank", "a blank", " ", _REPAIRED | _REFUSED),
            ("hash", "#", "#", _REPAIRED | _REFUSED),
            ("caret", "^]", "^]", _REPAIRED | _REFUSED),
            ("plus", "+", "+", _REFUSED),
            ("escape", "another control character", _ESCAPE, frozenset({Reading.WHOLE})),
        )
    ),
    FaultPattern(
        "ean-appended",
        "The linear bar code was scanned right after, without end of line",
        _gs1(lambda pack: scan_text(pack) + _ean(pack)),
        _REFUSED,
        "A3",
    ),
    FaultPattern(
        "ean-appended-line",
        "The linear bar code was scanned right after, on a line of its own",
        lambda pack: f"{scan_text(pack)}\r\n]E0{_ean(pack)}",
        _REFUSED,
        "A3",
    ),
    FaultPattern(
        "ean-appended-cut",
        "The same, and the software cuts the serial number at 20 characters",
        _values(lambda text: (text + "4006381333931")[:_SERIAL_LENGTH_MAX]),
        _UNSEEN,
        "A3, A68",
    ),
    *(
        FaultPattern(
            f"cut-{count}",
            f"The last {count} characters are missing",
            _cut(count),
            _UNSEEN,
            "A3 or A68",
        )
        for count in (1, 2, 3)
    ),
    FaultPattern(
        "linear-only",
        "Only the linear bar code was scanned",
        lambda pack: f"]E0{_ean(pack)}",
        _REFUSED,
        "nothing: no serial number",
    ),
    FaultPattern(
        "linear-only-bare",
        "The same without a symbology identifier",
        _gs1(_ean),
        _REFUSED,
        "nothing: no serial number",
    ),
    *(
        FaultPattern(
            f"carrier-{identifier[1:]}",
            f"The scanner says {identifier}: {what}",
            lambda pack, identifier=identifier: identifier + scan_text(pack)[3:],  # type: ignore[misc]
            _REFUSED,
            "nothing: no unique identifier",
        )
        for identifier, what in (
            ("]d0", "an older Data Matrix"),
            ("]C1", "GS1-128, a linear code of cases and pallets"),
            ("]Q3", "a GS1 QR code"),
        )
    ),
    FaultPattern(
        "twice-in-one",
        "A stuck scanner sends the pack twice without end of line",
        lambda pack: scan_text(pack) * 2,
        _REFUSED,
        "A3",
    ),
    FaultPattern(
        "typed-0-o",
        "Typed by hand: O for 0",
        _values(lambda text: text.replace("0", "O")),
        _UNSEEN,
        "A3",
    ),
    FaultPattern(
        "typed-1-i",
        "Typed by hand: I for 1",
        _values(lambda text: text.replace("1", "I")),
        _UNSEEN,
        "A3",
    ),
    FaultPattern(
        "expiry-day",
        "Software turned day 00 into the month's last, or the reverse",
        _wrong_day,
        _UNSEEN,
        "A52, unless the system takes both as equal",
    ),
    FaultPattern(
        "expiry-day-missing",
        "Typed by hand: the day of the expiry date is missing",
        lambda pack: (
            _typed(
                {
                    "product_code": pack.product_code,
                    "serial_number": pack.serial_number,
                    "batch_id": pack.batch_id,
                    "expiry": (pack.expiry or "")[:4],
                }
            )
            if pack.scheme is Scheme.GTIN
            else None
        ),
        _UNSEEN,
        "422",
    ),
)
"""Every pattern known here. A stuck scanner that repeats whole scans is no matter of the text: the
client's guard against repeats is held against it."""

"""A scanned or typed pack: from text to `Scan`, and back to the text a scanner would send.

Whether a pack may be asked about at all is decided here; what is merely wrong with it is noted
and sent on, because a client that suppresses bad data hides falsified packs. Which elements there
are is gs1.py's and ifa.py's. No input or output enters, and no rule of a wire format.
Sources: Delegated Regulation (EU) 2016/161, Art. 4 and 5; ISO/IEC 16022 (symbology identifiers).
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from emvs import gs1, ifa
from emvs.character_sets import is_ifa_batch, is_ifa_serial, is_set82
from emvs.check_digits import is_valid_gtin, is_valid_ppn
from emvs.elements import Element, ElementError
from emvs.errors import UsageError
from emvs.expiry import parse_expiry
from emvs.scheme import Scheme

# A Data Matrix holds 2,335 letters at most; a pack's data take about 80 of them, 300 with all the
# further elements that we have seen.
SCAN_LENGTH_MAX = 1000

GS1_DATA_MATRIX = "]d2"  # FNC1 in first position.
PLAIN_DATA_MATRIX = "]d1"  # ECC 200 as such; a pack's data stand in an ISO/IEC 15434 envelope.

# What `]d1` or `]d2` becomes when a scanner in keyboard mode and the computer disagree about the
# keyboard. Then letters and symbols behind it have changed as well, which looks like falsified
# packs to the system, so nothing must be sent.
_KEYBOARD_FAULTS = {
    "]D": "Caps Lock is on",
    "+d": "the computer's keyboard layout is German, Italian or Spanish, the scanner's is not",
    "$d": "the computer's keyboard layout is French or Belgian, the scanner's is not",
    ")d": "the computer's keyboard layout is Czech, the scanner's is not",
    "úd": "the computer's keyboard layout is Hungarian, the scanner's is not",
    "śd": "the computer's keyboard layout is Polish, the scanner's is not",
    "¨d": "the computer's keyboard layout is Swedish or Swiss, the scanner's is not",
    "]δ": "the computer's keyboard layout is Greek, the scanner's is not",
}
_KEYBOARD_ADVICE = "Set scanner and computer to the same keyboard, then scan again."

# Texts from logs and manuals show control characters as pictures. No pack's data contain these.
_PICTURES = {0x241D: "\x1d", 0x241E: "\x1e", 0x2404: "\x04"}
# Keyboards turn the group separator into another control character, or lose it. As no value may
# contain any, each of them can only have been the separator.
_OTHER_CONTROLS = re.compile("[\x00-\x1c\x1e\x1f]")

_LINEAR_LENGTHS = (8, 12, 13, 14)  # EAN-8, UPC-A, EAN-13, ITF-14.
_LINEAR_ADVICE = "Scan the square Data Matrix of the pack, not another bar code."
_NO_SERIAL_ADVICE = (
    "Scan again. If it stays so, check that the scanner is set to send group separators (ASCII 29):"
    " without them the serial number is taken for part of the element before it."
)


class ScanError(UsageError):
    """This text must not be sent. `problem` says why, `advice` what to do; both for the user."""

    title = "Not a pack's code"

    def __init__(self, problem: str, advice: str) -> None:
        super().__init__(f"{problem} {advice}")
        self.problem = problem
        self.advice = advice


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """What a pack says about itself, good enough to be sent.

    `problems` lists, in sentences, what a national system will find wrong with it. `symbology` is
    the identifier that the scanner put in front, if it did. `national_number` is the first one.
    """

    scheme: Scheme
    product_code: str
    serial_number: str
    batch_id: str | None = None
    expiry: str | None = None
    national_number: str | None = None
    symbology: str | None = None
    problems: tuple[str, ...] = ()


class _Syntax(NamedTuple):
    """Where a syntax keeps the elements of a pack, and what they must be like."""

    scheme: Scheme
    product_code: str
    serial_number: str
    batch_id: str
    expiry: str
    national_numbers: tuple[str, ...]
    is_product_code: Callable[[str], bool]
    is_serial_number: Callable[[str], bool]
    is_batch_id: Callable[[str], bool]


_SYNTAXES = {
    Scheme.GTIN: _Syntax(
        scheme=Scheme.GTIN,
        product_code=gs1.PRODUCT_CODE,
        serial_number=gs1.SERIAL_NUMBER,
        batch_id=gs1.BATCH_ID,
        expiry=gs1.EXPIRY,
        national_numbers=gs1.NATIONAL_NUMBERS,
        is_product_code=is_valid_gtin,
        is_serial_number=is_set82,
        is_batch_id=is_set82,
    ),
    Scheme.PPN: _Syntax(
        scheme=Scheme.PPN,
        product_code=ifa.PRODUCT_CODE,
        serial_number=ifa.SERIAL_NUMBER,
        batch_id=ifa.BATCH_ID,
        expiry=ifa.EXPIRY,
        national_numbers=(ifa.NATIONAL_NUMBER,),
        is_product_code=is_valid_ppn,
        is_serial_number=is_ifa_serial,
        is_batch_id=is_ifa_batch,
    ),
}


def parse_scan(text: str) -> Scan:
    """Return what a scanner sent or somebody typed, or raise ScanError if it must not be sent.

    Understood are element strings with or without symbology identifier, IFA envelopes, and
    elements typed with their identifiers in round brackets.
    """
    if len(text) > SCAN_LENGTH_MAX:
        raise ScanError(
            f"The scan has {len(text)} characters; a pack's has {SCAN_LENGTH_MAX} at most.",
            "Scan one pack at a time.",
        )
    # Only what keyboards and terminals add is dropped: a bare `strip` would take separators too.
    symbology, data = split_symbology(text.strip(" \t\r\n"))
    if not data.isascii():
        data = data.translate(_PICTURES)
    _refuse_other_carriers(symbology, data)
    problems: list[str] = []
    try:
        scheme, elements = _parse_data(symbology, data)
    except ElementError as error:
        # Art. 10: authenticity hangs on product code and serial number. If both were read before
        # the text went bad, the system has to hear of this pack.
        scheme, elements = _scheme_of(data), list(error.read)
        place = error.position + len(symbology or "") + 1
        problems.append(f"The scan can't be read from character {place} on: {error.reason}.")
    return _scan_of_elements(_SYNTAXES[scheme], elements, symbology, problems)


def scan_from_fields(
    *,
    product_code: str,
    serial_number: str,
    batch_id: str | None = None,
    expiry: str | None = None,
    scheme: Scheme | None = None,
) -> Scan:
    """Return the scan of a pack whose data were typed field by field, or raise ScanError.

    Blanks around values are dropped. Without a scheme, 12 digits that are a PPN make one, and
    shorter GTINs are filled up to 14 digits, which by GS1's rules is the same number.
    """
    product_code, serial_number = product_code.strip(), serial_number.strip()
    for value, name in ((product_code, "product code"), (serial_number, "serial number")):
        if not value:
            raise ScanError(f"The {name} is missing.", "Type it as it is printed on the pack.")
    if scheme is None:
        scheme = Scheme.PPN if is_valid_ppn(product_code) else Scheme.GTIN
    if scheme is Scheme.GTIN:
        product_code = _filled_gtin(product_code)
    syntax = _SYNTAXES[scheme]
    elements = [
        Element(identifier, value.strip(), 0)
        for identifier, value in (
            (syntax.product_code, product_code),
            (syntax.serial_number, serial_number),
            (syntax.batch_id, batch_id),
            (syntax.expiry, expiry),
        )
        if value
    ]
    return _scan_of_elements(syntax, elements, None, [])


def build_scan_text(
    *,
    scheme: Scheme,
    product_code: str,
    serial_number: str,
    batch_id: str | None = None,
    expiry: str | None = None,
) -> str:
    """Return what a scanner would send for such a pack, symbology identifier included."""
    build = gs1.build_element_string if scheme is Scheme.GTIN else ifa.build_envelope
    symbology = GS1_DATA_MATRIX if scheme is Scheme.GTIN else PLAIN_DATA_MATRIX
    return symbology + build(
        product_code=product_code, serial_number=serial_number, batch_id=batch_id, expiry=expiry
    )


def split_symbology(text: str) -> tuple[str | None, str]:
    """Return the symbology identifier, if the text begins with one, and what follows it."""
    # ISO/IEC 15424: a closing bracket, a letter, a modifier. None of a pack's data begin so.
    if len(text) >= 3 and text[0] == "]" and text[1].isalpha() and text[1].isascii():
        return text[:3], text[3:]
    return None, text


def _refuse_other_carriers(symbology: str | None, data: str) -> None:
    """Raise ScanError if this text can't have come from the Data Matrix of one pack."""
    if not data:
        raise ScanError("The scan is empty.", "Scan the Data Matrix of the pack.")
    fault = _KEYBOARD_FAULTS.get((symbology or data)[:2])
    if fault is not None:
        raise ScanError(f"The scan arrived distorted: {fault}.", _KEYBOARD_ADVICE)
    if symbology not in (None, GS1_DATA_MATRIX, PLAIN_DATA_MATRIX):
        raise ScanError(
            f"The bar code is of another kind ({symbology}) than packs carry.", _LINEAR_ADVICE
        )
    if symbology is None and data.isdigit() and len(data) in _LINEAR_LENGTHS:
        raise ScanError(
            f"{data} is the number of a product; it has no serial number.", _LINEAR_ADVICE
        )
    if symbology == PLAIN_DATA_MATRIX and not ifa.looks_like_envelope(data):
        raise ScanError(
            "This Data Matrix is marked neither as GS1 (]d2) nor as ISO/IEC 15434 format 06.",
            "It can't be the pack's unique identifier. Look for another Data Matrix on the pack.",
        )
    if "]d" in data or "\n" in data or "\r" in data:
        raise ScanError("Several scans arrived as one.", "Scan one pack at a time.")


def _scheme_of(data: str) -> Scheme:
    return Scheme.PPN if ifa.looks_like_envelope(data) else Scheme.GTIN


def _parse_data(symbology: str | None, data: str) -> tuple[Scheme, list[Element]]:
    if symbology != GS1_DATA_MATRIX and _scheme_of(data) is Scheme.PPN:
        return Scheme.PPN, ifa.parse_envelope(data)
    if data.startswith("("):
        return Scheme.GTIN, [
            element._replace(value=_filled_gtin(element.value))
            if element.identifier == gs1.PRODUCT_CODE
            else element
            for element in gs1.parse_bracketed(data)
        ]
    return Scheme.GTIN, gs1.parse_element_string(_OTHER_CONTROLS.sub(gs1.GROUP_SEPARATOR, data))


def _filled_gtin(product_code: str) -> str:
    is_short = len(product_code) in _LINEAR_LENGTHS and product_code.isdigit()
    return product_code.zfill(14) if is_short else product_code


def _scan_of_elements(
    syntax: _Syntax, elements: Sequence[Element], symbology: str | None, problems: list[str]
) -> Scan:
    """Return the scan that these elements make up, or raise ScanError. Adds to `problems`."""
    product_code = _only_value(elements, syntax.product_code, "product codes")
    serial_number = _only_value(elements, syntax.serial_number, "serial numbers")
    for value, name in ((product_code, "product code"), (serial_number, "serial number")):
        if not value:
            what = " ".join([f"The scan has no {name}.", *problems])
            raise ScanError(what, _NO_SERIAL_ADVICE)
    batch_id = _first_value(elements, (syntax.batch_id,), "batch id", problems)
    expiry = _first_value(elements, (syntax.expiry,), "expiry date", problems)
    if not syntax.is_product_code(product_code):
        problems.append(f"The product code {product_code!r} is not a valid {syntax.scheme}.")
    if not syntax.is_serial_number(serial_number):
        problems.append(f"The serial number {serial_number!r} is not 1 to 20 permitted characters.")
    if batch_id is not None and not syntax.is_batch_id(batch_id):
        problems.append(f"The batch id {batch_id!r} is not 1 to 20 permitted characters.")
    if expiry is not None and parse_expiry(expiry) is None:
        problems.append(f"The expiry date {expiry!r} is not a date of the form YYMMDD.")
    return Scan(
        scheme=syntax.scheme,
        product_code=product_code,
        serial_number=serial_number,
        batch_id=batch_id,
        expiry=expiry,
        # A pack for several markets may carry several: they don't contradict one another.
        national_number=_first_value(elements, syntax.national_numbers, None, problems),
        symbology=symbology,
        problems=tuple(problems),
    )


def _only_value(elements: Sequence[Element], identifier: str, plural: str) -> str:
    """Return the element's value, empty if there is none. ScanError if there are several."""
    found = {element.value for element in elements if element.identifier == identifier}
    if len(found) > 1:
        shown = ", ".join(sorted(map(repr, found)))
        raise ScanError(
            f"The scan has several {plural}: {shown}.",
            "Nobody can tell which one is meant. Scan one pack at a time.",
        )
    return found.pop() if found else ""


def _first_value(
    elements: Sequence[Element], identifiers: tuple[str, ...], name: str | None, problems: list[str]
) -> str | None:
    """Return the first value under these identifiers; with a `name`, note if others differ."""
    found = [element.value for element in elements if element.identifier in identifiers]
    if name is not None and len(set(found)) > 1:
        problems.append(f"The scan has several values for the {name}; the first one is used.")
    return (found[0] or None) if found else None

"""A scanned or typed pack: from text to `Scan`, and back to the text a scanner would send.

Whether a pack may be asked about at all is decided here; what is merely wrong with it is noted
and sent on, because a client that suppresses bad data hides falsified packs. Which elements there
are is gs1.py's and ifa.py's. No input or output enters, and no rule of a wire format.
Sources: Delegated Regulation (EU) 2016/161, Art. 4 and 5; ISO/IEC 16022 (symbology identifiers).
"""

import re
from dataclasses import replace

from emvs import gs1, ifa
from emvs.check_digits import is_valid_ppn
from emvs.elements import Element, ElementError
from emvs.keyboard_faults import KeyboardFault, diagnose
from emvs.lost_separators import READINGS_MAX, separated_readings
from emvs.scan_elements import NO_SERIAL_ADVICE, SYNTAXES, Scan, ScanError, scan_of_elements
from emvs.scheme import Scheme

__all__ = [
    "GS1_DATA_MATRIX",
    "PLAIN_DATA_MATRIX",
    "SCAN_LENGTH_MAX",
    "Scan",
    "ScanError",
    "build_scan_text",
    "parse_scan",
    "scan_from_fields",
    "split_symbology",
]

# A Data Matrix holds 2,335 letters at most; a pack's data take about 80 of them, 300 with all the
# further elements that we have seen.
SCAN_LENGTH_MAX = 1000

GS1_DATA_MATRIX = "]d2"  # FNC1 in first position.
PLAIN_DATA_MATRIX = "]d1"  # ECC 200 as such; a pack's data stand in an ISO/IEC 15434 envelope.

# Texts from logs and manuals show control characters as pictures. No pack's data contain these.
_PICTURES = {0x241D: "\x1d", 0x241E: "\x1e", 0x2404: "\x04"}
# Keyboards turn the group separator into another control character, or lose it. As no value may
# contain any, each of them can only have been the separator.
_OTHER_CONTROLS = re.compile("[\x00-\x1c\x1e\x1f]")
_ANY_CONTROL = re.compile("[\x00-\x1f]")

_LINEAR_LENGTHS = (8, 12, 13, 14)  # EAN-8, UPC-A, EAN-13, ITF-14.
_LINEAR_ADVICE = "Scan the square Data Matrix of the pack, not another bar code."
_SEPARATOR_ADVICE = "Set the scanner to send group separators (ASCII 29)."


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
    text = text.strip(" \t\r\n")
    fault = diagnose(text)
    return _parse_text(text) if fault is None else _parse_damaged(fault)


def _parse_damaged(fault: KeyboardFault) -> Scan:
    """Return the one pack that a damaged text can mean, or raise ScanError.

    Texts whose product code is none were not sent. Certain the rest is if each is a whole pack
    without a fault, and all of them are the same one.
    """
    refusal = ScanError(
        f"The scan arrived distorted: {fault.sentence}.", f"{fault.advice}, then scan again."
    )
    scans: list[Scan] = []
    for candidate in fault.candidates:
        try:
            scan = _parse_text(candidate)
        except ScanError as error:
            raise refusal from error
        if not SYNTAXES[scan.scheme].is_product_code(scan.product_code):
            continue
        if not scan.is_whole or (scans and scan != scans[0]):
            raise refusal
        scans.append(scan)
    if not scans:
        raise refusal
    repair = f"The scan was put right: {fault.sentence}. {fault.advice}."
    return replace(scans[0], repairs=(repair, *scans[0].repairs))


def _parse_text(text: str) -> Scan:
    symbology, data = split_symbology(text)
    if not data.isascii():
        data = data.translate(_PICTURES)
    _refuse_other_carriers(symbology, data)
    try:
        scan = _parse_whole(symbology, data)
        if scan.is_whole:
            return scan
        return _parse_unseparated(symbology, data) or scan
    except ScanError:
        scan_or_none = _parse_unseparated(symbology, data)
        if scan_or_none is None:
            raise
        return scan_or_none


def _parse_whole(symbology: str | None, data: str) -> Scan:
    """Return the scan of a text whose separators are where they belong, or raise ScanError."""
    problems: list[str] = []
    try:
        scheme, elements = _parse_data(symbology, data)
    except ElementError as error:
        # Art. 10: authenticity hangs on product code and serial number. If both were read before
        # the text went bad, the system has to hear of this pack.
        scheme, elements = _scheme_of(data), list(error.read)
        place = error.position + len(symbology or "") + 1
        problems.append(f"The scan can't be read from character {place} on: {error.reason}.")
    return scan_of_elements(SYNTAXES[scheme], elements, symbology, problems)


def _parse_unseparated(symbology: str | None, data: str) -> Scan | None:
    """Return the pack of an element string that has lost its separators; None if it has not.

    Raises ScanError if it can be read in more than one way. Without a symbology identifier there
    is no telling whether the text is a scan at all.
    """
    if symbology != GS1_DATA_MATRIX or not data.isascii() or _ANY_CONTROL.search(data):
        return None
    readings = separated_readings(data)
    if not readings:
        return None
    if len(readings) >= READINGS_MAX:
        raise ScanError(
            "The group separators are lost, and there is more than one way to tell the elements"
            " apart. The serial number can't be told for certain.",
            NO_SERIAL_ADVICE,
        )
    try:
        scan = _parse_whole(symbology, readings[0])
    except ScanError:
        return None
    if not scan.is_whole:
        return None
    repair = "The scan was put right: the group separators are lost or replaced. "
    return replace(scan, repairs=(repair + _SEPARATOR_ADVICE,))


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
    syntax = SYNTAXES[scheme]
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
    return scan_of_elements(syntax, elements, None, [])


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

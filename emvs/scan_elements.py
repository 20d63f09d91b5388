"""The elements of a pack made a `Scan`, whichever syntax they were read from.

Whether they are enough to ask about a pack is decided here; what is merely wrong with them is
noted. No text of a scanner enters.
Sources: Delegated Regulation (EU) 2016/161, Art. 4 and 5.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from emvs import gs1, ifa
from emvs.character_sets import is_ifa_batch, is_ifa_serial, is_set82
from emvs.check_digits import is_valid_gtin, is_valid_ppn
from emvs.elements import Element
from emvs.errors import UsageError
from emvs.expiry import parse_expiry
from emvs.limits import SERIAL_LENGTH_MAX
from emvs.scheme import Scheme

_EAN_LENGTH = 13
NO_SERIAL_ADVICE = (
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
    `repairs` lists, in sentences, what was wrong with the text and could be put right for certain:
    the pack is good, but scanner or keyboard want seeing to.
    """

    scheme: Scheme
    product_code: str
    serial_number: str
    batch_id: str | None = None
    expiry: str | None = None
    national_number: str | None = None
    symbology: str | None = None
    problems: tuple[str, ...] = ()
    repairs: tuple[str, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether nothing is wrong and all is there that the law puts on a pack (Art. 4)."""
        return not self.problems and self.batch_id is not None and self.expiry is not None


class Syntax(NamedTuple):
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


SYNTAXES = {
    Scheme.GTIN: Syntax(
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
    Scheme.PPN: Syntax(
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


def scan_of_elements(
    syntax: Syntax, elements: Sequence[Element], symbology: str | None, problems: list[str]
) -> Scan:
    """Return the scan that these elements make up, or raise ScanError. Adds to `problems`."""
    product_code = _only_value(elements, syntax.product_code, "product codes")
    serial_number = _only_value(elements, syntax.serial_number, "serial numbers")
    for value, name in ((product_code, "product code"), (serial_number, "serial number")):
        if not value:
            what = " ".join([f"The scan has no {name}.", *problems])
            raise ScanError(what, NO_SERIAL_ADVICE)
    batch_id = _first_value(elements, (syntax.batch_id,), "batch id", problems)
    _refuse_run_together(product_code, (serial_number, batch_id or ""))
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


def _refuse_run_together(product_code: str, values: tuple[str, ...]) -> None:
    """Raise ScanError if the linear bar code that stands beside it was read into the same scan."""
    for value in values:
        number = value[-_EAN_LENGTH:]
        if len(value) > _EAN_LENGTH and number.isascii() and number.isdigit():
            is_own = number == product_code[1:]
            if is_own or (len(value) > SERIAL_LENGTH_MAX and is_valid_gtin(number.zfill(14))):
                raise ScanError(
                    f"Several scans arrived as one: the bar code {number} follows the pack's.",
                    "Scan the Data Matrix only; cover the other bar code if need be.",
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

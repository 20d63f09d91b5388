"""How a request may differ from the pack it is about: wrong, missing and malformed elements."""

from __future__ import annotations

from emvs.check_digits import gtin_check_digit
from emvs.limits import SERIAL_LENGTH_MAX
from pharmacy_client.testbook.book import Pack

_ROTATION = str.maketrans(
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
    "1234567890BCDEFGHIJKLMNOPQRSTUVWXYZAbcdefghijklmnopqrstuvwxyza",
)


def _rotated(text: str) -> str:
    """Return another text of the same length and kinds of characters, which no scanner's fault
    explains."""
    return text.translate(_ROTATION)


def unknown_serial(pack: Pack) -> Pack:
    """A serial number that was never loaded."""
    return pack._replace(serial_number=_rotated(pack.serial_number))


def other_batch(pack: Pack) -> Pack:
    """The right serial number under another batch."""
    return pack._replace(batch_id=_rotated(pack.batch_id))


def unknown_batch_and_serial(pack: Pack) -> Pack:
    """Neither of the two was ever loaded."""
    return unknown_serial(other_batch(pack))


def other_expiry(pack: Pack) -> Pack:
    """An expiry date one year later."""
    year = (int(pack.expiry[:2]) + 1) % 100
    rest = "0228" if pack.expiry[2:] == "0229" else pack.expiry[2:]
    return pack._replace(expiry=f"{year:02}{rest}")


def only_code_and_serial(pack: Pack) -> Pack:
    """As somebody types who does not see the need for more."""
    return pack._replace(batch_id="", expiry="")


def unknown_serial_alone(pack: Pack) -> Pack:
    """The same with a wrong serial number."""
    return only_code_and_serial(unknown_serial(pack))


def without_batch(pack: Pack) -> Pack:
    """No batch."""
    return pack._replace(batch_id="")


def without_expiry(pack: Pack) -> Pack:
    """No expiry date."""
    return pack._replace(expiry="")


def wrong_check_digit(pack: Pack) -> Pack:
    """A product code whose last digit is wrong."""
    right = int(gtin_check_digit(pack.product_code[:13]))
    return pack._replace(product_code=f"{pack.product_code[:13]}{(right + 1) % 10}")


def too_long_serial(pack: Pack) -> Pack:
    """A serial number of 21 characters."""
    return pack._replace(serial_number=pack.serial_number.ljust(SERIAL_LENGTH_MAX + 1, "X"))


def forbidden_in_batch(pack: Pack) -> Pack:
    """A batch with a character outside of GS1's set 82."""
    return pack._replace(batch_id=f"{pack.batch_id[:10]}#1")


def month_thirteen(pack: Pack) -> Pack:
    """An expiry date that is none."""
    return pack._replace(expiry=f"{pack.expiry[:2]}1301")

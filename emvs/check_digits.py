"""Check digits of GTIN, PZN and PPN, and the ways from one German product code to another.

No scanned text and no wire format enters here: a code comes in alone, as a string.
Sources: GS1 General Specifications 7.9 (GTIN); IFA, "Technical information on PZN coding" and
"PPN code specification".
"""

from operator import mul

_GTIN_LENGTH = 14
_PZN_LENGTH = 8
_PPN_LENGTH = 12

# Product Registration Agency code 11 stands for the German PZN. The others are reserved, or given
# to other countries.
_PRA_PZN = "11"

# GS1 Germany's prefix for national codes, filled up to the 14 digits of a GTIN. Germany permits
# no GTIN of the company's own on a reimbursed pack.
_NTIN_DE_PREFIX = "04150"

# The digits '0'..'9' are the bytes 48..57. Twenty-eight weights (seven threes, seven ones) times
# 48 is 1344: a sum over bytes in place of digits is off by that, so by 4 modulo 10.
_GTIN_SUM_OF_BYTES = 4

_PPN_WEIGHTS = range(2, 12)


def _are_digits(text: str, length: int) -> bool:
    # `isdigit` alone would let Arabic-Indic and superscript digits through.
    return len(text) == length and text.isascii() and text.isdigit()


def is_valid_gtin(product_code: str) -> bool:
    """Tell whether this is a GTIN, or NTIN, of 14 digits whose check digit fits."""
    if len(product_code) != _GTIN_LENGTH or not (product_code.isascii() and product_code.isdigit()):
        return False
    # Written out because every request on the servers comes through here: a loop takes three
    # times as long.
    d = product_code.encode()
    threes = d[0] + d[2] + d[4] + d[6] + d[8] + d[10] + d[12]
    ones = d[1] + d[3] + d[5] + d[7] + d[9] + d[11] + d[13]
    return (3 * threes + ones) % 10 == _GTIN_SUM_OF_BYTES


def is_valid_pzn(pzn: str) -> bool:
    """Tell whether this is a PZN of 8 digits whose check digit fits."""
    return _are_digits(pzn, _PZN_LENGTH) and _pzn_remainder(pzn) == int(pzn[7])


def is_valid_ppn(product_code: str) -> bool:
    """Tell whether this is a PPN of 12 digits whose two check digits fit.

    Any registration agency passes, not the German one alone.
    """
    if not _are_digits(product_code, _PPN_LENGTH):
        return False
    return _ppn_remainder(product_code) == int(product_code[10:])


def gtin_check_digit(first_13: str) -> str:
    """Return the digit that makes these 13 a GTIN."""
    if not _are_digits(first_13, _GTIN_LENGTH - 1):
        raise ValueError(f"a GTIN's check digit follows from 13 digits, not from {first_13!r}")
    threes, ones = sum(map(int, first_13[::2])), sum(map(int, first_13[1::2]))
    return str(-(3 * threes + ones) % 10)


def pzn_check_digit(first_7: str) -> str | None:
    """Return the digit that makes these 7 a PZN, or None: such a PZN is never given out."""
    if not _are_digits(first_7, _PZN_LENGTH - 1):
        raise ValueError(f"a PZN's check digit follows from 7 digits, not from {first_7!r}")
    remainder = _pzn_remainder(first_7)
    return None if remainder == 10 else str(remainder)


def ppn_check_digits(first_10: str) -> str:
    """Return the two digits that make these 10 a PPN."""
    if not _are_digits(first_10, _PPN_LENGTH - 2):
        raise ValueError(f"a PPN's check digits follow from 10 digits, not from {first_10!r}")
    return f"{_ppn_remainder(first_10):02d}"


def ppn_from_pzn(pzn: str) -> str:
    """Return the PPN of a German PZN."""
    first_10 = _PRA_PZN + _checked_pzn(pzn)
    return first_10 + ppn_check_digits(first_10)


def ntin_from_pzn(pzn: str) -> str:
    """Return the German NTIN, 14 digits, of a PZN."""
    first_13 = _NTIN_DE_PREFIX + _checked_pzn(pzn)
    return first_13 + gtin_check_digit(first_13)


def pzn_from_ppn(product_code: str) -> str:
    """Return the PZN inside a German PPN."""
    if not is_valid_ppn(product_code) or not product_code.startswith(_PRA_PZN):
        raise ValueError(f"{product_code!r} is not the PPN of a German PZN")
    return _checked_pzn(product_code[2:10])


def pzn_from_ntin(product_code: str) -> str:
    """Return the PZN inside a German NTIN."""
    if not is_valid_gtin(product_code) or not product_code.startswith(_NTIN_DE_PREFIX):
        raise ValueError(f"{product_code!r} is not the NTIN of a German PZN")
    return _checked_pzn(product_code[5:13])


def ntin_from_ppn(product_code: str) -> str:
    """Return the NTIN of the product that this German PPN denotes."""
    return ntin_from_pzn(pzn_from_ppn(product_code))


def ppn_from_ntin(product_code: str) -> str:
    """Return the PPN of the product that this German NTIN denotes."""
    return ppn_from_pzn(pzn_from_ntin(product_code))


def _pzn_remainder(pzn: str) -> int:
    """Return the weighted sum of the first 7 digits modulo 11; the weights are 1 to 7."""
    return sum(int(digit) * weight for weight, digit in enumerate(pzn[:7], start=1)) % 11


def _ppn_remainder(product_code: str) -> int:
    """Return the sum over the first 10 characters' ASCII values modulo 97; weights 2 to 11."""
    total: int = sum(map(mul, product_code.encode(), _PPN_WEIGHTS))
    return total % 97


def _checked_pzn(pzn: str) -> str:
    if not is_valid_pzn(pzn):
        raise ValueError(f"{pzn!r} is not a PZN: 8 digits, the last one the check digit")
    return pzn

"""What the value of each GS1 application identifier (AI) looks like: lengths, digits, dates.

For telling elements apart where separators are lost. All AIs are here, as a pack may carry further
data (Delegated Regulation (EU) 2016/161, Art. 8), and what is not known would be taken for part of
another value. Source: GS1 General Specifications 3.2 (the list of AIs) and 7.9 (check digits).
"""

from __future__ import annotations

from typing import Final, NamedTuple

from emvs.expiry import parse_expiry

_DATE_LENGTH: Final = 6


class Format(NamedTuple):
    """What a value may look like. Characters beyond the leading digits are any of set 82."""

    shortest: int
    longest: int
    digits: int
    """How many characters at its beginning are digits, as far as it reaches."""
    checked: int = 0
    """How many of these end with a check digit."""
    is_date: bool = False

    def fits(self, value: str) -> bool:
        """Tell whether a value is of this form. Its characters are not looked at otherwise."""
        head = value[: self.digits]
        return (
            self.shortest <= len(value) <= self.longest
            and (not head or (head.isascii() and head.isdigit()))
            and (not self.is_date or parse_expiry(value[:_DATE_LENGTH]) is not None)
            and (not self.checked or _is_checked(value[: self.checked]))
        )


def _is_checked(digits: str) -> bool:
    """Tell whether the last digit is the check digit: weights 3, 1, 3 from the right before it."""
    total = sum(
        int(digit) * (1 if place % 2 == 0 else 3) for place, digit in enumerate(digits[::-1])
    )
    return total % 10 == 0


def _text(longest: int, digits: int = 0, shortest: int = 1) -> Format:
    return Format(max(shortest, digits), longest, digits)


def _number(length: int, *, checked: bool = False) -> Format:
    return Format(length, length, length, length if checked else 0)


def _up_to(longest: int, shortest: int = 1) -> Format:
    return Format(shortest, longest, longest)


def _series(first: int, last: int, value: Format) -> dict[str, Format]:
    return {str(number): value for number in range(first, last + 1)}


_DATE: Final = Format(6, 6, 6, is_date=True)
_TIME: Final = Format(10, 10, 10, is_date=True)
_GLN: Final = _number(13, checked=True)
_COUNTRY: Final = _number(3)

# Identifiers of measures end with the place of the decimal point, 0 to 5.
_MEASURES: Final = {
    f"{number}{point}": _number(6)
    for number in (*range(310, 317), *range(320, 338), *range(340, 358), *range(360, 370))
    for point in range(6)
}

FORMATS: Final[dict[str, Format]] = {
    "00": _number(18, checked=True),
    **dict.fromkeys(("01", "02", "03"), _number(14, checked=True)),
    "10": _text(20),
    **dict.fromkeys(("11", "12", "13", "15", "16", "17"), _DATE),
    "20": _number(2),
    **dict.fromkeys(("21", "22"), _text(20)),
    "235": _text(28),
    **dict.fromkeys(("240", "241"), _text(30)),
    "242": _up_to(6),
    "243": _text(20),
    **dict.fromkeys(("250", "251"), _text(30)),
    "253": Format(13, 30, 13, checked=13),
    "254": _text(20),
    "255": Format(13, 25, 25, checked=13),
    "30": _up_to(8),
    **_MEASURES,
    "37": _up_to(8),
    **_series(3900, 3909, _up_to(15)),
    **_series(3910, 3919, _up_to(18, shortest=4)),
    **_series(3920, 3929, _up_to(15)),
    **_series(3930, 3939, _up_to(18, shortest=4)),
    **_series(3940, 3943, _number(4)),
    **_series(3950, 3955, _number(6)),
    **dict.fromkeys(("400", "401", "403"), _text(30)),
    "402": _number(17, checked=True),
    **_series(410, 417, _GLN),
    "420": _text(20),
    "421": _text(12, digits=3, shortest=4),
    **dict.fromkeys(("422", "424", "426"), _COUNTRY),
    **dict.fromkeys(("423", "425"), _up_to(15, shortest=3)),
    "427": _text(3),
    **dict.fromkeys(("4300", "4301", "4310", "4311", "4320"), _text(35)),
    **_series(4302, 4306, _text(70)),
    **_series(4312, 4316, _text(70)),
    **dict.fromkeys(("4307", "4317"), Format(2, 2, 0)),
    **dict.fromkeys(("4308", "4319"), _text(30)),
    "4309": _number(20),
    "4318": _text(20),
    **_series(4321, 4323, _number(1)),
    **dict.fromkeys(("4324", "4325"), _TIME),
    "4326": _DATE,
    **_series(4330, 4333, Format(6, 7, 6)),
    "7001": _number(13),
    "7002": _text(30),
    "7003": _TIME,
    "7004": _up_to(4),
    "7005": _text(12),
    "7006": _DATE,
    "7007": Format(6, 12, 12, is_date=True),
    "7008": _text(3),
    "7009": _text(10),
    "7010": _text(2),
    "7011": Format(6, 10, 10, is_date=True),
    **_series(7020, 7022, _text(20)),
    "7023": _text(30),
    **_series(7030, 7039, _text(30, digits=3, shortest=4)),
    "7040": Format(4, 4, 1),
    "7041": _text(4),
    **_series(710, 717, _text(20)),
    **_series(7230, 7239, _text(30, shortest=3)),
    "7240": _text(20),
    "7241": _number(2),
    "7242": _text(25),
    "7250": _number(8),
    "7251": _number(12),
    "7252": _number(1),
    **dict.fromkeys(("7253", "7254", "7259"), _text(40)),
    "7255": _text(10),
    "7256": _text(90),
    "7257": _text(70),
    "7258": Format(3, 3, 1),
    "8001": _number(14),
    "8002": _text(20),
    "8003": Format(14, 30, 14, checked=14),
    "8004": _text(30),
    "8005": _number(6),
    **dict.fromkeys(("8006", "8026"), Format(18, 18, 18, checked=14)),
    "8007": _text(34),
    "8008": Format(8, 12, 12, is_date=True),
    "8009": _text(50),
    "8010": _text(30),
    "8011": _up_to(12),
    "8012": _text(20),
    **dict.fromkeys(("8013", "8014", "8020"), _text(25)),
    **dict.fromkeys(("8017", "8018"), _number(18, checked=True)),
    "8019": _up_to(10),
    "8030": _text(90),
    **dict.fromkeys(("8040", "8041"), _number(15)),
    "8042": _number(32),
    "8043": Format(18, 20, 20),
    **dict.fromkeys(("8110", "8112", "8200"), _text(70)),
    "8111": _number(4),
    "90": _text(30),
    **_series(91, 99, _text(90)),
}
"""By AI. Those that GS1 does not let stand beside a product code are here too: packs have them."""

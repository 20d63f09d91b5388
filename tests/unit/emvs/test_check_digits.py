"""Check digits against published examples."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emvs.check_digits import (
    gtin_check_digit,
    is_valid_gtin,
    is_valid_ppn,
    is_valid_pzn,
    ntin_from_ppn,
    ntin_from_pzn,
    ppn_check_digits,
    ppn_from_ntin,
    ppn_from_pzn,
    pzn_check_digit,
    pzn_from_ntin,
    pzn_from_ppn,
)


@pytest.mark.parametrize(
    ("first_13", "digit"),
    [("0415003752864", "3"), ("0999999999999", "4"), ("0400638133393", "1"), ("0" * 13, "0")],
)
def test_gtin_check_digit(first_13: str, digit: str) -> None:
    assert gtin_check_digit(first_13) == digit
    assert [d for d in "0123456789" if is_valid_gtin(first_13 + d)] == [digit]


def test_pzn_check_digit() -> None:
    assert pzn_check_digit("0375286") == "4"
    assert pzn_check_digit("1234567") == "8"
    assert is_valid_pzn("03752864")
    assert not is_valid_pzn("03752865")


def test_a_pzn_with_remainder_ten_is_never_given_out() -> None:
    assert pzn_check_digit("0000003") is None  # 7 x 3 = 21, which is 10 modulo 11.


@pytest.mark.parametrize(("first_10", "digits"), [("1103752864", "14"), ("1112345678", "42")])
def test_ppn_check_digits(first_10: str, digits: str) -> None:
    assert ppn_check_digits(first_10) == digits
    assert is_valid_ppn(first_10 + digits)
    assert not is_valid_ppn(first_10 + digits[::-1])


@pytest.mark.parametrize("is_valid", [is_valid_gtin, is_valid_ppn, is_valid_pzn])
@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "A" * 14,
        "A" * 12,
        "0415003752864 ",
        "\u0660" * 14,
        "\u00b2" * 14,
        "\u0660" * 12,
        "\u0660" * 8,
        "9" * 5000,
    ],
)
def test_malformed_codes_are_invalid(is_valid: Callable[[str], bool], text: str) -> None:
    assert is_valid(text) is False


def test_one_product_under_three_numbers() -> None:
    assert ppn_from_pzn("03752864") == "110375286414"
    assert ntin_from_pzn("03752864") == "04150037528643"
    assert pzn_from_ppn("110375286414") == pzn_from_ntin("04150037528643") == "03752864"
    assert ntin_from_ppn("110375286414") == "04150037528643"
    assert ppn_from_ntin("04150037528643") == "110375286414"


@pytest.mark.parametrize(
    ("convert", "text"),
    [
        (gtin_check_digit, "123"),
        (gtin_check_digit, "A" * 13),
        (pzn_check_digit, "12345678"),
        (ppn_check_digits, "11"),
        (ppn_from_pzn, "03752865"),
        (ntin_from_pzn, "3752864"),
        (pzn_from_ppn, "110375286415"),
        (pzn_from_ppn, "120375286424"),
        (pzn_from_ntin, "04150037528644"),
        (pzn_from_ntin, "09999999999994"),
    ],
)
def test_what_is_no_such_code_is_not_converted(
    convert: Callable[[str], str | None], text: str
) -> None:
    with pytest.raises(ValueError, match=text):
        convert(text)


@given(st.integers(0, 9_999_999).map("{:07d}".format))
def test_conversions_lead_back(first_7: str) -> None:
    digit = pzn_check_digit(first_7)
    if digit is None:
        assert not any(is_valid_pzn(f"{first_7}{d}") for d in range(10))
        return
    pzn = first_7 + digit
    assert pzn_from_ppn(ppn_from_ntin(ntin_from_pzn(pzn))) == pzn
    assert is_valid_gtin(ntin_from_pzn(pzn))
    assert is_valid_ppn(ppn_from_pzn(pzn))


@given(st.integers(0, 10**13 - 1).map("{:013d}".format), st.integers(0, 12), st.integers(1, 9))
def test_any_single_wrong_digit_is_noticed(first_13: str, place: int, shift: int) -> None:
    right = first_13 + gtin_check_digit(first_13)
    wrong_digit = str((int(right[place]) + shift) % 10)
    assert is_valid_gtin(right)
    assert not is_valid_gtin(right[:place] + wrong_digit + right[place + 1 :])

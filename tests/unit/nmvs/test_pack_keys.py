"""Keys of packs: the same for the same pack, another for every other one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nmvs.pack_keys import KEY_BYTES, PackKeys

SECRET = b"a secret of the tests"
KEYS = PackKeys(SECRET)

# Few letters, so that texts which differ only in where the separator stands are met.
TEXTS = st.text(alphabet="01A\x1f\ud800é", max_size=6)


def test_a_key_depends_on_secret_product_code_and_serial_number() -> None:
    key = KEYS.key("04012345678901", "SN1")
    assert len(key) == KEY_BYTES
    assert PackKeys(SECRET).key("04012345678901", "SN1") == key
    assert PackKeys(b"another secret of the tests").key("04012345678901", "SN1") != key
    assert KEYS.key("04012345678901", "SN2") != key
    assert KEYS.key("04012345678918", "SN1") != key
    assert KEYS.key("0401234567890", "1SN1") != key


@given(TEXTS, TEXTS, TEXTS, TEXTS)
def test_no_two_identities_share_a_key(code: str, serial: str, code2: str, serial2: str) -> None:
    alike = KEYS.key(code, serial) == KEYS.key(code2, serial2)
    assert alike == ((code, serial) == (code2, serial2))


def test_separators_in_the_wrong_place_do_not_make_two_packs_one() -> None:
    identities = [("A", "\x1fB\x1fC"), ("A\x1fB", "C"), ("A\x1f", "B\x1fC"), ("", "A\x1fB\x1fC")]
    assert len({KEYS.key(code, serial) for code, serial in identities}) == len(identities)


@given(TEXTS, st.lists(TEXTS, max_size=5))
def test_many_keys_are_the_single_keys_in_order(code: str, serials: list[str]) -> None:
    assert KEYS.keys(code, serials) == b"".join(KEYS.key(code, serial) for serial in serials)


@pytest.mark.parametrize("length", [0, 15, 65])
def test_a_secret_of_unfit_length_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match="needs 16 to 64"):
        PackKeys(bytes(length))

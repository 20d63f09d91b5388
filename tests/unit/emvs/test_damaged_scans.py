"""Damaged scans: layouts against the published tables, and no repair that yields another pack."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from emvs.character_sets import IFA_BATCH_CHARACTERS, IFA_SERIAL_CHARACTERS, SET_82
from emvs.check_digits import gtin_check_digit
from emvs.damaged_scans import DamagedScan, damaged_scans, judge
from emvs.fault_patterns import PATTERNS, Reading
from emvs.keyboard_faults import diagnose, type_through
from emvs.keyboard_layouts import LAYOUTS
from emvs.scan import Scan, parse_scan
from emvs.scheme import Scheme

# What the national organisations' tables of test data say: sent, then received.
PUBLISHED = {
    "uk": ('"', "@"),
    "german": ("YZyz\"&'()*-/:;<>?_", "ZYzyÄ/ä)=(ß-Öö;:_?"),
    "french": ("0123456789AQWZMm!%&'()*,-./:;<>_", "à&é\"'(-è_çQAZW?,157ù908;):!Mm./°"),
    "belgian": ("68/=+?", "§!=-_+"),
    "italian": ('"&()*-/:;<=>?_', "°/)=('-çò;ì:_?"),
    "czech": ("0123456789YZyz", "é+ěščřžýáíZYzy"),
    "hungarian": ("0YZ", "öZY"),
    "polish214": ("YZ/-", "ZY-+"),
    "swiss": ("YZ", "ZY"),
}
PREFIXES = {
    "uk": "]d2",
    "german": "+d2",
    "french": "$dé",
    "belgian": "$dé",
    "italian": "+d2",
    "spanish": "+d2",
    "czech": ")dě",
    "hungarian": "úd2",
    "polish214": "śd2",
    "swedish": "¨d2",
    "swiss": "¨d2",
    "greek": "]δ2",
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_layouts_agree_with_the_published_tables(name: str) -> None:
    sent, received = PUBLISHED[name]
    assert "".join(LAYOUTS[name].keys.get(key, key) for key in sent) == received


@pytest.mark.parametrize("name", PREFIXES)
def test_what_becomes_of_the_symbology_identifier(name: str) -> None:
    assert type_through(LAYOUTS[name], "]d2") == PREFIXES[name]


def test_marks_wait_for_the_next_key() -> None:
    assert type_through(LAYOUTS["german"], "A+A=1") == "AÀ\u00b41"
    assert type_through(LAYOUTS["german"], "A+") == "A`"


def test_a_mark_that_may_have_waited_makes_a_scan_uncertain() -> None:
    # Italian has this letter as a key of its own; German makes it of a plus and an A.
    fault = diagnose("+d2010415003752864317271231" + "10Bà\x1b21SN1")
    assert fault is not None
    assert not fault.candidates


codes = st.integers(0, 10**13 - 1).map(lambda number: f"{number:013d}")
gtins = codes.map(lambda code: code + gtin_check_digit(code))
values = st.text(SET_82, min_size=1, max_size=20)
plain_values = st.text("ABYZMQWabyzmqw0123456789", min_size=1, max_size=20)
expiries = st.sampled_from(["271200", "271231", "280229", "300415"])
packs = st.builds(
    Scan,
    scheme=st.just(Scheme.GTIN),
    product_code=gtins,
    serial_number=values | plain_values,
    batch_id=values | plain_values,
    expiry=expiries,
)
ifa_packs = st.builds(
    Scan,
    scheme=st.just(Scheme.PPN),
    product_code=st.just("110375286414"),
    serial_number=st.text(IFA_SERIAL_CHARACTERS, min_size=1, max_size=20),
    batch_id=st.text(IFA_BATCH_CHARACTERS, min_size=1, max_size=20),
    expiry=expiries,
)


def pack_of(serial: str, batch: str) -> Scan:
    return Scan(
        scheme=Scheme.GTIN,
        product_code="04150037528643",
        serial_number=serial,
        batch_id=batch,
        expiry="271231",
    )


@example(pack_of("SN1", "B1"))
@example(pack_of("5", "X21"))
@example(pack_of("A10", "B21C"))
@given(packs | ifa_packs)
@settings(max_examples=60)
def test_no_repair_yields_another_pack(pack: Scan) -> None:
    for damaged in damaged_scans(pack):
        verdict = judge(damaged)
        is_doubtful = verdict.reading is Reading.SENT and Reading.SENT in damaged.pattern.allowed
        assert verdict.ok or is_doubtful, (damaged.pattern.name, damaged.text, verdict)


def test_every_pattern_befalls_an_ordinary_pack_and_most_are_seen() -> None:
    pack = pack_of("SN0Z0123aB10", "LOT-7A")
    verdicts = {damaged.pattern.name: judge(damaged) for damaged in damaged_scans(pack)}
    assert len(verdicts) == len(PATTERNS) == len({pattern.name for pattern in PATTERNS})
    assert all(verdict.ok for verdict in verdicts.values())
    assert verdicts["caps-lock"].reading is Reading.REPAIRED
    assert verdicts["keyboard-hungarian-separated"].reading is Reading.REPAIRED
    assert verdicts["keyboard-czech-separated"].reading is Reading.REFUSED
    assert verdicts["keyboard-german-separated"].reading is Reading.REPAIRED
    assert verdicts["keyboard-swedish-separated"].reading is Reading.REFUSED
    assert verdicts["cut-1"].reading is Reading.SENT


def test_a_wrong_repair_would_be_found() -> None:
    pack = pack_of("SN1", "B1")
    other = pack_of("SN2", "B1")
    damaged = next(item for item in damaged_scans(pack) if item.pattern.name == "caps-lock")
    assert not judge(DamagedScan(damaged.pattern, other, damaged.text)).ok


def test_repairs_tell_what_to_see_to() -> None:
    (repair,) = parse_scan("]D201041500375286431727123110b1\x1d21sn1").repairs
    assert repair.endswith("Caps Lock is on. Switch Caps Lock off.")

"""Transaction identifiers of the hub: what is made can be read, and what is wrong is named."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emvs.transaction_ids import (
    LENGTH,
    MESSAGE_TYPES,
    Actor,
    IdentifierType,
    make_transaction_id,
    parse_transaction_id,
)


@given(
    st.sampled_from(sorted(MESSAGE_TYPES)),
    st.sampled_from(IdentifierType),
    st.sampled_from(Actor),
    st.integers(0, 99_999),
    st.integers(0, 10**10),
)
def test_every_id_made_can_be_read(
    message_type: str, kind: IdentifierType, actor: Actor, organisation: int, number: int
) -> None:
    now = datetime(2026, 3, 2, tzinfo=UTC)
    text = make_transaction_id(
        message_type,
        kind,
        actor,
        organisation_id=f"{organisation:05d}",
        client_id="001",
        now=now,
        number=number,
    )
    assert len(text) == LENGTH
    parsed = parse_transaction_id(text)
    assert (parsed.message_type, parsed.identifier_type, parsed.actor) == (
        message_type,
        kind,
        actor,
    )
    assert int(parsed.organisation_id) == organisation
    assert (parsed.year, parsed.day_of_year, int(parsed.reference)) == (2026, 61, number)
    assert str(parsed) == text


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        # Each row mends one fault of the row above it.
        ("PMDRRQM00001", "34 characters"),
        ("XXXXXXX000010012026061000000000001", "message type"),
        ("PMDRXXX000010012026061000000000001", "RQ, AK, RS or TX"),
        ("PMDRRQX000010012026061000000000001", "actor"),
        ("PMDRRQM0-0010012026061000000000001", "organisation"),
        ("PMDRRQM000010012026367000000000001", "day of the year"),
        ("PMDRRQM00001001202606100000000000-", "reference"),
    ],
)
def test_what_is_wrong_is_named(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        parse_transaction_id(text)


def test_a_right_one_is_taken() -> None:
    assert parse_transaction_id("PMDRRQM000010012026061000000000001").organisation_id == "00001"


def test_a_number_too_large_is_refused() -> None:
    with pytest.raises(ValueError, match="34 characters"):
        make_transaction_id(
            "PMDR",
            IdentifierType.REQUEST,
            Actor.MANUFACTURER,
            organisation_id="00001",
            client_id="001",
            now=datetime(2026, 1, 1, tzinfo=UTC),
            number=10**12,
        )

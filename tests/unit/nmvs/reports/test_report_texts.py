"""Reports as text: quoting, formulas, pairs that cannot be forged, parameters."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from emvs.errors import BadRequestError
from emvs.roles import Role
from nmvs.reports.csv_tables import banner_lines, table_head, table_lines
from nmvs.reports.definitions import (
    EXCEPTIONS_AUDIT_TRAIL,
    REPORT_TYPES,
    USER_ACTIVITY,
    checked_parameters,
    find_type,
    period_of,
)
from nmvs.reports.exceptions import event_details
from nmvs.reports.standing import format_name


def test_cells_are_never_formulas() -> None:
    at = datetime(2030, 1, 1, 1, 2, 3, 4999, tzinfo=UTC)
    line = table_lines([["=1+1", None, True, 7, at, 'a"b', "+49"]])
    assert line == '\'=1+1,,true,7,2030-01-01T01:02:03.004Z,"a""b",\'+49\r\n'


def test_names_of_tables_and_banners_are_quoted() -> None:
    assert table_head("API Versions", ("A", "B")) == '\r\n"API Versions"\r\nA,B\r\n'
    assert banner_lines(("=x", 'say "x"')) == '"\'=x"\r\n"say ""x"""\r\n'


def test_no_value_looks_like_the_next_pair() -> None:
    cell = event_details({"SerialNumber": "A1;  Market: DE", "Market": "IE", "IsBadData": False})
    assert cell == "SerialNumber: A1;Market: DE; Market: IE; IsBadData: false;"
    assert event_details({"Name": "a\r\nb", "User": None}) == "Name: a b; User: ;"


@pytest.mark.parametrize(
    ("type_id", "given", "sentence"),
    [
        (USER_ACTIVITY, {"startDate": "2030-01-01"}, "endDate is missing"),
        (USER_ACTIVITY, {"startDate": "2030-01-02", "endDate": "2030-01-01"}, "end is not after"),
        (USER_ACTIVITY, {"startDate": "2028-01-01", "endDate": "2030-01-01"}, "at most 366 days"),
        (USER_ACTIVITY, {"startDate": 7, "endDate": "2030-01-01"}, "startDate is no ISO"),
        (USER_ACTIVITY, {"startDate": "1066-01-01", "endDate": "2030-01-01"}, "from 2000"),
        (
            EXCEPTIONS_AUDIT_TRAIL,
            {
                "startDateTime": "2030-01-01",
                "endDateTime": "2030-01-02",
                "syntheticMonitoring": "maybe",
            },
            "true or false",
        ),
    ],
)
def test_bad_parameters_are_refused(type_id: str, given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BadRequestError, match=sentence):
        checked_parameters(REPORT_TYPES[type_id], given)


def test_parameters_are_read_in_any_case_and_days_are_whole() -> None:
    given = {"STARTDATE": "2030-01-01", "enddate": "2030-01-31", "unknown": "x"}
    checked = checked_parameters(REPORT_TYPES[USER_ACTIVITY], given)
    period = period_of(checked)
    assert period.start == datetime(2030, 1, 1, tzinfo=UTC)
    assert period.end == datetime(2030, 2, 1, tzinfo=UTC)
    given = {"startDateTime": "2030-01-01T01:00:00+01:00", "endDateTime": "2030-01-01T00:00:01"}
    checked = checked_parameters(REPORT_TYPES[EXCEPTIONS_AUDIT_TRAIL], given)
    assert period_of(checked).start == datetime(2030, 1, 1, tzinfo=UTC)


def test_types_are_found_however_they_are_spelled() -> None:
    for name, kind in REPORT_TYPES.items():
        assert find_type(name.upper().replace(" ", "")) is kind
        assert Role.NMVO in kind.scopes
        assert Role.OBP not in kind.scopes
    assert find_type("") is None


def test_formats_are_told_in_words() -> None:
    assert format_name(3) == "digits, capitals"
    assert format_name(None) == ""

"""Case 13: the report interface, for systems and software that have it."""

from __future__ import annotations

from pharmacy_client.testbook.book import CallReport, Case, ReportCall, Setting, Step


def build(_: Setting) -> list[Case]:
    """Return the case."""
    steps = (
        ("Ask for the types of reports", ReportCall.TYPES),
        ("Request a report", ReportCall.REQUEST),
        ("List the requested reports: it is among them", ReportCall.LIST),
        ("Fetch it: CSV with three lines of banner and a header row", ReportCall.FETCH),
    )
    return [
        Case(
            number="13",
            name="REPORT_API",
            steps=tuple(
                Step(text=text, follows=call is not ReportCall.TYPES, action=CallReport(call=call))
                for text, call in steps
            ),
            optional=True,
        )
    ]

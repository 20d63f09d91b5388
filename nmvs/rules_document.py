"""`python -m nmvs.rules_document` prints docs/rules.md: the rules, with both dialects' codes."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Final

from emvs.alert_rules import AlertRules
from emvs.outcomes import OUTCOMES, Outcome
from emvs.roles import Role
from emvs.rules import MarketRules
from emvs.rules_document import (
    outcome_name,
    permission_grid,
    settings_list,
    table,
    transition_grids,
    undo_order,
)
from nmvs.rest.codes import HINTED, code_pattern, http_status
from nmvs.soap.codes import PREFIX, RETURN_CODES

_LOGINS: Final = (Outcome.LOGIN_WRONG, Outcome.LOGIN_LOCKED)
_CHAPTERS: Final = """\
# The rules on packs

Made from the code by `python -m nmvs.rules_document > docs/rules.md`; a test holds that it is
up to date. What is inferred or our choice is marked so beside the tables in the code.

## What an operation does to a pack

Before this is asked, the identifiers must be those of a stored pack. A pack that is withdrawn,
recalled or expired (in this order) is refused every operation but verify.

{transitions}
*reactivate* is the one undo of the REST dialect; the others name what they undo, as the SOAP
dialect does. *check out* is asked through the hub only.

## When an undo is refused

Each line holds if none above it does.

{undo}
## Who may do what

{permissions}
What a participant may not do is `NOT_PERMITTED`, whatever the pack.

## What comes of a request

Level 5 is an alert, and its code is that of the EU Hub. A SOAP code is followed by its silent twin
of version 5, which stands for it when there is no alert; version 4 keeps the code and leaves the
alert id out. Small letters in a REST code are the operation (`oo`), state (`ss`) and reason (`rr`).

{outcomes}
A hint at a fault of scanner or keyboard goes with the alert (REST only; which of three codes
is which is inferred):

{hints}
## What a market may set

Members of `rules` in a national system's configuration. `emvs up --settings` takes them, see
[running.md](running.md).

{settings}"""


def rules_document() -> str:
    """Return the whole document."""
    return _CHAPTERS.format(
        transitions=transition_grids(),
        undo=undo_order(),
        permissions=permission_grid(),
        outcomes=_outcomes(),
        hints=_hints(),
        settings=settings_list(),
    )


def _outcomes() -> str:
    return table(
        ("outcome", "level", "hub code", "alert", "SOAP", "SOAP, undo", "SOAP, abroad", "REST"),
        _outcome_rows(),
    )


def _outcome_rows() -> Iterable[list[str]]:
    alerts = AlertRules(MarketRules())
    for outcome, facts in OUTCOMES.items():
        rest = code_pattern(outcome)
        if rest is None or (outcome, False, False, False) not in RETURN_CODES[5]:
            continue  # No request comes to it.
        rule, undo, abroad = (
            _soap(outcome, undo=undo, abroad=abroad)
            for undo, abroad in ((False, False), (True, False), (False, True))
        )
        yield [
            outcome_name(outcome),
            str(facts.level),
            facts.hub_code or "",
            alerts.hub_code(outcome, Role.PHARMACY) or "",
            rule,
            undo if undo != rule else "",
            abroad if abroad != rule else "",
            "no token" if outcome in _LOGINS else f"{http_status(rest)} `{rest}`",
        ]


def _soap(outcome: Outcome, *, undo: bool, abroad: bool) -> str:
    codes = [
        RETURN_CODES[5][outcome, undo, abroad, silent].code.removeprefix(PREFIX)
        for silent in (False, True)
    ]
    return " / ".join(f"`{code}`" for code in dict.fromkeys(codes))


def _hints() -> str:
    return table(
        ("outcome", "odd", "REST"),
        (
            (outcome_name(outcome), hint.value, f"`{code}`")
            for (outcome, hint), code in HINTED.items()
        ),
    )


if __name__ == "__main__":
    sys.stdout.write(rules_document())

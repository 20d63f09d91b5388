"""Which outcome is an alert in which market, and under which code of the EU Hub. Pure.

`emvs.outcomes` says what holds everywhere; here are the market's settings on top of it, and two
exceptions: who only reads (an authority) never raises an alert, and a pack that other markets
were asked for in vain may have a code of its own. Whether wrong typing is forgiven is in
`emvs.typing_tolerance`.

That an undo elsewhere and a verification of a stolen pack have the codes below when a market
makes alerts of them is our choice: no source names one.
"""

from __future__ import annotations

from typing import Final

from emvs.outcomes import HUB_CODES_FORWARDED, OUTCOMES, Outcome
from emvs.roles import Role
from emvs.rules import AlertWhen, MarketRules, NotFoundCode
from emvs.states import State

_UNDO_REFUSED: Final = {Outcome.UNDO_ELSEWHERE: "A24", Outcome.UNDO_TOO_LATE: "A4"}
_UNDO_NEVER: Final = "A24"
_STOLEN_VERIFIED: Final = "A7"
ALERT_CODES: Final = HUB_CODES_FORWARDED | set(_UNDO_REFUSED.values())
"""Codes that an alert may have in one market or another."""
_NOT_FOUND: Final = (Outcome.BATCH_AND_SERIAL_UNKNOWN, Outcome.SERIAL_UNKNOWN)


class AlertRules:
    """What raises an alert in one market; its settings are read once."""

    def __init__(self, rules: MarketRules) -> None:
        self._codes = {
            intermarket: _codes(rules, intermarket=intermarket) for intermarket in (False, True)
        }
        self._stolen_verify_alerts = rules.stolen_verify_alerts
        self._not_found_code = (
            None if rules.not_found_code is NotFoundCode.BY_LOOKUP else rules.not_found_code.value
        )

    def hub_code(
        self,
        outcome: Outcome,
        role: Role,
        *,
        effective: State | None = None,
        intermarket: bool = False,
        sought_elsewhere: bool = False,
    ) -> str | None:
        """Return the hub's code of the alert that an outcome raises, None if it raises none.

        `effective` is the pack's effective state; `intermarket` tells whether another market asks,
        `sought_elsewhere` whether other markets were asked for the pack and none knew it.
        """
        if outcome is Outcome.VERIFIED:
            if not (self._stolen_verify_alerts and effective is State.STOLEN):
                return None
            code: str | None = _STOLEN_VERIFIED
        else:
            code = self._codes[intermarket].get(outcome)
        if code is None or role is Role.NCA:
            return None
        if sought_elsewhere and self._not_found_code is not None and outcome in _NOT_FOUND:
            return self._not_found_code
        return code


def _codes(rules: MarketRules, *, intermarket: bool) -> dict[Outcome, str]:
    codes = {
        outcome: facts.hub_code
        for outcome, facts in OUTCOMES.items()
        if facts.raises_alert and facts.hub_code is not None
    }
    codes[Outcome.ALREADY_IN_STATE] = rules.already_in_state_code.value
    when = rules.undo_elsewhere_alerts
    if when is AlertWhen.ALWAYS or (when is AlertWhen.INTERMARKET and intermarket):
        codes |= _UNDO_REFUSED
    if rules.undo_never_alerts:
        codes[Outcome.UNDO_IMPOSSIBLE] = _UNDO_NEVER
    return codes

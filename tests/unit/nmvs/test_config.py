"""A national system's configuration: what a market may set, and sentences for what it may not."""

from __future__ import annotations

from typing import Any

import pytest

from emvs.errors import ConfigurationError
from emvs.expiry import ExpiryMatching
from emvs.rules import AlertWhen, AlreadyInStateCode
from emvs.states import State
from nmvs.app import NationalSystem
from nmvs.config import NmvsConfig
from nmvs.rest.settings import RestSettings
from nmvs.soap.settings import SoapSettings


def _config(market: str, **members: Any) -> NmvsConfig:
    return NmvsConfig(market, "x", "t" * 16, **members)


def test_defaults_are_the_market_s_own() -> None:
    finland = _config("FI")
    assert finland.market_rules().supply_repeat_tolerance == 3
    assert finland.market_rules().undo_elsewhere_alerts is AlertWhen.INTERMARKET
    assert _config("EE").market_rules().already_in_state_code is AlreadyInStateCode.A24
    assert _config("MT").market_rules().typing_tolerance == 2
    assert (finland.rest_settings(), finland.soap_settings()) == (RestSettings(), SoapSettings())


def test_single_settings_are_overridden() -> None:
    config = _config(
        "FI",
        rules={"typing_tolerance": 5, "expiry_matching": "month_end"},
        rest={"ams_url": "https://alerts.example/"},
        soap={"verify_codes": {"RECALLED": "FE_LOT_01", "STOLEN": "NC_PCK_03"}},
    )
    rules = config.market_rules()
    assert (rules.typing_tolerance, rules.supply_repeat_tolerance) == (5, 3)
    assert rules.expiry_matching is ExpiryMatching.MONTH_END
    assert config.rest_settings().ams_url == "https://alerts.example/"
    assert config.soap_settings().verify_codes == {
        State.RECALLED: "FE_LOT_01",
        State.STOLEN: "NC_PCK_03",
    }


@pytest.mark.parametrize(
    ("members", "sentence"),
    [
        ({"rules": {"tolerance": 1}}, "rules: no setting is called 'tolerance'"),
        ({"rules": {"typing_tolerance": "many"}}, "rules: "),
        ({"rules": {"undo_elsewhere_alerts": "sometimes"}}, "rules: "),
        ({"rest": {"url": ""}}, "rest: no setting is called 'url'"),
        ({"rest": {"token_life_s": "long"}}, "rest: "),
        ({"soap": {"verify": {}}}, "soap: no setting is called 'verify'"),
        ({"soap": {"verify_codes": 3}}, "soap: "),
        ({"soap": {"verify_codes": {"GONE": "NC_PCK_03"}}}, "soap: verify_codes: no state"),
        ({"soap": {"verify_codes": {"STOLEN": "NO"}}}, "soap: verify_codes: 'NO' is no return"),
    ],
)
def test_what_cannot_be_set_is_told(members: dict[str, Any], sentence: str) -> None:
    config = _config("IE", **members)
    with pytest.raises(ConfigurationError, match=f"^{sentence}"):
        NationalSystem(config)

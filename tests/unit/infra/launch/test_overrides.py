"""What a user sets for single systems reaches them, and is kept from start to start."""

from __future__ import annotations

import itertools
from pathlib import Path

import msgspec
import pytest

from emvs.errors import ConfigurationError, UsageError
from emvs.infra.launch.markets_choice import parse_markets
from emvs.infra.launch.overrides import BYTES_MAX, parse_overrides, read_overrides
from emvs.infra.launch.settings import Settings, Wishes, choose_settings
from emvs.infra.launch.specs import hub_spec, national_specs
from hub.config import HubConfig
from nmvs.config import NmvsConfig

FINLAND = b"""{"FI": {"rules": {"supply_repeat_tolerance": 0, "pharmacy_may_export": true},
                      "non_fmd_product_codes": ["09520000777777"]}}"""


def choose(stored: Settings | None, content: bytes | None) -> Settings:
    numbers = itertools.count(20_000)
    wanted = None if content is None else parse_overrides(content)
    markets = None if stored is not None else parse_markets("AT,FI")
    wishes = Wishes(markets=markets, overrides=wanted)
    return choose_settings(stored, wishes, pick_port=lambda: next(numbers))


def configs(settings: Settings) -> dict[str, NmvsConfig]:
    """Return what each national system is started with, read as it reads it."""
    stored = msgspec.convert(msgspec.to_builtins(settings), Settings)
    return {
        spec.config["market"]: msgspec.convert(spec.config | {"ready_file": None}, NmvsConfig)
        for spec in national_specs(stored, "postgresql://db.example/emvs")
    }


def test_the_file_reaches_the_market_it_names_and_no_other() -> None:
    systems = configs(choose(None, FINLAND))
    finland, austria = systems["FI"].market_rules(), systems["AT"].market_rules()
    assert (finland.supply_repeat_tolerance, finland.pharmacy_may_export) == (0, True)
    assert (austria.supply_repeat_tolerance, austria.pharmacy_may_export) == (2, False)
    assert systems["FI"].non_fmd_product_codes == ("09520000777777",)


def test_the_hub_has_settings_too() -> None:
    settings = choose(None, b'{"hub": {"callbacks": {"hosts_allowed": ["*"]}}}')
    kept = msgspec.convert(msgspec.to_builtins(settings), Settings)
    hub = msgspec.convert(hub_spec(kept, "postgresql://db.example/emvs").config, HubConfig)
    assert hub.callbacks.hosts_allowed == ("*",)
    assert choose(settings, b"{}").hub_overrides == {}


def test_it_holds_for_later_starts_until_another_file_replaces_it() -> None:
    first = choose(None, FINLAND)
    assert configs(choose(first, None))["FI"].market_rules().supply_repeat_tolerance == 0
    replaced = choose(first, b'{"AT": {"rules": {"typing_tolerance": 5}}}')
    assert configs(replaced)["FI"].market_rules().supply_repeat_tolerance == 3
    assert configs(replaced)["AT"].market_rules().typing_tolerance == 5
    emptied = choose(replaced, b"{}")
    assert configs(emptied)["AT"].market_rules().typing_tolerance == 2


def test_a_setting_that_does_not_exist_is_named_by_the_system() -> None:
    settings = choose(None, b'{"FI": {"rules": {"banana": 1}}}')
    with pytest.raises(ConfigurationError, match="rules: no setting is called 'banana'"):
        configs(settings)["FI"].market_rules()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"{", "not of the form"),
        (b"[]", "not of the form"),
        (b'{"FI": 1}', "not of the form"),
        (b'{"\xff": {}}', "not of the form"),
        (b'{"ZZ": {}}', "'ZZ' is neither the hub nor a market"),
        (b'{"LU": {}}', "'LU' is neither the hub nor a market with a national system of its own"),
        (
            b'{"hub": {"rules": {}}}',
            "hub: 'rules' is none of callbacks, identity, limits,",
        ),
        (b'{"FI": {"port": 80}}', "FI: 'port' is none of rules, rest"),
        (b" " * (BYTES_MAX + 1), "more than"),
    ],
)
def test_what_is_wrong_with_the_file_is_said(content: bytes, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        parse_overrides(content)


def test_a_market_that_does_not_run_and_a_file_that_is_not_there_are_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="names PL, which does not run here; there are AT, FI"):
        choose(None, b'{"PL": {"rules": {}}}')
    with pytest.raises(UsageError, match="No such file"):
        read_overrides(tmp_path / "absent.json")

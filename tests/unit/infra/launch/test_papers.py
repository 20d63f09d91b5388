"""endpoints.json and demo.json, and what is printed from them."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from emvs.infra.launch.goods import choose_products, make_batches
from emvs.infra.launch.markets_choice import parse_markets
from emvs.infra.launch.papers import demo_document, endpoints_document
from emvs.infra.launch.settings import Settings, Wishes, choose_settings
from emvs.infra.launch.things_to_try import curl_line, pharmacy_line


def documents(markets: str) -> tuple[dict[str, Any], dict[str, Any]]:
    wishes = Wishes(markets=parse_markets(markets), port_base=7070)
    settings: Settings = choose_settings(None, wishes, pick_port=lambda: 1)
    products = choose_products(settings.running_markets)
    batches = make_batches(products, run_id="ABC234", today=date(2027, 2, 10), stock_count=10)
    return endpoints_document(settings, batches), demo_document(settings, batches)


def test_a_market_offers_the_addresses_of_its_dialects_alone() -> None:
    endpoints, _ = documents("AT,IE,FI:soap+rest")
    plain = {
        code: (market["plain"]["soap"], market["plain"]["rest"], market["plain"]["token"])
        for code, market in endpoints["markets"].items()
    }
    rest = "http://127.0.0.1:{0}/verification", "http://127.0.0.1:{0}/connect/token"
    assert plain == {
        "AT": ("http://127.0.0.1:7080", None, None),
        "IE": (None, *(address.format(7090) for address in rest)),
        "FI": ("http://127.0.0.1:7100", *(address.format(7100) for address in rest)),
    }
    market = endpoints["markets"]["FI"]
    assert market["management"] == "http://127.0.0.1:7101"
    assert market["secure"] == {
        "soap": "https://127.0.0.1:7103",
        "rest": "https://127.0.0.1:7103/verification",
        "token": "https://127.0.0.1:7103/connect/token",
    }
    assert market["soap_ports"] is None
    # The usual way of each dialect's clients.
    assert market["soap"] == market["secure"]["soap"]
    assert (market["rest"], market["token"]) == plain["FI"][1:]


def test_the_ports_of_soap_services_are_told() -> None:
    wishes = Wishes(markets=parse_markets("IE,AT"), port_base=7070, soap_ports=18443)
    settings: Settings = choose_settings(None, wishes, pick_port=lambda: 1)
    markets = endpoints_document(settings, [])["markets"]
    assert markets["AT"]["soap_ports"]["bulk"] == "https://127.0.0.1:18445"
    assert markets["IE"]["soap_ports"] is None


@pytest.mark.parametrize("market", ["AT", "IE", "FI"])
def test_logins_suit_the_wire_formats_and_are_unique(market: str) -> None:
    endpoints, _ = documents("AT,IE,FI:soap+rest")
    offer = endpoints["markets"][market]
    people = [who for who in endpoints["participants"] if who["market"] == market]
    assert [who["kind"] for who in people].count("pharmacy") >= 2
    assert {"hospital", "wholesaler"} <= {who["kind"] for who in people}
    soap = [who["soap"] for who in people if who["soap"]]
    rest = [who["rest"] for who in people if who["rest"]]
    assert len(soap) == (len(people) if offer["soap"] else 0)
    assert len(rest) == (len(people) if offer["rest"] else 0)
    assert len({(login["client_login_id"], login["user_id"]) for login in soap}) == len(soap)
    assert len({login["client_id"] for login in rest}) == len(rest)
    for login in soap:
        assert re.fullmatch(r"[A-Za-z0-9-]{1,20}", login["client_login_id"])
        assert re.fullmatch(r"[A-Za-z0-9-]{4,20}", login["user_id"])
        assert 8 <= len(login["password"]) <= 60
        for kind in (r"[A-Z]", r"[a-z]", r"[0-9]", r"[^A-Za-z0-9]"):
            assert re.search(kind, login["password"])
        assert login["certificate"] == f"certificates/{market}/{login['client_login_id']}.pem"
        assert login["key"] is None


def test_the_manufacturer_has_no_market_and_its_login_at_the_hub() -> None:
    endpoints, _ = documents("IE")
    (maker,) = (who for who in endpoints["participants"] if who["kind"] == "obp")
    assert maker["market"] is maker["rest"] is maker["soap"] is None
    assert set(maker["hub"]) == {"organisation_id", "client_id", "token"}


def test_stories_get_packs_that_tests_elsewhere_do_not() -> None:
    endpoints, demo = documents("AT,IE")
    public = {pack["serial"] for pack in endpoints["packs"]}
    assert len(public) == 400
    for name in ("story", "multi_market", "foreign", "expired"):
        assert demo[name], name
        assert not public & {pack["serial"] for pack in demo[name]}, name
    assert not public & {pack["serial"] for row in demo["recallable"] for pack in row["packs"]}
    assert demo["multi_market"][0]["markets"] == ["AT", "IE"]
    assert {pack["market"] for pack in demo["foreign"]} == {"AT", "IE"}
    assert set(demo["wrong"]) == {"product_code", "serial", "batch", "expiry"}


def test_a_lone_market_has_neither_foreign_nor_multi_market_packs() -> None:
    _, demo = documents("IE")
    assert demo["foreign"] == []
    assert demo["multi_market"] == []


def test_without_a_rest_market_the_curl_line_asks_for_health() -> None:
    assert curl_line(documents("AT")[0]) == "curl -s http://127.0.0.1:7081/health"


def test_a_printed_line_holds_no_control_character() -> None:
    endpoints, _ = documents("AT,IE")
    pack = endpoints["packs"][0]
    line = pharmacy_line(pack, Path("/data dir/endpoints.json"))
    assert line.isprintable()
    assert "'/data dir/endpoints.json'" in line
    assert curl_line(endpoints).isprintable()

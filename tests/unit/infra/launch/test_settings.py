"""What a data directory remembers, and what happens if another start wishes otherwise."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import msgspec
import pytest

from emvs.errors import UsageError
from emvs.infra.launch.markets_choice import parse_markets
from emvs.infra.launch.settings import Settings, Wishes, choose_settings, with_new_ports
from emvs.infra.postgres_errors import ExternalPostgresError

DSN = "postgresql://emvs:secret@db.example:5432/emvs"


def port_counter() -> Callable[[], int]:
    numbers = itertools.count(20_000)
    return lambda: next(numbers)


def choose(stored: Settings | None = None, **wishes: object) -> Settings:
    return choose_settings(stored, Wishes(**wishes), pick_port=port_counter())  # type: ignore[arg-type]


def test_fixed_ports_follow_the_documented_layout() -> None:
    settings = choose(markets=parse_markets("AT,IE"), port_base=9000)
    assert [port for _, port in settings.listeners()] == [
        *(9000, 9001, 9003, 9002),
        *(9010, 9013, 9011, 9012),
        *(9020, 9023, 9021, 9022),
    ]


def test_without_wishes_everything_stays_as_it_was() -> None:
    first = choose(port_base=0, markets=parse_markets("IE"))
    assert choose(first) == first


def test_what_an_earlier_version_wrote_gets_its_new_ports_and_keeps_its_secrets() -> None:
    now = choose(markets=parse_markets("AT"), port_base=9000)
    markets = {
        code: msgspec.structs.replace(market, secure_port=0) for code, market in now.markets.items()
    }
    assert choose(msgspec.structs.replace(now, markets=markets)) == now


def test_free_ports_are_all_different_and_postgres_finds_its_own() -> None:
    settings = choose(port_base=0)
    ports = [port for _, port in settings.listeners()]
    assert len(set(ports)) == len(ports) == 3 + 4 * 4
    assert settings.postgres_port == 0


def test_a_market_that_joins_gets_ports_of_its_own_and_one_that_comes_back_its_old_ones() -> None:
    first = choose(port_base=9000, markets=parse_markets("AT,IE"))
    second = choose(first, markets=parse_markets("PL"))
    assert second.running == ("PL",)
    assert second.markets["PL"].service_port == 9030
    third = choose(second, markets=parse_markets("IE:soap+rest,PL"))
    assert third.markets["IE"].service_port == 9020
    assert third.markets["IE"].token == first.markets["IE"].token
    assert len(third.markets["IE"].dialects) == 2


def test_another_port_base_moves_all_ports_and_keeps_all_secrets() -> None:
    first = choose(port_base=9000)
    second = choose(first, port_base=9500)
    assert {port - 500 for _, port in second.listeners()} == {port for _, port in first.listeners()}
    assert second.manufacturer_token == first.manufacturer_token


def test_taken_free_ports_are_replaced() -> None:
    first = choose(port_base=0)
    second = with_new_ports(first, pick_port=iter(range(30_000, 30_100)).__next__)
    assert not {p for _, p in first.listeners()} & {p for _, p in second.listeners()}


@pytest.mark.parametrize("port_base", [1, 80, 70_000])
def test_impossible_port_bases_are_refused(port_base: int) -> None:
    with pytest.raises(UsageError, match="--port-base"):
        choose(port_base=port_base)


def test_a_port_base_without_room_for_all_systems_is_refused() -> None:
    with pytest.raises(UsageError, match="leaves no port for the national system of"):
        choose(port_base=65_530)


def test_a_directory_stays_with_its_database() -> None:
    embedded = choose()
    with pytest.raises(UsageError, match="embedded PostgreSQL"):
        choose(embedded, dsn=DSN)
    external = choose(dsn=DSN)
    with pytest.raises(UsageError) as refused:
        choose(external, dsn="postgresql://emvs:other-secret@elsewhere/emvs", port_base=9000)
    assert "secret" not in str(refused.value)
    assert choose(external).dsn == DSN


def test_a_new_password_for_the_same_database_is_taken() -> None:
    renewed = DSN.replace("secret", "renewed")
    assert choose(choose(dsn=DSN), dsn=renewed).dsn == renewed


def test_an_address_that_is_none_is_refused_at_once() -> None:
    with pytest.raises(ExternalPostgresError, match="postgresql://"):
        choose(dsn="mysql://somewhere/emvs")


def test_settings_survive_their_file() -> None:
    settings = choose(dsn=DSN)
    assert msgspec.json.decode(msgspec.json.encode(settings), type=Settings) == settings

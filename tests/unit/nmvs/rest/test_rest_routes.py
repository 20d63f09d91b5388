"""Which route a path finds."""

from __future__ import annotations

import pytest

from nmvs.rest.routes import Call, Reply, Route, RouteTable, read_query
from nmvs.rest.targets import split_target


async def _nothing(_: Call) -> Reply:
    return Reply(200, b"")


SUBMIT = Route("POST", "/product/packs", "submit", "", _nothing)
FETCH = Route("GET", "/product/packs/{id}", "fetch", "", _nothing)
TABLE = RouteTable([SUBMIT, FETCH])


@pytest.mark.parametrize(
    ("method", "path", "route", "parameters"),
    [
        ("POST", "/product/packs", SUBMIT, {}),
        ("POST", "/Product/PACKS", SUBMIT, {}),
        ("POST", "/product/packs/", SUBMIT, {}),
        ("GET", "/product/packs/4%2F2", FETCH, {"id": "4/2"}),
    ],
)
def test_a_path_finds_its_route(
    method: str, path: str, route: Route, parameters: dict[str, str]
) -> None:
    assert TABLE.find(method, path) == (route, parameters)


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/product/packs"), ("POST", "/product"), ("GET", "/product/packs/4/2"), ("GET", "/")],
)
def test_another_path_finds_none(method: str, path: str) -> None:
    assert TABLE.find(method, path) is None


@pytest.mark.parametrize(
    ("target", "split"),
    [
        ("/verification/product/packs?a=1", ("/verification", "/product/packs", "a=1")),
        ("/API/product/packs", ("/API", "/product/packs", "")),
        ("/product/packs", ("", "/product/packs", "")),
        ("http://host:1/api/report/reports/1", ("/api", "/report/reports/1", "")),
        ("/apitude", ("", "/apitude", "")),
    ],
)
def test_the_prefix_comes_off(target: str, split: tuple[str, str, str]) -> None:
    assert split_target(target) == split


def test_query_fields_are_read_in_any_case_and_bounded() -> None:
    assert read_query("FromDate=a%20b&empty=&x=1&x=2") == {"fromdate": "a b", "x": "2"}
    assert read_query("&".join(f"a{n}=1" for n in range(65))) is None

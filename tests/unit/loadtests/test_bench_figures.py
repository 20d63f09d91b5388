"""Goals are judged round by round, and missing one is told."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from emvs.errors import EmvsError
from loadtests.bench.__main__ import _exit_code
from loadtests.bench.errors import LoadError
from loadtests.bench.figures import Figure, Goal, Results, as_document, judge
from loadtests.bench.goals import GOALS
from loadtests.bench.on_paper import Cost, add_estimates
from loadtests.bench.parts import PARTS, Place, run_parts
from loadtests.bench.report_html import as_html
from loadtests.bench.report_text import as_markdown, as_text
from loadtests.bench.requests import FreshPacks, Step, mixed, new_text, new_text_templates, supplies
from loadtests.bench.samples import Told, read
from loadtests.bench.scale import QUICK
from loadtests.http_answers import AnswerBuffer

HTML = {
    *("html", "head", "meta", "title", "style", "body", "main", "h1", "h2", "div", "p", "ul", "li"),
    *("table", "thead", "tbody", "tr", "th", "td", "figure", "figcaption", "span", "i"),
    *("svg", "line", "path", "circle", "text"),
}
"""Elements of the page."""


def soap(code: bytes, pack: bytes) -> bytes:
    return (
        b'<t:Body xmlns:t="urn:types.nmvs.eu:v5.0"><t:Pack t:sn="1" t:'
        + pack
        + b'<t:ReturnCode t:code="'
        + code
        + b'"/></t:Body>'
    )


def figure(name: str, *values: float, lower_is_better: bool = False) -> Figure:
    return Figure(name, "/s", values, "rate", "<note>", lower_is_better=lower_is_better)


@pytest.mark.parametrize(
    ("goal", "value", "met"),
    [
        (Goal("ratio", "ours", "theirs", 0.5, "part"), 0.6, True),
        (Goal("ratio", "ours", "theirs", 0.61, "part"), 0.6, False),
        (Goal("bound", "ours", "", 60, "part", at_most=True), 60, True),
        (Goal("bound", "ours", "", 59, "part", at_most=True), 60, False),
        (Goal("beside", "ours", "theirs", None, "part"), 0.6, True),
    ],
)
def test_a_goal_is_met_by_the_median_of_the_rounds(goal: Goal, value: float, met: bool) -> None:
    # Each round's ratio counts, so that what slows a whole round down changes nothing.
    figures = {"ours": figure("ours", 60, 12, 61), "theirs": figure("theirs", 100, 20, 200)}
    (verdict,) = judge(figures, [goal], ["part"])
    assert verdict.median == pytest.approx(value)
    assert verdict.is_met is met


@pytest.mark.parametrize(
    ("missing", "to", "bound", "parts", "told"),
    [
        ("theirs", "theirs", 1.0, ["part"], True),
        ("ours", "theirs", 1.0, ["part"], True),
        ("ours", "", 1.0, ["part"], True),
        ("theirs", "theirs", 1.0, ["another"], False),
        ("theirs", "theirs", None, ["part"], False),
    ],
)
def test_a_goal_whose_figures_are_missing_is_not_measured_unless_its_part_did_not_run(
    missing: str, to: str, bound: float | None, parts: list[str], *, told: bool
) -> None:
    figures = {name: figure(name, 1) for name in ("ours", "theirs") if name != missing}
    results = Results({}, figures)
    results.verdicts = judge(figures, [Goal("ratio", "ours", to, bound, "part")], parts)
    assert [verdict.goal.name for verdict in results.unmeasured] == ["ratio"] * told
    assert results.is_valid is not told
    assert _exit_code(results, check=False) == (2 if told else 0)
    assert results.missed == []
    for text in (as_text(results), as_markdown(results), as_html(results)):
        assert ("not measured" in text) is told
    assert as_document(results)["goals"] == [] or as_document(results)["goals"][0]["met"] is None


def test_a_part_that_breaks_is_told_and_ends_with_2() -> None:
    goal = Goal("ratio", "ours", "theirs", 1, "part")
    figures = {"ours": figure("ours", 1), "theirs": figure("theirs", 2)}
    results = Results({}, figures, judge(figures, [goal], ["part"]))
    assert [_exit_code(results, check=check) for check in (False, True)] == [0, 1]
    results.broken.append("part: it broke")
    assert [_exit_code(results, check=check) for check in (False, True)] == [2, 2]


async def test_whatever_breaks_a_part_loses_no_other(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async def breaks(_: object) -> None:
        raise ZeroDivisionError("by nothing")

    async def works(place: Place) -> None:
        place.results.add(figure("ours", 1))

    monkeypatch.setattr("loadtests.bench.parts.PARTS", {"first": breaks, "second": works})
    results = Results({})
    server: Any = SimpleNamespace(pid=os.getpid())
    await run_parts(results, tmp_path, server, QUICK, ["first", "second"], peers=False)
    (told,) = results.broken
    assert told.startswith("first: ZeroDivisionError: by nothing (")
    assert list(results.figures) == ["ours"]


def test_best_and_spread_know_which_way_is_better() -> None:
    assert (figure("a", 1, 2, 4).best, figure("a", 1, 2, 4).spread) == (4, 1.5)
    assert figure("a", 1, 2, 4, lower_is_better=True).best == 1


def test_every_report_has_every_goal_and_figure_and_the_page_needs_nothing_else() -> None:
    results = Results({"machine": "<two> cores"})
    for goal in GOALS:
        for name in filter(None, (goal.of, goal.to)):
            results.add(figure(name, 1.0, 2.0))
    results.curves["look-up"] = [(10**5, 500.0), (10**6, 600.0)]
    results.verdicts = judge(results.figures, GOALS, list(PARTS))
    assert {verdict.goal for verdict in results.verdicts} == set(GOALS)
    page = as_html(results)
    document = json.dumps(as_document(results), ensure_ascii=False)
    for text in (as_text(results), as_markdown(results), page, document):
        assert [goal.name for goal in GOALS if goal.name not in text] == []
    assert "<two>" not in page
    assert "&lt;note&gt;" in page
    assert not re.search(r"(src|href)=|https?://", page)


def test_the_page_shows_how_the_run_ended_and_escapes_whatever_it_shows() -> None:
    results = Results({"<about>": "<value>"})
    results.add(Figure("<ours>", "</s>", [50.0, 60.0, 70.0], "rate", '"<note>'))
    results.curves |= {"<curve>": [(10**5, 665.0), (10**6, 1375.0)], "<shares>": [(0.5, 2), (1, 9)]}
    results.verdicts = judge(
        results.figures,
        [
            Goal("<met>", "<ours>", "", 50.0, "part"),
            Goal("<missed>", "<ours>", "", 40.0, "part", at_most=True, unit="<unit>"),
            Goal("<beside>", "<ours>", "", None, "part"),
            Goal("<unmeasured>", "<theirs>", "", 1.0, "part"),
        ],
        ["part"],
    )
    results.checks, results.left_out = ["<check>"], ["<reason>"]
    results.broken, results.on_paper = ["<broken>"], ["<sentence>"]
    page = as_html(results)
    tags = {tag.strip("/").split()[0] for tag in re.findall(r"<([^!][^>]*)>", page)}
    assert tags <= HTML, tags - HTML
    assert "1 of 3 goals are not met, 1 not measured." in page
    assert "not valid: &lt;broken&gt;" in page
    assert "left out: &lt;reason&gt;" in page
    assert all(f">{step}</text>" in page for step in ("10^5", "10^6", "50 %", "longest"))
    # 60 of at least 50 is 1.2 goals, the whole width; 60 of at most 40 is two thirds of one.
    for kind, width in (("good", 100.0), ("bad", 100 * 40 / 60 / 1.2)):
        assert f'<span class="{kind}" style="width:{width:.1f}%">' in page
    assert page.count(f'<i class="mark" style="left:{100 / 1.2:.1f}%">') == 2
    assert f'style="left:{100 * 50 / 70:.1f}%;width:{100 * 20 / 70:.1f}%"' in page  # The spread.


@pytest.mark.parametrize(("bound", "told"), [(1.0, "All goals are met."), (None, "")])
def test_the_page_says_that_goals_are_met_where_there_are_some(
    bound: float | None, told: str
) -> None:
    figures = {"ours": figure("ours", 1)}
    goals = [Goal("goal", "ours", "", bound, "part")]
    page = as_html(Results({}, figures, judge(figures, goals, ["part"])))
    assert re.findall(r'class="verdict good">([^<]*)', page) == [told] * bool(told)


def test_mixed_traffic_undoes_only_what_it_has_supplied_long_before() -> None:
    fresh = (f"F{number}" for number in range(100_000))
    steps = mixed(["A", "B"], fresh, 20_000)
    shares = {letter: sum(step.letter == letter for step in steps) for letter in "vsul"}
    assert 0.57 < shares["v"] / len(steps) < 0.63
    assert 0.34 < shares["s"] / len(steps) < 0.42
    assert 0.02 < shares["u"] / (len(steps) - 3_000) < 0.04
    assert shares["l"]
    supplied: dict[str, int] = {}
    for number, (letter, serial) in enumerate(steps):
        if letter == "u":
            assert number - supplied.pop(serial) >= 3_000
        elif letter != "v":
            assert serial not in supplied
            supplied[serial] = number


def test_packs_that_were_not_used_are_given_out_again_and_each_only_once() -> None:
    fresh = FreshPacks([f"F{number}" for number in range(10)])
    steps = supplies(fresh, 6)
    fresh.give_back([*steps[4:], Step("v", "F0"), Step("u", "F1")])
    again = [serial for _, serial in supplies(fresh, 100)]
    assert sorted(again) == [f"F{number}" for number in range(4, 10)]
    with pytest.raises(LoadError, match="used up"):
        supplies(fresh, 1)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b'{"operationCode":"11110100","state":"Active"}', Told(is_success=True, state="ACTIVE")),
        (b'{"operationCode":"41220100","state":"Locked"}', Told(is_success=False, state="LOCKED")),
        (soap(b"NMVS_SUCCESS", b'state="ACTIVE"/>'), Told(is_success=True, state="ACTIVE")),
        (
            soap(b"NMVS_FE_LOT_03", b'state="INACTIVE"><t:Reason>SUPPLIED</t:Reason></t:Pack>'),
            Told(is_success=False, state="SUPPLIED"),
        ),
    ],
)
def test_a_sample_tells_outcome_and_state(body: bytes, told: Told) -> None:
    assert read(body) == told


@pytest.mark.parametrize("body", [b"", b"<html/>", b"{}", b"Moved"])
def test_a_sample_that_says_nothing_is_refused(body: bytes) -> None:
    with pytest.raises((ValueError, KeyError)):
        read(body)


@pytest.mark.parametrize("cut", [1, 10, 44, 49])
def test_an_answer_is_put_together_from_pieces(cut: int) -> None:
    raw = b"HTTP/1.1 302 Found\r\ncontent-length: 5\r\nX: y\r\n\r\nhello"
    answers = AnswerBuffer()
    assert answers.feed(raw[:cut]) is None
    assert answers.feed(raw[cut:]) == (302, b"hello")
    assert answers.feed(raw) == (302, b"hello")
    with pytest.raises(EmvsError, match="without a length"):
        answers.feed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")


def test_estimates_use_the_cost_of_few_requests_where_few_come() -> None:
    results = Results({})
    costs = [Cost(137, 800, 400, 1.1), Cost(770, 270, 100, 4.6), Cost(10_000, 70, 20, None)]
    add_estimates(results, {"mixed": costs})
    text = "\n".join(results.on_paper)
    assert "30 markets takes 4.9 cores, 7.0 at 70% use" in text  # 4,100/s of 1,200 µs.
    assert "10,000/s at 70% of it" in text
    assert "30 markets, at 70% use and as many entries a commit as at full load: 124,444/s" in text


def test_messages_of_new_texts_are_complete_and_say_the_same() -> None:
    serials = [f"ABCDEFGH{number:04d}" for number in range(200)]
    texts = set()
    for serial in serials:
        request = new_text_templates(80)["v"].with_serial(new_text(serial))
        head, _, body = request.partition(b"\r\n\r\n")
        assert f"Content-Length: {len(body)}".encode() in head
        (pack,) = ET.fromstring(body).iter("{urn:types.nmvs.eu:v5.0}Pack")  # noqa: S314 - ours.
        assert pack.attrib == {"{urn:types.nmvs.eu:v5.0}sn": serial}
        texts.add(body.replace(serial.encode(), b""))
    assert len(texts) > 190

"""The frame of our HTML pages: one file, no script, nothing from elsewhere, light and dark."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from html import escape
from typing import Final

_STYLE: Final = """
:root{color-scheme:light dark;--bg:#fbfbfa;--card:#fff;--fg:#1d2329;--soft:#5b6570;--line:#dfe3e6;
--good:#12793a;--bad:#b3261e;--warn:#8a5a00;--goodbg:#e4f4e9;--badbg:#fbe6e4;--warnbg:#fff2d6;
--c1:#1f6fb2;--c2:#c2571a;--c3:#2a8a57;--c4:#8a4fb0;--c5:#b58900;--c6:#0f8b8d;--c7:#a8325f;
--c8:#6b7680}
@media (prefers-color-scheme:dark){:root{--bg:#14181c;--card:#1c2227;--fg:#e6e9ec;--soft:#9aa5b0;
--line:#323b43;--good:#63cf8b;--bad:#ff8a80;--warn:#f0c060;--goodbg:#15301f;--badbg:#3b1a18;
--warnbg:#352a12;--c1:#6bb1ee;--c2:#f0955c;--c3:#69cf97;--c4:#c594e8;--c5:#e3c04a;--c6:#5fd0d2;
--c7:#ef83ad;--c8:#a9b4be}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--fg);font:15px/1.5 system-ui,-apple-system,"Segoe UI",
Roboto,"Noto Sans",sans-serif}
main{max-width:1180px;margin:0 auto;padding:24px 16px 64px}
h1{font-size:1.5rem;margin:0 0 4px}h2{font-size:1.12rem;margin:36px 0 10px}
.sub{color:var(--soft);margin:0 0 18px}
.verdict{border-radius:8px;padding:14px 18px;font-weight:600;font-size:1.06rem}
h1+.verdict,.verdict+.verdict{margin-top:10px}
.verdict.good{background:var(--goodbg);color:var(--good)}
.verdict.bad{background:var(--badbg);color:var(--bad)}
.remark{border-radius:8px;padding:10px 18px;margin-top:10px;background:var(--warnbg);
color:var(--warn)}
.remark ul{margin:4px 0;padding-left:20px}
.cards{display:grid;grid-template-columns:repeat(4,1fr);gap:12px;margin-top:18px}
.cards div{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:10px 14px}
.cards b{display:block;font-size:1.3rem;font-variant-numeric:tabular-nums}
.cards span{color:var(--soft);font-size:.86rem}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,480px),1fr));gap:14px}
.charts.packed{display:block;columns:480px;column-gap:14px;margin-bottom:14px}
.packed figure{break-inside:avoid;margin-bottom:14px}
figure{margin:0;background:var(--card);border:1px solid var(--line);border-radius:8px;min-width:0;
padding:12px 14px}
figcaption{font-weight:600;margin-bottom:4px}
.legend{display:flex;flex-wrap:wrap;gap:4px 14px;color:var(--soft);font-size:.84rem;
margin-bottom:4px}
.legend i{display:inline-block;width:14px;height:3px;margin-right:6px;vertical-align:middle}
.legend i.dash{background:none!important;border-top:3px dashed var(--c2);height:0}
svg{display:block;width:100%;height:auto}
svg text{fill:var(--soft);font-size:12px}
svg .y{text-anchor:end}svg .x{text-anchor:middle}svg .unit{text-anchor:end;font-style:italic}
svg .grid{stroke:var(--line)}svg .line{fill:none;stroke-width:1.8;stroke-linejoin:round}
svg .mark{stroke:var(--bad);stroke-dasharray:2 3}svg .marktext{fill:var(--bad);text-anchor:end}
figure+.scroll{margin-top:14px}
.scroll{overflow-x:auto;background:var(--card);border:1px solid var(--line);border-radius:8px}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{padding:6px 10px;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap}
th:first-child,td:first-child,td.text,th.text{text-align:left}
thead th{color:var(--soft);font-weight:600;font-size:.84rem}
tbody tr:last-child>*{border-bottom:0}
td.long{white-space:normal;min-width:20em}
table.facts th,table.facts td{text-align:left;vertical-align:top}
table.facts th{color:var(--soft);font-weight:600}table.facts td{white-space:normal;width:99%}
td.good{color:var(--good);font-weight:600}td.bad{color:var(--bad);font-weight:600}
table.bars th{font-weight:400;text-align:left}table.bars td.bar{width:60%}
table.bars div{position:relative}
table.bars span{display:block;height:12px;border-radius:3px;background:var(--c1)}
table.bars span.good{background:var(--good)}table.bars span.bad{background:var(--bad)}
table.bars i{position:absolute}
table.bars i.spread{top:5px;height:2px;background:var(--fg)}
table.bars i.mark{top:-13px;bottom:-13px;border-left:2px dashed var(--fg)}
table.bars span.unexpected{background:var(--warn)}table.bars span.error{background:var(--bad)}
.none{color:var(--soft)}code{font-size:.92em}
footer{margin-top:40px;color:var(--soft);font-size:.86rem}
@media (max-width:760px){.cards{grid-template-columns:repeat(2,1fr)}
td.text{white-space:normal;min-width:7em}}
@media (max-width:560px){main{padding:16px 10px 40px}th,td{padding:5px 8px}
svg text{font-size:17px}h1{font-size:1.25rem}
table.bars th,table.bars td{white-space:normal;min-width:6em}table.bars td.bar{width:45%}}
@media print{body{background:#fff}figure,.scroll{break-inside:avoid}}
"""
_NOTHING: Final = '<p class="none">Nothing.</p>'


def page(title: str, body: str) -> str:
    """Return a whole document."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>"
        f"<body><main>{body}</main></body></html>\n"
    )


def table(
    heads: Sequence[str], rows: Sequence[Sequence[str]], *, texts: Container[int] = (0,)
) -> str:
    """Return a table; the columns `texts` hold words. Cells are HTML already."""
    if not rows:
        return _NOTHING
    head = "".join(
        f'<th class="text">{escape(name)}</th>' if place in texts else f"<th>{escape(name)}</th>"
        for place, name in enumerate(heads)
    )
    body = "".join(
        "<tr>"
        + "".join(
            cell
            if cell.startswith("<td")
            else (f'<td class="text">{cell}</td>' if place in texts else f"<td>{cell}</td>")
            for place, cell in enumerate(row)
        )
        + "</tr>"
        for row in rows
    )
    return (
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
        "</div>"
    )


def facts(pairs: Mapping[str, str]) -> str:
    """Return a table of names and what they are."""
    if not pairs:
        return _NOTHING
    rows = "".join(
        f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in pairs.items()
    )
    return f'<div class="scroll"><table class="facts"><tbody>{rows}</tbody></table></div>'


def bullets(sentences: Iterable[str]) -> str:
    """Return a list."""
    items = "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences)
    return f"<ul>{items}</ul>" if items else _NOTHING


def figure(title: str, body: str, *, legend: str = "") -> str:
    """Return something drawn, with its title above it. Body and legend are HTML already."""
    legend = f'<div class="legend">{legend}</div>' if legend else ""
    return f"<figure><figcaption>{escape(title)}</figcaption>{legend}{body}</figure>"


def empty_figure(title: str) -> str:
    """Return what stands where there is nothing to draw."""
    return figure(title, '<p class="none">No data.</p>')


def verdict(text: str, *, is_good: bool) -> str:
    """Return a sentence that says how all of it ended."""
    return f'<div class="verdict {"good" if is_good else "bad"}">{escape(text)}</div>'


def verdict_cell(text: str, *, is_good: bool) -> str:
    """Return a cell that says how one thing ended."""
    return f'<td class="{"good" if is_good else "bad"}">{escape(text)}</td>'


def text_cell(text: str) -> str:
    """Return a cell of words that may take several lines."""
    return f'<td class="text long">{escape(text)}</td>'


def card(value: str, label: str) -> str:
    """Return one large figure."""
    return f"<div><b>{escape(value)}</b><span>{escape(label)}</span></div>"

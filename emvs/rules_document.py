"""The rules on packs as Markdown, read off the tables that decide. Pure; no wire code enters.

What is written here is headings and legends; every cell comes from the code, so a document that
is made again after a change shows the change.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterable, Sequence
from dataclasses import fields
from enum import Enum
from typing import Final

from emvs import rules as rules_module
from emvs.markets import MARKETS
from emvs.outcomes import Outcome
from emvs.pack import TRANSITIONS, BatchFacts, Pack, Transition, decide
from emvs.roles import PERMISSIONS, SWITCHES, Role
from emvs.rules import MarketRules
from emvs.states import PACK_STATES, Operation, State

_MEANINGS: Final = {
    Transition.REPORT: "nothing changes, the state is told",
    Transition.MOVE: "the pack takes the state",
    Transition.REPEAT: "there already: tolerated from the same location for a while, then refused",
    Transition.REFUSE: "refused: inactive for another reason",
    Transition.UNDO: "active again, if place and time allow it",
    Transition.UNDO_ACTIVE: "nothing to undo",
    Transition.UNDO_NEVER: "never undone",
    Transition.UNDO_OTHER: "refused: the undo is that of another operation",
}
_HERE: Final = 1
_ELSEWHERE: Final = 2


def table(header: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    rows = [header, ["---"] * len(header), *lines]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def transition_grids() -> str:
    """Return what every operation does to a pack in every state, and the legend."""
    forward = [operation for operation in Operation if not operation.is_undo]
    undos = [operation for operation in Operation if operation.is_undo]
    legend = table(
        ("sign", "meaning"), ((f"`{what.value}`", _MEANINGS[what]) for what in Transition)
    )
    return "\n".join((_grid(forward), _grid(undos), legend))


def _grid(operations: Sequence[Operation]) -> str:
    header = ["state", *(_words(operation) for operation in operations)]
    return table(
        header,
        (
            [
                _words(state),
                *(f"`{TRANSITIONS[state, operation].value}`" for operation in operations),
            ]
            for state in PACK_STATES
        ),
    )


def undo_order() -> str:
    """Return the reasons for which an undo is refused, in order: each line mends the one above."""
    rules = MarketRules()
    now_s = 10 * rules.undo_window_s
    early_s, late_s = now_s - rules.undo_window_s, now_s - rules.undo_window_s - 1
    fresh = BatchFacts("B", "301231", now_s + 1, recalled=False, withdrawn=False)
    expired = fresh._replace(expired_from_s=now_s)
    recalled = expired._replace(recalled=True)
    withdrawn = recalled._replace(withdrawn=True)

    def pack(state: State, set_by: int, set_at_s: int) -> Pack:
        return Pack(state, set_by, set_at_s, 0, 0, 1)

    stolen, exported = (pack(state, _ELSEWHERE, late_s) for state in (State.STOLEN, State.EXPORTED))
    hours = rules.undo_window_s // 3600
    cases = (
        ("the product is withdrawn", stolen, withdrawn),
        ("the batch is recalled", stolen, recalled),
        ("the pack has expired", stolen, expired),
        ("the pack is active", pack(State.ACTIVE, _ELSEWHERE, late_s), fresh),
        ("it is destroyed or stolen", stolen, fresh),
        ("the undo is that of another operation", exported, fresh),
        ("another location asks", pack(State.SUPPLIED, _ELSEWHERE, late_s), fresh),
        (f"more than {hours} hours have passed", pack(State.SUPPLIED, _HERE, late_s), fresh),
        ("a locked pack, whenever", pack(State.LOCKED, _HERE, late_s), fresh),
        ("none of these", pack(State.SUPPLIED, _HERE, early_s), fresh),
    )
    lines = []
    for number, (words, given, batch) in enumerate(cases, 1):
        operation = Operation.UNDO_LOCK if given.state is State.LOCKED else Operation.UNDO_SUPPLY
        decision = decide(given, batch, operation, location=_HERE, now_s=now_s, rules=rules)
        lines.append((str(number), words, outcome_name(decision.outcome)))
    return table(("", "if", "then"), lines)


def permission_grid() -> str:
    """Return who may ask for what, and the settings behind the open cells."""
    header = ["operation", *(role.value.replace("_", " ") for role in Role)]
    defaults = MarketRules()
    grid = table(
        header,
        (
            [_words(operation), *(_permission(role, operation) for role in Role)]
            for operation in Operation
        ),
    )
    legend = table(
        ("sign", "setting", "default"),
        (
            (letter, f"`{name}`", _yes_no(getattr(defaults, name)))
            for letter, name in SWITCHES.items()
        ),
    )
    return f"{grid}\n{legend}"


def _permission(role: Role, operation: Operation) -> str:
    letter = PERMISSIONS[role, operation]
    return {"Y": "yes", "-": "-"}.get(letter, letter)


def settings_list() -> str:
    """Return what a market may set: default and meaning, and the markets that differ."""
    meanings = _docstrings(MarketRules)
    defaults = MarketRules()
    settings = table(
        ("setting", "default", "meaning"),
        (
            (
                f"`{field.name}`",
                _value(getattr(defaults, field.name)),
                meanings[field.name] + _choice(getattr(defaults, field.name)),
            )
            for field in fields(MarketRules)
        ),
    )
    differing = table(
        ("market", "setting", "value"),
        (
            (code, f"`{field.name}`", _value(getattr(market.rules, field.name)))
            for code, market in MARKETS.items()
            for field in fields(MarketRules)
            if getattr(market.rules, field.name) != getattr(defaults, field.name)
        ),
    )
    return f"{settings}\n{differing}"


def _choice(default: object) -> str:
    """Return a sentence with the values that a setting can have, empty if they are no list."""
    if not isinstance(default, Enum):
        return ""
    return f" One of {', '.join(f'`{value.value}`' for value in type(default))}."


def _docstrings(kind: type[MarketRules]) -> dict[str, str]:
    """Return the text that follows each field in the source."""
    module = ast.parse(inspect.getsource(rules_module))
    (definition,) = (
        node
        for node in module.body
        if isinstance(node, ast.ClassDef) and node.name == kind.__name__
    )
    texts: dict[str, str] = {}
    name = ""
    for node in definition.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            name = node.target.id
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and name:
            texts[name] = " ".join(str(node.value.value).split())
    return texts


def outcome_name(outcome: Outcome) -> str:
    """Return an outcome as the document names it."""
    return f"`{outcome.name}`"


def _words(member: State | Operation) -> str:
    return member.name.replace("_", " ").lower()


def _value(value: object) -> str:
    if isinstance(value, bool):
        return _yes_no(value)
    return str(value.value) if isinstance(value, Enum) else str(value)


def _yes_no(value: object) -> str:
    return "yes" if value else "no"

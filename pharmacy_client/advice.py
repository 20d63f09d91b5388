"""What a result means for the person at the till: a colour and a sentence.

The colours follow the map of a deployed pharmacy client of the REST-built systems where it has an
entry (expired: amber, recalled: red, supplied by the own location: amber); the sentences are ours.
"""

from __future__ import annotations

from typing import Final

from emvs.states import Operation, State
from pharmacy_client.results import Advice, Category, Colour

_ALERT: Final = Advice(
    Colour.RED,
    "Do not hand the pack out: an alert was raised. Keep the pack apart and quote the alert id to"
    " your national organisation.",
)
_PLAIN: Final = {
    Category.ACTIVE: Advice(Colour.GREEN, "The pack may be handed out."),
    Category.DONE: Advice(Colour.GREEN, "Done."),
    Category.TOLERATED: Advice(
        Colour.AMBER,
        "Nothing was changed: this was done here before. Make sure that it is the same pack.",
    ),
    Category.REFUSED: Advice(Colour.RED, "Do not hand the pack out."),
    Category.UNKNOWN: Advice(
        Colour.AMBER,
        "The system does not know this pack. Check that it was read or typed correctly; it may"
        " also be a product that needs no verification.",
    ),
    Category.INVALID: Advice(
        Colour.AMBER,
        "The system finds the data malformed. Read the pack again; if they are printed so, keep"
        " the pack apart and report it.",
    ),
    Category.NOT_PERMITTED: Advice(Colour.AMBER, "This login may not do that; nothing was done."),
    Category.UNAVAILABLE: Advice(
        Colour.AMBER,
        "The system cannot answer now. Try again later; verify the pack before you repeat a"
        " change.",
    ),
    Category.QUEUED: Advice(Colour.AMBER, "There is no answer yet."),
}
_WORDS: Final = {state: state.name.lower().replace("_", " ") for state in State}
_AMBER_STATES: Final = frozenset({State.EXPIRED})


def advise(
    operation: Operation,
    category: Category,
    *,
    state: State | None,
    alert: bool,
    here: bool = False,
) -> Advice:
    """Return the advice for a result. `here`: this location set the state, if that is known."""
    if alert:
        return _ALERT
    if category is Category.DONE and state is not None:
        return _advise_done(operation, state)
    if category is Category.TOLERATED and operation.is_undo:
        return Advice(Colour.GREEN, "The pack was active already; nothing had to be undone.")
    if category is Category.REFUSED and state is not None:
        return _advise_refused(operation, state, here=here)
    return _PLAIN[category]


def _advise_done(operation: Operation, state: State) -> Advice:
    if operation.is_undo and state is not State.ACTIVE:
        colour = Colour.AMBER if state in _AMBER_STATES else Colour.RED
        return Advice(colour, f"Undone, but the pack is {_WORDS[state]}: do not hand it out.")
    return Advice(Colour.GREEN, f"Done: the pack is {_WORDS[operation.target_state or state]} now.")


def _advise_refused(operation: Operation, state: State, *, here: bool) -> Advice:
    if operation.is_undo:
        return Advice(Colour.RED, f"Not undone: the pack stays {_WORDS[state]}.")
    if state is State.ACTIVE:
        return Advice(Colour.RED, "Refused, though the pack is active. Do not hand it out.")
    colour = Colour.AMBER if here or state in _AMBER_STATES else Colour.RED
    by_whom = " by this location" if here else ""
    return Advice(colour, f"Do not hand the pack out: it is {_WORDS[state]}{by_whom}.")

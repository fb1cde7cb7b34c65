"""`except Exception` swallows bugs, so it exists only where a bug must not stop a loop or a server."""

import ast

from tests.architecture.tree import ROOMS, name_of, python, syntax

# file -> why a bug may end there
PLACES = {
    "identity/saml/provider.py": "the SAML library raises bare exceptions at what it refuses",
    "orchestrator/api/calls.py": "the handler of last resort answers 500 and says no more",
    "orchestrator/runtime/worker.py": "the worker's loop goes on with the next run",
    "orchestrator/store/committer.py": "a bug in one row is told to whoever waits for that row",
    "orchestrator/runtime/moving.py": "a bug in a step is retried, then the run is stuck",
    "orchestrator/services/replays.py": "a replay goes on with its next run, and reports this one",
    "orchestrator/runtime/timers.py": "the timers' loop goes on with the next round",
}


def test_only_the_named_places_catch_everything():
    found = {name_of(path) for path in python(*ROOMS) if _catches_everything(syntax(path))}

    assert found == PLACES.keys()


def _catches_everything(tree):
    return any(
        isinstance(node, ast.ExceptHandler) and _is_everything(node.type) and not _raises(node)
        for node in ast.walk(tree)
    )


def _is_everything(kind):
    names = kind.elts if isinstance(kind, ast.Tuple) else [kind]
    return any(
        name is None or (isinstance(name, ast.Name) and name.id in {"Exception", "BaseException"})
        for name in names
    )


def _raises(handler):
    """It cleans up and lets the error go on: its last word is a bare raise."""
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None

"""The error trees drawn in module docstrings match the classes."""

import re
from inspect import getmembers, isclass
from types import ModuleType

import pytest

import pigwav.client.errors
import pigwav.errors

_ROW = re.compile(r"(?P<indent>[│ ]*)(?:[├└]── )?(?P<names>[A-Z][A-Za-z]+(?:  [A-Z][A-Za-z]+)*)(?:  |$)")
_STEP = len("├── ")


def drawn(module: ModuleType) -> dict[str, set[str]]:
    """Each error with its parents: the names on the nearest row above that is one step further left."""
    tree: dict[str, set[str]] = {}
    above: list[list[str]] = []
    for line in (module.__doc__ or "").splitlines():
        if not (row := _ROW.match(line)) or not (tree or row[0].strip() == line):
            continue  # prose before the root, or a continuation of the row above
        depth = len(row["indent"]) // _STEP + ("── " in line)
        names = row["names"].split()
        tree |= {name: {*above[depth - 1]} if depth else set() for name in names}
        above[depth:] = [names]
    return tree


def declared(module: ModuleType) -> dict[str, set[str]]:
    kinds = [kind for _, kind in getmembers(module, isclass) if kind.__module__ == module.__name__]
    return {
        kind.__name__: {parent.__name__ for parent in kind.__bases__ if parent is not Exception}
        for kind in kinds
        if issubclass(kind, Exception)
    }


@pytest.mark.parametrize("module", [pigwav.errors, pigwav.client.errors], ids=lambda module: module.__name__)
def test_the_tree_is_drawn_as_it_is(module: ModuleType) -> None:
    assert len(declared(module)) > 10
    assert drawn(module) == declared(module)


def test_a_drawing_that_is_not_true_is_noticed() -> None:
    module = ModuleType("untrue")
    module.__doc__ = """Errors.

Root
├── One  Two          said of both
│   │                 and more of it
│   └── OfBoth        of either of them
└── Three
"""
    assert drawn(module) == {
        "Root": set(),
        "One": {"Root"},
        "Two": {"Root"},
        "OfBoth": {"One", "Two"},
        "Three": {"Root"},
    }

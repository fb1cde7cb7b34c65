"""Sizes are a compass: the longest functions and files are printed, nothing fails for its length."""

import ast
import sys

from tests.architecture.tree import ROOMS, name_of, python, syntax, text


def test_the_longest_functions_and_files_are_printed(capsys):
    functions = sorted(_functions(), reverse=True)
    lengths = sorted(
        ((text(path).count("\n"), name_of(path)) for path in python(*ROOMS)), reverse=True
    )
    lines = [
        "",
        "Les dix fonctions les plus longues :",
        *(f"  {count:4d} {name}" for count, name in functions[:10]),
        "Les cinq fichiers les plus longs :",
        *(f"  {count:4d} {name}" for count, name in lengths[:5]),
    ]

    with capsys.disabled():
        sys.stdout.write("\n".join(lines) + "\n")

    assert functions
    assert lengths


def _functions():
    for path in python(*ROOMS):
        for node in ast.walk(syntax(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                yield lines, f"{name_of(path)}:{node.lineno} {node.name}"

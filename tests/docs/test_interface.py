"""docs/interface.md has every name that the code has for scripts."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import fields
from typing import get_args

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from advisor import errors
from advisor.checkpoints.identity import Identity
from advisor.errors import LoraError
from advisor.plan import Estimate
from advisor.run_folder import paths
from advisor.run_folder.events import AnyEvent
from tests.support.paths import REPOSITORY
from tests.support.references import sources
from wizard.app import app
from wizard.commands.measure import Measured

PAGE = (REPOSITORY / "docs" / "interface.md").read_text(encoding="utf-8")
FLOORS = ("advisor", "templates", "trainer", "wizard")


def words(text: str) -> set[str]:
    return set(re.findall(r"[\w.-]+", text))


def first_arguments(*callers: str) -> set[str]:
    """The texts with which functions and methods of these names are called anywhere in the four floors."""
    found = set[str]()
    for path in sources():
        if path.relative_to(REPOSITORY).parts[0] in FLOORS:
            found |= set(_first_texts(ast.parse(path.read_text(encoding="utf-8")), callers))
    return found


def _first_texts(tree: ast.AST, callers: tuple[str, ...]) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            name = getattr(node.func, "attr", None) or getattr(node.func, "id", None)
            if name in callers and isinstance(node.args[0].value, str):
                yield node.args[0].value


def options() -> dict[str, set[str]]:
    """Every command's options, with those of its actions."""
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    found = dict[str, set[str]]()
    for name, command in group.commands.items():
        actions = command.commands.values() if isinstance(command, TyperGroup) else ()
        words = (word for one in (command, *actions) for parameter in one.params for word in parameter.opts)
        found[name] = {word for word in words if word.startswith("--")}
    return found


@pytest.mark.parametrize(("name", "taken"), options().items())
def test_every_command_and_option_is_there(name: str, taken: set[str]) -> None:
    assert f"`loracle {name}" in PAGE
    assert taken - words(PAGE) == set()


def test_every_warning_is_there() -> None:
    codes = first_arguments("PlanWarning", "warning", "warn", "_warn")

    assert len(codes) > 40
    assert codes - words(PAGE) == set()


def test_every_event_is_there_with_its_fields() -> None:
    kinds = {model.model_fields["event"].default: model for model in get_args(AnyEvent)}

    assert len(kinds) > 10
    assert {kind for kind in kinds if f"`{kind}`" not in PAGE} == set()
    names = {field.alias or name for model in kinds.values() for name, field in model.model_fields.items()}
    assert names - words(PAGE) == set()


def test_every_file_of_a_run_is_there() -> None:
    names = {value for name, value in vars(paths).items() if name.endswith("_NAME")}

    assert len(names) > 10
    assert {name for name in names if f"`{name}`" not in PAGE} == set()


@pytest.mark.parametrize("model", [Estimate, Identity, Measured])
def test_every_field_of_a_json_document_is_there(model: type) -> None:
    assert {field.name for field in fields(model)} - words(PAGE) == set()


def test_every_exit_code_is_there() -> None:
    codes = {
        found.exit_code for found in vars(errors).values() if isinstance(found, type) and issubclass(found, LoraError)
    }

    assert {code for code in codes if f"| {code} | " not in PAGE} == set()


def test_every_environment_variable_of_ours_is_there() -> None:
    found = set(re.findall(r"\bLORACLE_[A-Z_]+\b", "\n".join(path.read_text(encoding="utf-8") for path in sources())))

    assert len(found) >= 3
    assert found - words(PAGE) == set()

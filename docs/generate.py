"""What follows from the code in these documents: `python -m docs.generate` writes it anew.

docs/settings.md and docs/rules.md as a whole; in docs/architecture.md the folders and their order.
"""

from __future__ import annotations

import ast
import inspect
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import fields
from itertools import pairwise
from pathlib import Path
from typing import Any

from advisor.files import write_atomically
from advisor.plan import Source
from advisor.rules import RULES, defaults_table
from advisor.rules.defaults_table import BaseModelDefaults
from advisor.rules.rule import FittedRule, Rule
from advisor.settings.config import TrainingConfig
from advisor.units import counted, rate

FOLDER = Path(__file__).parent
REPOSITORY = FOLDER.parent
FLOORS = ("advisor", "templates", "trainer", "wizard")

Schema = Mapping[str, Any]
"""A JSON Schema, or a part of one."""

SETTINGS_HEAD = """# Every setting

Written by `python -m docs.generate` from `advisor/settings/config.py`; a test holds the two together.

A setting is named by its path, as in `--set network.rank=48`, in `loracle.toml`, in presets and in `plan --json`. The
default is what stands where a `loracle.toml` leaves a setting out. A plan leaves none out: what it takes instead, and
why, is in [rules.md](rules.md). Lists are written `a,b,c` after `--set`, and as arrays in TOML.
"""

RULES_HEAD = """# Every rule of thumb

Written by `python -m docs.generate` from `advisor/rules/`; a test holds the two together.

A plan goes through the rules in the order of this page. Each looks at the facts (machine, pictures, base model,
answers) and at what the rules before it settled, and advises a value for one setting with a sentence that says why.
What the user chose, by `--set`, an answer or a preset, always stands, and the rules after it follow: rank 48 makes
alpha 24. A value that is the same in every case is written first, its reason behind it; words in braces are filled from
the case. Otherwise the text says when which value is taken. *The table* is the one at the end of the page.
"""

FITTING = """## Making it fit

Batch, accumulation, checkpointing, optimizer, base precision, resolution and whether the text encoder is trained are
chosen together: the first of a row of ways to run whose predicted memory the card has free
(`advisor/rules/fitting.py`). The row goes from the least harm to the most: the table's largest batch down to its least,
checkpointing, the 8-bit optimizer where bitsandbytes works, batch 1 with accumulation, the base model in int8, then in
nf4, the resolution 64 px at a time down to half, and on a low card at last without the text encoder. A high card's row
passes through the medium one's, so that more memory never gives a smaller batch or a lower resolution. Where it is
checkpointed, as few of the denoiser's blocks are as fit, and of the ways that do the same the fastest is taken.
"""

TABLE_HEAD = """## The table: one value for each kind of base model

`advisor/rules/defaults_table.py`. The columns follow the base model's family, its lineage or prediction type and, for
SD1.x, whose advice is followed. Batches are least to most, for cards of the classes cpu, low, medium, high.
"""


def settings_page() -> str:
    """docs/settings.md as the settings are now."""
    tree = TrainingConfig.model_json_schema()
    parts = [SETTINGS_HEAD]
    for name, field in tree["properties"].items():
        group = _resolved(field, tree)
        parts.append(f"## {name}\n\n{_line(group['description'])}\n\n{_settings_table(name, group, tree)}\n")
    return "\n".join(parts)


def rules_page() -> str:
    """docs/rules.md as the rules are now."""
    rows = ((f"`{rule.sets}`", _line(rule.meaning), _file(rule), _link(rule.source)) for rule in RULES)
    rules = _table(("sets", "what and when", "in", "source"), rows)
    return "\n".join([RULES_HEAD, f"{rules}\n", FITTING, TABLE_HEAD, f"{_defaults()}\n"])


def architecture_page() -> str:
    """docs/architecture.md with the folders and their order as they are now."""
    page = (FOLDER / "architecture.md").read_text(encoding="utf-8")
    return _between(_between(page, "folders", _folders()), "order", _order())


def main() -> None:
    """Write all pages."""
    write_atomically(FOLDER / "architecture.md", architecture_page())
    write_atomically(FOLDER / "settings.md", settings_page())
    write_atomically(FOLDER / "rules.md", rules_page())


def _settings_table(name: str, group: Schema, tree: Schema) -> str:
    required = group.get("required", ())
    rows = (
        (f"`{name}.{key}`", _type(field, tree), "needed" if key in required else _value(field["default"]),
         _range(field), _line(field["description"]))
        for key, field in group["properties"].items()
    )  # fmt: skip
    return _table(("setting", "type", "default", "range", "meaning"), rows)


def _resolved(field: Schema, tree: Schema) -> Schema:
    """What a reference points to; a field without one itself."""
    reference = field.get("$ref")
    return field if reference is None else tree["$defs"][reference.rpartition("/")[2]]


def _type(field: Schema, tree: Schema) -> str:
    if "anyOf" in field:
        return " or ".join(_type(one, tree) for one in field["anyOf"])
    if "enum" in field:
        return ", ".join(f"`{one}`" for one in field["enum"])
    if field.get("type") == "array":
        return f"list of {_type(field['items'], tree)}"
    if "$ref" in field:
        found = _resolved(field, tree)
        return f"{{{', '.join(found['properties'])}}}" if "properties" in found else _type(found, tree)
    names = {
        "string": "text",
        "integer": "whole number",
        "number": "number",
        "boolean": "true or false",
        "null": "none",
    }
    return names[field["type"]]


def _range(field: Schema) -> str:
    """The limits of a value, or of a list's items."""
    limits = (("minimum", "from"), ("exclusiveMinimum", "above"), ("maximum", "to"), ("exclusiveMaximum", "below"))
    parts = [f"{word} {_value(field[key])}" for key, word in limits if key in field]
    lengths = (("minLength", "from"), ("maxLength", "up to"))
    parts += [f"{word} {counted(field[key], 'character')}" for key, word in lengths if key in field]
    if "pattern" in field:
        parts.append(f"matches `{field['pattern']}`")
    if field.get("type") == "array" and (items := _range(field["items"])):
        parts.append(f"each {items}")
    return ", ".join(parts).replace(", to", " to").replace(", below", " and below")


def _file(rule: Rule | FittedRule) -> str:
    return f"`{rule.judge.__module__.rpartition('.')[2]}.py`"


def _link(source: Source) -> str:
    """A source as a link; one within the repository by its place beside this page."""
    url = source.url.removeprefix("docs/")
    return f"[{source.title}]({url})" if "/" in url else f"{source.title} (`{url}`)"


def _defaults() -> str:
    columns = {name: found for name, found in vars(defaults_table).items() if isinstance(found, BaseModelDefaults)}
    meanings = _meanings()
    rows = [
        (
            f"`{field.name}` {meanings.get(field.name, '')}".rstrip(),
            *(_cell(getattr(c, field.name)) for c in columns.values()),
        )
        for field in fields(BaseModelDefaults)
    ]
    return _table(("", *(f"`{name}`" for name in columns)), rows)


def _meanings() -> Mapping[str, str]:
    """The lines under a column's fields, by field."""
    (found,) = ast.parse(inspect.getsource(BaseModelDefaults)).body
    assert isinstance(found, ast.ClassDef)
    return {
        field.target.id: _line(line.value.value)
        for field, line in pairwise(found.body)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        and isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant) and isinstance(line.value.value, str)
    }  # fmt: skip


def _cell(value: Any) -> str:
    if isinstance(value, Source):
        return _link(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_cell(one)}" for key, one in value.items()) or "the same"
    if isinstance(value, tuple):
        return "-".join(map(_cell, value)) if not value or not isinstance(value[0], tuple) else _steps(value)
    return _value(value)


def _steps(steps: tuple[tuple[int, int], ...]) -> str:
    """(from so many pictures, rank) as text."""
    return ", ".join(f"{rank} from {least}" if least else f"{rank}" for least, rank in reversed(steps))


def _value(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return ", ".join(map(_value, value)) or "empty"
    if isinstance(value, float):
        return f"{int(value)}" if value.is_integer() else rate(value)
    return f"{value}" if value != "" else "empty"


def _between(page: str, mark: str, text: str) -> str:
    """The page with `text` between two marks."""
    start, end = f"<!-- {mark}: begin -->", f"<!-- {mark}: end -->"
    before, _, rest = page.partition(start)
    return f"{before}{start}\n{text}\n{end}{rest.partition(end)[2]}"


def _folders() -> str:
    """Each floor with its folders and the modules that lie beside them, by the first sentence of their docstrings."""
    return "\n\n".join(_table((f"`{floor}/`", _sentence(REPOSITORY / floor)), _contents(floor)) for floor in FLOORS)


def _contents(floor: str) -> list[tuple[str, ...]]:
    home = REPOSITORY / floor
    inner = sorted(path.parent for path in home.rglob("__init__.py") if path.parent != home)
    loose = sorted(path for path in home.glob("*.py") if path.name != "__init__.py")
    return [
        (f"`{path.relative_to(home).as_posix()}{'/' * path.is_dir()}`", _sentence(path)) for path in (*inner, *loose)
    ]


def _sentence(place: Path) -> str:
    """The first paragraph of a module's or package's docstring."""
    file = place / "__init__.py" if place.is_dir() else place
    docstring = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return _line(docstring.partition("\n\n")[0])


def _order() -> str:
    """The contracts within the floors, the highest first."""
    tree = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    layers = {
        one["containers"][0]: one["layers"]
        for one in tree["tool"]["importlinter"]["contracts"]
        if one.get("containers")
    }
    return "\n".join(f"- `{floor}`: `{' > '.join(layers[floor])}`" for floor in FLOORS)


def _table(heads: tuple[str, ...], rows: Iterator[tuple[str, ...]] | list[tuple[str, ...]]) -> str:
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    lines += [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows]
    return "\n".join(lines)


def _line(text: str) -> str:
    return " ".join(text.split())


if __name__ == "__main__":
    main()

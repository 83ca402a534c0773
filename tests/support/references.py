"""What documents and docstrings name of the repository: files, modules, documents; so that a test finds what moved."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.support.paths import REPOSITORY

FOLDERS = ("advisor", "trainer", "templates", "wizard", "tests", "benchmarks", "docs", "requirements", ".ci")
"""What paths in documents begin with."""
PACKAGES = ("advisor", "trainer", "templates", "wizard", "tests", "benchmarks", "docs")
ENDINGS = ("log", "md", "py", "json", "toml", "html", "com")
"""A name with a point that ends in one of these is no module's."""
OF_OTHERS = frozenset({"train_SDXL-en.md", "SEGMENTED_CHECKPOINTING.md"})
"""Documents of other programs, named as sources."""
STANDS_FOR_ANY = re.compile(r"NAME|NNNN|TRAINER|MODULE|[*{}<>]")
"""A path with this in it is a pattern."""

_DOCUMENT = re.compile(r"(?<![\w./:-])[\w./-]+\.md\b")
_PATH = re.compile(rf"(?<![\w./-])(?:{'|'.join(map(re.escape, FOLDERS))})/[\w./*{{}}<>-]*[\w*}}>/]")
_MODULE = re.compile(rf"(?<![\w./-])(?:{'|'.join(PACKAGES)})(?:\.[A-Za-z_]\w*)+\b(?![/(])(?!\.\w)")
_LINK = re.compile(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)")
_FILE, _NAMES = r"`([\w./-]+\.(?:py|json|toml|j2))`", r"(`\w+`(?:(?:, | and | or )`\w+`)*)"
_NAMES_IN_FILE = re.compile(rf"{_FILE} \({_NAMES}")
_NAMES_OF_FILE = re.compile(rf"{_NAMES} (?:in|of) {_FILE}")


def documents() -> Iterator[Path]:
    """Every Markdown file of the repository."""
    for place in ("*.md", "docs/**/*.md", "benchmarks/**/*.md", "trainer/assets/**/*.md"):
        yield from sorted(REPOSITORY.glob(place))


def sources() -> Iterator[Path]:
    """Every Python file of the repository."""
    yield REPOSITORY / "start.py"
    for package in PACKAGES:
        yield from sorted((REPOSITORY / package).rglob("*.py"))


def remarks(source: str) -> str:
    """The docstrings and comments of a module, also the texts below fields and constants."""
    comments = [
        token.string
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    ]
    texts = [
        node.value.value
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    ]
    return "\n".join([*comments, *texts])


def missing(text: str, home: Path) -> list[str]:
    """What `text`, which stands in a file of the folder `home`, names and is not there.

    After a file's path names in parentheses must stand in it, and so must those before "in" or "of" and the path.
    """
    text = " ".join(text.split())
    found = [name for name in _DOCUMENT.findall(text) if not _is_document(name, home)]
    found += [
        path for path in _PATH.findall(text) if not STANDS_FOR_ANY.search(path) and not (REPOSITORY / path).exists()
    ]
    found += [path for path in _PATH.findall(text) if "*" in path and not any(REPOSITORY.glob(path))]
    found += [module for module in _MODULE.findall(text) if not _ends_as_a_file(module) and not is_there(module)]
    found += [link for link in _LINK.findall(text) if not (home / link).exists()]
    named = [*_NAMES_IN_FILE.findall(text), *((path, names) for names, path in _NAMES_OF_FILE.findall(text))]
    for path, names in named:
        content = _text(REPOSITORY / path)
        every = re.findall(r"`(\w+)`", names)
        found += [f"{name} in {path}" for name in every if not re.search(rf"\b{name}\b", content)]
    return found


def is_there(dotted: str) -> bool:
    """Whether a dotted name is a module, or something that a module defines at its top."""
    parts = dotted.split(".")
    for length in range(len(parts), 0, -1):
        place = REPOSITORY.joinpath(*parts[:length])
        if place.is_dir() and length == len(parts):
            return True
        for file in (place.with_suffix(".py"), place / "__init__.py"):
            if file.is_file():
                return length == len(parts) or parts[length] in _defined(file)
    return False


@cache
def _defined(file: Path) -> frozenset[str]:
    """Names that a module has at its top, imported ones too, and the functions within its classes."""
    found = set[str]()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {target.id for target in targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.ImportFrom):
            found |= {alias.asname or alias.name for alias in node.names}
    return frozenset(found)


def _ends_as_a_file(name: str) -> bool:
    return name.rpartition(".")[2] in ENDINGS


def _is_document(name: str, home: Path) -> bool:
    """Beside the file that names it, or from the repository's root."""
    return (
        name in OF_OTHERS
        or (home / name).is_file()
        or (REPOSITORY / name).is_file()
        or bool(STANDS_FOR_ANY.search(name))
    )


@cache
def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8") if file.is_file() else ""

"""Where things lie in the repository, for tests in folders of any depth."""

from __future__ import annotations

from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
DATA = REPOSITORY / "tests" / "data"
KOHYA_VECTORS = DATA / "kohya" / "vectors.json"
GOLDENS = REPOSITORY / "tests" / "templates" / "goldens"

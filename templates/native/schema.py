"""The JSON Schema of `loracle.toml`, by which editors complete it.

`python -m templates.native.schema` writes it anew.
"""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

from advisor.files import write_atomically
from advisor.settings.config import TrainingConfig

FILE_NAME = "loracle.schema.json"

TITLE = "loracle.toml: a LoRA training, settled in every detail"


def schema_text() -> str:
    """The schema of the settings as they are."""
    tree = TrainingConfig.model_json_schema()
    described = {"$schema": "https://json-schema.org/draft/2020-12/schema", **tree, "title": TITLE}
    return json.dumps(described, ensure_ascii=False, indent=1, sort_keys=False) + "\n"


def schema_file() -> Path:
    """Where the schema lies beside the templates."""
    return Path(str(files("templates").joinpath("files", FILE_NAME)))


def schema_uri() -> str:
    """The schema's address, for the line that editors look for at a file's top."""
    return schema_file().as_uri()


if __name__ == "__main__":
    write_atomically(schema_file(), schema_text())

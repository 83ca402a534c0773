"""Builds the wheel and looks into it: the four packages and nothing else at its top, with what they ship.

Run by .ci/run as `python -m tests.support.check_wheel`; it needs the development pins.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from zipfile import ZipFile

from tests.support.paths import REPOSITORY

TOP_LEVEL = {"wizard", "advisor", "trainer", "templates"}
MOST_BYTES = 30_000_000
"""The package with the embedded model stays under 30 MB."""


def main() -> None:
    """Build and check; ends with a message and exit code 1 at the first thing that is wrong."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, str(REPOSITORY)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        (wheel,) = Path(folder).glob("*.whl")
        size = wheel.stat().st_size
        names = ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    info = {top for top in tops if top.endswith(".dist-info")}
    if tops - info != TOP_LEVEL or len(info) != 1:
        sys.exit(f"the wheel's top level is {sorted(tops)}, not {sorted(TOP_LEVEL)} and its own dist-info")
    for package in TOP_LEVEL:
        if f"{package}/py.typed" not in names:
            sys.exit(f"the wheel lacks {package}/py.typed")
    missing = [
        str(path.relative_to(REPOSITORY).as_posix())
        for package in TOP_LEVEL
        for path in (REPOSITORY / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.relative_to(REPOSITORY).as_posix() not in names
    ]
    if missing:
        sys.exit(f"the wheel lacks {missing}")
    if size > MOST_BYTES:
        sys.exit(f"the wheel has {size:,} bytes, more than {MOST_BYTES:,}")
    print(f"wheel: {len(names)} files, {size:,} bytes, top level {', '.join(sorted(TOP_LEVEL))}")


if __name__ == "__main__":
    main()

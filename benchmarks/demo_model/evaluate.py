"""What the finished base model can do."""

from pathlib import Path


def evaluate(out: Path, work: Path, results: Path, seed: int) -> None:
    """Soon."""

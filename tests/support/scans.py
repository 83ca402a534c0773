"""What tests of scanned folders look at."""

from __future__ import annotations

from advisor.dataset.report import DatasetReport


def codes(report: DatasetReport) -> dict[str, str]:
    return {problem.path: problem.code for problem in report.problems}


def names(report: DatasetReport) -> list[str]:
    return [picture.path for picture in report.image_files]

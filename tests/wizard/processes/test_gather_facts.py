from __future__ import annotations

import io
import sys
from pathlib import Path

from rich.console import Console

from advisor.environment.doctor import DoctorFacts, Verdict
from advisor.environment.packages import PythonFacts
from advisor.environment.torch_report import TorchFacts
from tests.support.factories import make_hardware
from wizard.commands.doctor import doctor_document, summary, verdict_table
from wizard.processes.gather_facts import torch_facts

VERDICTS = (
    Verdict("Python", "ok", "Python 3.11.7, 64-bit, on Linux"),
    Verdict("driver", "warn", "no NVIDIA driver was found", "install it"),
    Verdict("torch", "bad", "torch cannot be used: " + "x " * 60, "install it again"),
)


def test_each_verdict_is_a_word_with_its_mend_below() -> None:
    file = io.StringIO()
    Console(file=file, width=80).print(verdict_table(VERDICTS))
    lines = [line.rstrip() for line in file.getvalue().splitlines()]

    assert lines[0].split() == ["Python", "ok", "Python", "3.11.7,", "64-bit,", "on", "Linux"]
    assert lines[1].split()[:2] == ["driver", "mind"]
    assert lines[2].strip() == "-> install it"
    assert max(len(line) for line in lines) <= 80


def test_the_sum_is_told_in_a_sentence() -> None:
    assert summary(VERDICTS).strip() == "1 thing must be mended before training."
    assert summary(VERDICTS[:2]).strip() == "Ready to train; 1 thing to mind."
    assert summary(VERDICTS[:1]).strip() == "Ready to train."


def test_the_document_has_verdicts_and_facts() -> None:
    document = doctor_document(
        DoctorFacts(make_hardware(), TorchFacts(version="2.13.0"), {}, PythonFacts((3, 11, 0), 64)), VERDICTS
    )

    assert document["verdicts"][1] == {  # type: ignore[index]
        "name": "driver", "status": "warn", "found": "no NVIDIA driver was found", "mend": "install it",
    }  # fmt: skip
    assert document["facts"]["torch"]["version"] == "2.13.0"  # type: ignore[index]


def test_a_torch_that_tells_is_read() -> None:
    told = torch_facts([sys.executable, "-c", "print('noise'); print('{\"version\": \"2.13.0\"}')"], 60)

    assert told.version == "2.13.0"


def test_a_torch_that_ends_the_process_is_told() -> None:
    assert "exit code 7" in str(torch_facts([sys.executable, "-c", "import sys; sys.exit(7)"], 60).error)


def test_a_torch_that_hangs_is_told() -> None:
    assert "did not answer" in str(torch_facts([sys.executable, "-c", "import time; time.sleep(60)"], 0.5).error)


def test_a_python_that_is_gone_is_told(tmp_path: Path) -> None:
    assert "cannot be asked" in str(torch_facts([str(tmp_path / "python")], 1).error)

from __future__ import annotations

import json
import random
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from advisor.errors import LoraError
from templates.ai_toolkit import export_job as ai_toolkit_job
from templates.importers import import_config
from templates.importing.import_plan import plan_import
from templates.kohya.export_gui_values import gui_settings
from templates.kohya.export_script_tables import script_settings
from templates.musubi.export_tables import config_tables
from templates.onetrainer import export_concepts as onetrainer_concepts
from templates.onetrainer import export_config as onetrainer_config
from tests.support.flow_exports import z_image_config
from tests.support.mutations import WRITERS, written
from tests.support.samples import LAYOUT, sample_config
from tests.templates.kohya.test_import_lora import KOHYA
from trainer.device.choose import peak_process_bytes
from wizard.commands.import_ import import_document

MOST_SECONDS = 5.0
"""Of the processor; what grows faster than its file takes half a minute and more here, the slowest otherwise one."""
MOST_BYTES = 200 * 1024**2
LEAST_SHARE = 0.3
"""Of the bent files get past the parser: a fuzzer that only makes garbage tries nothing."""


def originals() -> dict[str, dict[str, Any]]:
    config = sample_config("/p", sampling={"prompts": ["a fox"], "negative": "blurry"}, schedule={"max_steps": 500})
    onetrainer = onetrainer_config.ExportLayout(
        "/h", "/m", "", "", (onetrainer_config.ConceptFolder("/p/10_a", 10),), ()
    )
    toolkit = ai_toolkit_job.ExportLayout("/h", "/m", "", "", "/p", None, "", (), None)
    inline = {"concepts": onetrainer_concepts.concept_trees(config, onetrainer),
              "samples": onetrainer_concepts.sample_trees(config)}  # fmt: skip
    return {
        "kohya-gui": dict(gui_settings(config, replace(LAYOUT, vae="/v"))),
        "sd-scripts": dict(script_settings(config, LAYOUT, dataset="d.toml", prompts="p.txt")),
        "onetrainer": {**onetrainer_config.config_tree(config, onetrainer), **inline},
        "ai-toolkit": ai_toolkit_job.job_tree(config, toolkit),
        "musubi-tuner": dict(config_tables(z_image_config(), LAYOUT, dataset="d.toml", prompts="p.txt")),
        "lora": dict(KOHYA),
    }


@dataclass(frozen=True)
class Fuzzed:
    """What bent files did."""

    read: int
    """How many got past the parser and gave a report; the others gave a sentence."""
    longest_seconds: float
    """Of computing, for one file: what else the machine does is no fault of the file's."""
    grown_bytes: int
    """By how much the process's peak rose."""


def fuzz(folder: Path, name: str, count: int, seed: int) -> Fuzzed:
    """`count` bent files of a format; whatever is neither a report nor a LoraError comes through."""
    rng, original = random.Random(seed), originals()[name]
    read, longest, file = 0, 0.0, folder / WRITERS[name][0]
    before = peak_process_bytes()
    for _ in range(count):
        file.write_bytes(written(original, name, rng))
        begun = time.process_time()
        try:
            made = plan_import(import_config(file), None, {})
            json.dumps(import_document(made), allow_nan=False)
            read += 1
        except LoraError as error:
            assert str(error)  # noqa: PT017
        longest = max(longest, time.process_time() - begun)
    return Fuzzed(read, longest, peak_process_bytes() - before)


def fuzz_strictly(folder: Path, name: str, count: int, seed: int) -> Fuzzed:
    """The same where warnings are errors, as in a test; for a process of its own, whose peak nothing else raised."""
    warnings.simplefilter("error")
    return fuzz(folder, name, count, seed)


@pytest.mark.parametrize("name", WRITERS)
def test_a_bent_file_gives_a_report_or_a_sentence(tmp_path: Path, name: str) -> None:
    assert fuzz(tmp_path, name, 300, seed=1).read >= 300 * LEAST_SHARE


@pytest.mark.slow
@pytest.mark.parametrize("name", WRITERS)
def test_ten_thousand_bent_files_take_no_long_time_and_little_memory(tmp_path: Path, name: str) -> None:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        found = pool.submit(fuzz_strictly, tmp_path, name, 10_000, seed=2).result()

    print(name, found)
    assert found.read >= 10_000 * LEAST_SHARE
    assert found.longest_seconds < MOST_SECONDS
    assert found.grown_bytes < MOST_BYTES


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("many.json", '{"LoRA_type": "Standard", "network_dim": 8' + ',"k": 1' * 100_000 + "}"),
        ("wide.json", json.dumps({"LoRA_type": "Standard", "network_dim": 8, **{f"k{n}": n for n in range(60_000)}})),
        ("deep.json", '{"LoRA_type": "Standard", "network_dim": 8, "a": ' + "[" * 900 + "]" * 900 + "}"),
        ("long.json", json.dumps({"LoRA_type": "Standard", "network_dim": 8, "optimizer_args": "a=1 " * 200_000})),
        ("prompts.json", json.dumps({"LoRA_type": "Standard", "network_dim": 8, "sample_prompts": "a --n b\n" * 90_000,
                                     "sample_every_n_epochs": 1})),
        ("slashes.json", '{"LoRA_type": "Standard", "a": "' + "\\\\" * 200_000 + '", // x\n}'),
        ("comments.json", '{"LoRA_type": "Standard", "network_dim": 8, ' + "/* " * 200_000),
        ("quotes.json", '{"LoRA_type": ' + '"' + '\\"' * 200_000),
        ("quoted.json", '{"LoRA_type": ' + '"\\\n' * 100_000),
        ("commas.json", '{"LoRA_type": "Standard"' + ", " * 200_000 + "}"),
        ("blocks.json", json.dumps({"LoRA_type": "Standard", "network_dim": 8, "block_dims": "1," * 300_000})),
        ("wide.toml", "network_module = 'a'\nunet_lr = 1\n" + "\n".join(f"k{n} = {n}" for n in range(20_000))),
        ("dotted.toml", "network_module = 'a'\nunet_lr = 1\n" + "a." * 20_000 + "b = 1\n" + "[a]\n" * 2),
        ("dots.toml", "network_module = 'a'\nunet_lr = 1\n" + "c." * 20_000 + "b = 1\n"),
        ("wide.yaml", "job: extension\nconfig:\n  process: [" + "{a: 1}, " * 7_000 + "]"),
    ],
    ids=lambda value: value if len(value) < 20 else "",
)  # fmt: skip
def test_a_hostile_file_takes_no_long_time(tmp_path: Path, name: str, content: str) -> None:
    file = tmp_path / name
    file.write_text(content, "utf-8")
    begun = time.process_time()

    try:
        import_document(plan_import(import_config(file), None, {}))
    except LoraError as error:
        assert str(error)  # noqa: PT017
    assert time.process_time() - begun < MOST_SECONDS

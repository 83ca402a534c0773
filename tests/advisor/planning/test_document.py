from __future__ import annotations

import json
from dataclasses import replace

from hypothesis import given, settings

from advisor.dataset.report import Folder, Problem
from advisor.facts import Facts
from advisor.planning.document import MOST_PROBLEMS, plan_document
from advisor.planning.planner import make_plan
from advisor.settings.config import parse_config, setting_paths
from tests.support.factories import make_facts
from tests.support.strategies import facts


def document(case: Facts) -> dict[str, object]:
    text = json.dumps(plan_document(case, make_plan(case)), allow_nan=False)
    read: dict[str, object] = json.loads(text)
    return read


@settings(max_examples=20)
@given(facts())
def test_it_reads_back_equal_from_json(case: Facts) -> None:
    assert document(case) == plan_document(case, make_plan(case))


def test_it_has_what_scripts_rely_on() -> None:
    found = document(make_facts(lineage="anylora"))

    assert list(found) == [
        "hardware", "dataset", "model", "preset", "config", "decisions", "warnings", "estimate",
    ]  # fmt: skip
    assert found["preset"] == "medium"
    assert found["model"]["family"] == "sd1"  # type: ignore[index]
    assert found["model"]["lineage"] == "anylora"  # type: ignore[index]
    assert found["dataset"]["num_images"] == 30  # type: ignore[index]
    assert found["hardware"]["gpu"]["total_bytes"] == 8 * 1024**3  # type: ignore[index]
    decisions = found["decisions"]
    assert isinstance(decisions, list)
    assert [entry["path"] for entry in decisions] == list(setting_paths())
    assert set(decisions[0]) == {"path", "value", "reason", "origin", "source"}
    assert set(found["estimate"]) >= {  # type: ignore[call-overload]
        "vram_bytes", "vram_parts", "steps", "seconds", "lora_bytes", "disk_bytes",
    }  # fmt: skip


def test_its_configuration_is_one() -> None:
    case = make_facts()

    assert parse_config(document(case)["config"]) == make_plan(case).config


def test_the_machine_without_a_card_has_none() -> None:
    assert document(make_facts(vram_gib=None))["hardware"]["gpu"] is None  # type: ignore[index]


def test_pictures_are_counted_by_bucket_and_not_listed() -> None:
    dataset = document(make_facts(num_images=4, sizes=((512, 512), (1024, 512))))["dataset"]

    assert dataset["buckets"] == [  # type: ignore[index]
        {"width_px": 512, "height_px": 512, "exposures": 60},
        {"width_px": 640, "height_px": 320, "exposures": 60},
    ]
    assert "pictures" not in dataset  # type: ignore[operator]


def test_folders_keep_their_names_and_repeats() -> None:
    case = make_facts(num_images=3, folders=(Folder("5_mira girl", 3, 5, "mira girl"),))
    found = document(case)

    assert found["config"]["dataset"]["folders"] == [{"path": "5_mira girl", "repeats": 5}]  # type: ignore[index]
    assert found["dataset"]["folders"][0]["repeats"] == 5  # type: ignore[index]


def test_a_flood_of_problems_is_counted() -> None:
    problems = tuple(Problem(f"{number}.png", "empty_picture", "zero bytes") for number in range(1000))
    dataset = document(make_facts(problems=problems))["dataset"]

    assert dataset["num_problems"] == 1000  # type: ignore[index]
    assert len(dataset["problems"]) == MOST_PROBLEMS  # type: ignore[index]


def test_a_licence_that_goes_on_to_loras_is_named() -> None:
    case = make_facts()
    plan = make_plan(case)
    of_anima = replace(case, model=replace(case.model, family="anima"))

    usual, narrow = (json.loads(json.dumps(plan_document(one, plan)))["model"] for one in (case, of_anima))

    assert "licence" not in usual
    assert narrow["licence"]["source"].endswith("circlestone-labs/Anima")

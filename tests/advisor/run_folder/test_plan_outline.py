from __future__ import annotations

from advisor.planning.document import plan_document
from advisor.planning.planner import make_plan
from advisor.run_folder.plan_outline import outline
from tests.support.factories import make_facts


def test_a_plan_tells_what_it_expected_of_what_and_on_what() -> None:
    facts = make_facts()
    plan = make_plan(facts)

    found = outline(plan_document(facts, plan))

    assert found.expected is not None
    assert found.images is not None
    assert found.base is not None
    assert found.machine is not None
    assert found.machine.gpu is not None
    assert found.expected.seconds == plan.estimate.seconds
    assert found.expected.allocated_bytes == plan.estimate.allocated_bytes
    assert (found.images.num_images, found.images.captions_are_tags) == (30, True)
    assert found.images.buckets
    assert (found.base.family, found.machine.gpu.name) == ("sd1", "NVIDIA GeForce RTX 3070")


def test_a_part_that_is_damaged_or_not_there_is_left_out_alone() -> None:
    found = outline({"estimate": {"seconds": "long"}, "dataset": None, "hardware": {"cpu_name": "x"}})

    assert (found.expected, found.images, found.base) == (None, None, None)
    assert found.machine is not None
    assert found.machine.cpu_name == "x"

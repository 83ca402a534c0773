from __future__ import annotations

from advisor.families.anima import ANIMA
from templates.report.usage import WEIGHT, usage_view


def test_a_prompt_names_the_file_the_weight_and_the_trigger() -> None:
    view = usage_view("model/mira-000006.safetensors", "mira", 0.6)

    assert view.prompt == "<lora:mira-000006:0.6> mira"
    assert [(program.name, program.folder) for program in view.programs] == [
        ("A1111, Forge, SD.Next", "models/Lora"), ("ComfyUI", "models/loras"), ("InvokeAI", ""),
    ]  # fmt: skip
    assert all("mira-000006" in " ".join(program.steps) for program in view.programs)
    assert all("trigger word mira" in " ".join(program.steps) for program in view.programs)


def test_without_a_choice_a_usual_weight_is_named_and_without_a_trigger_none_is() -> None:
    view = usage_view("model/mira.safetensors", "")

    assert view.prompt == f"<lora:mira:{WEIGHT}>"
    assert not any("trigger" in " ".join(program.steps) for program in view.programs)


def test_only_programs_that_draw_with_the_family_are_named() -> None:
    view = usage_view("model/mira.safetensors", "mira", family=ANIMA)

    assert [program.name for program in view.programs] == ["Forge", "ComfyUI"]

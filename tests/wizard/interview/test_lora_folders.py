from __future__ import annotations

from pathlib import Path

from wizard.interview.lora_folders import lora_folders

HOME = Path("/home/me")


def found(*there: str, model: str = "/models/a.safetensors", remembered: str | None = None) -> list[str]:
    places = {Path(path) for path in there}
    folders = lora_folders(Path(model), remembered, home=HOME, windows=False, exists=places.__contains__)
    return [folder.as_posix() for folder in folders]


def test_the_folder_beside_the_base_model_is_found() -> None:
    assert found("/ui/models/Lora", model="/ui/models/Stable-diffusion/anime/a.safetensors") == ["/ui/models/Lora"]
    assert found("/c/models/loras", model="/c/models/checkpoints/a.safetensors") == ["/c/models/loras"]


def test_usual_places_are_looked_at() -> None:
    there = ("/home/me/ComfyUI/models/loras", "/home/me/Documents/stable-diffusion-webui/models/Lora")

    assert found(*there) == list(there)


def test_where_one_was_copied_before_comes_first_and_once() -> None:
    there = ("/home/me/ComfyUI/models/loras", "/x/Lora")

    assert found(*there, remembered="/x/Lora")[0] == "/x/Lora"
    assert len(found(*there, remembered=there[0])) == 1


def test_a_remembered_folder_that_is_gone_is_passed_over() -> None:
    assert found(remembered="/gone") == []

from __future__ import annotations

from pathlib import Path

import pytest

from wizard.interview.lora_folders import Program, lora_folders, program_of

HOME = Path("/home/me")


def found(*there: str, model: str = "/models/a.safetensors", remembered: str | None = None) -> list[str]:
    places = {Path(path) for path in there}

    def listing(root: Path, pattern: str) -> list[Path]:
        return [place for place in places if place.is_relative_to(root) and place.match(f"{root}/{pattern}")]

    folders = lora_folders(
        Path(model), remembered, home=HOME, windows=False, exists=places.__contains__, listing=listing
    )  # fmt: skip
    return [folder.as_posix() for folder in folders]


def test_the_folder_beside_the_base_model_is_found() -> None:
    assert found("/ui/models/Lora", model="/ui/models/Stable-diffusion/anime/a.safetensors") == ["/ui/models/Lora"]
    assert found("/c/models/loras", model="/c/models/checkpoints/a.safetensors") == ["/c/models/loras"]


def test_usual_places_are_looked_at() -> None:
    there = ("/home/me/ComfyUI/models/loras", "/home/me/Documents/stable-diffusion-webui/models/Lora")

    assert found(*there) == list(there)


@pytest.mark.parametrize(
    ("folder", "program"),
    [
        ("stable-diffusion-webui/models/Lora", "A1111"),
        ("sd.webui/webui/models/Lora", "A1111"),
        ("stable-diffusion-webui-amdgpu/models/Lora", "A1111"),
        ("stable-diffusion-webui-forge/models/Lora", "Forge"),
        ("Downloads/webui_forge_cu121_torch231/webui/models/Lora", "Forge"),
        ("Downloads/webui_forge_cu124_torch24/webui/models/Lora", "Forge"),
        ("sd-webui-forge-classic/models/Lora", "Forge"),
        ("sd-webui-forge-neo/models/Lora", "Forge"),
        ("sdnext/models/Lora", "SD.Next"),
        ("automatic/models/Lora", "SD.Next"),
        ("SwarmUI/Models/Lora", "SwarmUI"),
        ("ComfyUI/models/loras", "ComfyUI"),
        ("ComfyUI_windows_portable_nvidia/ComfyUI/models/loras", "ComfyUI"),
        ("Fooocus/models/loras", "Fooocus"),
        ("Fooocus_win64_2-5-0/Fooocus/models/loras", "Fooocus"),
        ("StabilityMatrix-win-x64/Data/Models/Lora", "Stability Matrix"),
        ("AppData/Roaming/StabilityMatrix/Models/Lora", "Stability Matrix"),
        (".config/StabilityMatrix/Models/Lora", "Stability Matrix"),
        ("Library/Application Support/StabilityMatrix/Models/Lora", "Stability Matrix"),
    ],
)
def test_the_folders_of_todays_programs_are_found_and_known(folder: str, program: Program) -> None:
    assert found(f"/home/me/{folder}") == [f"/home/me/{folder}"]
    assert program_of(HOME / folder) == program


@pytest.mark.parametrize(
    ("folder", "program"),
    [("/x/invokeai/loras", "InvokeAI"), ("/x/models/loras/", "ComfyUI"), ("/x/models/Lora", "A1111"), ("/x/y", None)],
)
def test_a_folder_of_ones_own_is_known_by_its_names(folder: str, program: Program | None) -> None:
    assert program_of(Path(folder)) == program


def test_the_newest_of_several_versions_comes_first() -> None:
    there = [f"/home/me/webui_forge_cu{version}/webui/models/Lora" for version in ("124_torch24", "121_torch21")]

    assert found(*reversed(there)) == there


def test_versions_are_listed_on_the_disk(tmp_path: Path) -> None:
    folder = tmp_path / "webui_forge_cu130" / "webui" / "models" / "Lora"
    folder.mkdir(parents=True)

    assert lora_folders(Path("/m/a.safetensors"), None, home=tmp_path, windows=False) == (folder,)


def test_where_one_was_copied_before_comes_first_and_once() -> None:
    there = ("/home/me/ComfyUI/models/loras", "/x/Lora")

    assert found(*there, remembered="/x/Lora")[0] == "/x/Lora"
    assert len(found(*there, remembered=there[0])) == 1


def test_a_remembered_folder_that_is_gone_is_passed_over() -> None:
    assert found(remembered="/gone") == []

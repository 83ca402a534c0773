from __future__ import annotations

from typing import Any

import pytest

from templates.importing.imported import Imported
from templates.kohya.import_gui import import_gui
from templates.kohya.import_scripts import import_scripts
from tests.support.given_files import GivenFiles

BASE = {
    "pretrained_model_name_or_path": "/m/anima.safetensors", "qwen3": "/m/q.safetensors", "vae": "/m/v.safetensors",
    "network_module": "networks.lora_anima", "network_dim": 8, "network_train_unet_only": True, "unet_lr": 1e-4,
}  # fmt: skip
GUI = {
    "LoRA_type": "Anima",
    "anima_checkbox": True,
    "anima_qwen3": "/m/q.safetensors",
    "anima_vae": "/m/v.safetensors",
}


def imported(**keys: Any) -> Imported:
    return import_scripts({**BASE, **keys}, GivenFiles())


def verdict(found: Imported, key: str) -> str:
    return next(line.verdict for line in found.lines if line.key == key)


def test_the_family_is_told_by_its_own_keys() -> None:
    found = imported().effective

    assert (found["model.family"], found["model.prediction"]) == ("anima", "flow")
    assert (found["model.text_encoder_path"], found["model.vae_path"]) == ("/m/q.safetensors", "/m/v.safetensors")
    assert (found["loss.timestep_sampling"], found["loss.timestep_shift"]) == ("logit_normal", 1.0)
    assert found["network.alpha"] == 1.0


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"timestep_sampling": "uniform", "discrete_flow_shift": 3.0}, ("uniform", 1.0, 0.0, 1.0)),
        ({"sigmoid_scale": 1.5, "discrete_flow_shift": 3.0}, ("logit_normal", 1.0, 0.0, 1.5)),
        ({"timestep_sampling": "shift", "discrete_flow_shift": 3.0}, ("logit_normal", 3.0, 0.0, 1.0)),
        ({"timestep_sampling": "flux_shift"}, ("logit_normal", "auto", 0.0, 1.0)),
        ({"timestep_sampling": "sigma", "discrete_flow_shift": 3.0}, ("uniform", 3.0, 0.0, 1.0)),
        (
            {"timestep_sampling": "sigma", "weighting_scheme": "logit_normal", "logit_mean": 0.5, "logit_std": 2.0},
            ("logit_normal", 1.0, -0.5, 2.0),
        ),
    ],
)  # fmt: skip
def test_how_timesteps_are_drawn(keys: dict[str, Any], expected: tuple[Any, ...]) -> None:
    found = imported(**keys).effective

    paths = ("timestep_sampling", "timestep_shift", "timestep_mean", "timestep_scale")
    assert tuple(found[f"loss.{path}"] for path in paths) == expected


def test_what_the_trainer_of_anima_does_not_use_changes_nothing() -> None:
    found = imported(min_snr_gamma=5, noise_offset=0.1, min_timestep=300, clip_skip=2, fp8_base=True, mlp_lr=1e-5)

    for key in ("min_snr_gamma", "noise_offset", "min_timestep", "clip_skip", "fp8_base", "mlp_lr"):
        assert verdict(found, key) == "idle", key
    assert found.effective["loss.min_snr_gamma"] == 0
    assert found.effective["loss.min_timestep"] == 0
    assert found.effective["model.clip_skip"] == 1


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("weighting_scheme", "sigma_sqrt"), ("llm_adapter_path", "/m/other.safetensors"), ("t5_max_token_length", 256),
        ("network_args", ["exclude_patterns=['.*mlp.*']"]), ("network_args", ["network_reg_dims=.*attn.*=4"]),
    ],
)  # fmt: skip
def test_what_we_have_no_setting_for_is_told(key: str, value: Any) -> None:
    assert any(line.key == key and line.verdict == "dropped" for line in imported(**{key: value}).lines)


def test_arguments_of_its_adapters_are_settings() -> None:
    dims = ",".join(f"blocks[.]{number}[.].*={number + 1}" for number in range(3))
    rates = ",".join(f"blocks\\.{number}\\..*=5e-05" for number in range(3))
    arguments = ["train_llm_adapter=True", f"network_reg_dims={dims}", f"network_reg_lrs={rates}"]

    found = imported(network_args=arguments).effective

    assert found["network.text_adapter"] is True
    assert found["network.block_ranks"] == (1, 2, 3)
    assert found["optimizer.block_learning_rates"] == (0.5, 0.5, 0.5)


def test_the_guis_arguments_take_the_place_of_its_keys() -> None:
    line = "--network_args train_llm_adapter=True rank_dropout=0.2 --timestep_sampling uniform"

    found = import_gui({**GUI, "rank_dropout": 0.1, "additional_parameters": line}, GivenFiles())

    assert found.settings["network.text_adapter"] is True
    assert found.settings["network.rank_dropout"] == 0.2
    assert found.settings["loss.timestep_sampling"] == "uniform"
    assert verdict(found, "rank_dropout") == "idle"


def test_keys_of_other_families_in_the_guis_file_change_nothing() -> None:
    found = import_gui(
        {**GUI, "lumina_discrete_flow_shift": 6, "timestep_sampling": "sigma", "vae": "/x"}, GivenFiles()
    )

    for key in ("lumina_discrete_flow_shift", "timestep_sampling", "vae"):
        assert verdict(found, key) == "idle", key
    assert found.settings["model.vae_path"] == "/m/v.safetensors"

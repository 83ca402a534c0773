"""A tiny Z-Image from its files to a LoRA that diffusers' own loader reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler, ZImagePipeline
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor
from torch.nn.functional import mse_loss

from advisor.checkpoints.identify import identify
from advisor.settings.config import ModelConfig, NetworkConfig, TrainingConfig, changed, parse_config
from tests.support.in_diffusers import said
from tests.support.pictures import make_pictures
from tests.support.runs import events_of, metadata, run_training, same, weights
from tests.support.tiny_z_image import CPU, TINY_Z_IMAGE, tiny_z_image, write_tiny_z_image
from trainer.adapters.network import Network
from trainer.convert.lora import convert_lora
from trainer.diffusion.sampling import Request, draw
from trainer.models.families.family import BaseModel
from trainer.models.families.z_image import ZImage
from trainer.training import prepare
from trainer.training.step import Batch, sample_losses

SETTINGS: dict[str, Any] = {
    "dataset": {"resolution_px": 64, "min_bucket_px": 32, "max_bucket_px": 128, "bucket_step_px": 16},
    "network": {"rank": 3, "alpha": 2.0},
    "optimizer": {"learning_rate": 1e-2, "unet_learning_rate": 1e-2, "text_encoder_learning_rate": 0.0},
    "schedule": {"epochs": 2, "batch_size": 2, "max_steps": 2, "name": "constant"},
    "loss": {"timestep_sampling": "logit_normal", "timestep_shift": 2.0},
    "memory": {"preset": "cpu", "cache_text": True, "gradient_checkpointing": True},
    "saving": {"name": "tok", "dtype": "float32"},
    "sampling": {"prompts": ("tok, a woman",), "negative": "blurry", "steps": 2, "guidance": 4.0, "sampler": "euler"},
    "run": {"trigger": "tok"},
}
CAPTIONS = ("a woman", "a woman on a bridge, in the rain, with a red umbrella, seen from far away, at night " * 2)
FAMILY = ZImage()


@pytest.fixture(autouse=True)
def past_the_check(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(model: ModelConfig, **given: Any) -> BaseModel:
        return FAMILY.load(model, identify(Path(model.path)), **given)

    monkeypatch.setattr(prepare, "load_base_model", load)


def material(folder: Path, **settings: Any) -> TrainingConfig:
    """A base model, four pictures in two sizes with captions of several lengths, and a training of two steps."""
    base = folder / "base"
    if not base.exists():
        write_tiny_z_image(base)
        pictures = make_pictures(folder / "pictures", 4, sizes=((64, 64), (80, 48)))
        for number, picture in enumerate(sorted(Path(folder / "pictures").glob("*.png"))):
            picture.with_suffix(".txt").write_text(f"tok, {CAPTIONS[number // 2]}", encoding="utf-8")
        del pictures
    config = parse_config(
        {
            **SETTINGS,
            "model": {"path": str(base / "z_image.safetensors"), "family": "z_image", "prediction": "flow"},
            "dataset": {"images": str(folder / "pictures"), **SETTINGS["dataset"]},
        }
    )
    for path, value in settings.items():
        config = changed(config, path.replace("__", "."), value)
    return config


def complaints(run: Path) -> list[str]:
    return [one["message"] for one in events_of(run, "warning") if one["code"] in ("reload_check", "sample_failed")]


@torch.no_grad()
def velocity(base: BaseModel) -> Tensor:
    noisy = torch.randn(1, 16, 8, 8, generator=torch.Generator().manual_seed(1))
    text = FAMILY.encode_text(base, FAMILY.tokenize(base, ["tok, a woman"]))
    return FAMILY.predict(base, noisy, torch.tensor([0.4]), text)


def pipeline(base: BaseModel) -> Any:
    """diffusers' own, with our networks."""
    scheduler = FlowMatchEulerDiscreteScheduler(shift=3.0)
    return ZImagePipeline(scheduler, base.vae, base.text_encoders[0], None, base.denoiser.transformer)


@pytest.mark.parametrize("names", ["usual", "kohya"])
def test_two_steps_teach_every_layer_and_diffusers_reads_the_file(tmp_path: Path, names: str) -> None:
    run = tmp_path / "run"
    config = material(tmp_path, sampling__prompts=(), saving__layer_names=names)
    run_training(run, config)
    path = run / "model" / "tok.safetensors"
    grown = [one for name, one in load_file(path).items() if name.endswith(("lora_B.weight", "lora_up.weight"))]
    (found,) = events_of(run, "reload_check")

    assert complaints(run) == []
    assert len(grown) == 14
    assert all(float(one.abs().max()) > 0 for one in grown)
    assert (found["missing"], found["unexpected"]) == (0, 0)
    assert found["difference"] <= found["tolerance"]
    assert (identify(path).family, identify(path).rank) == ("z_image", 3)

    base, ours = tiny_z_image(), tiny_z_image()
    start = NetworkConfig.model_validate({"rank": 3, "alpha": 2.0, "start_from": str(path)})
    Network.attach(ours, start, text_encoder=False)
    with said() as heard:
        pipeline(base).load_lora_weights(str(path.parent), weight_name=path.name)
    assert heard == []
    assert len([name for name, _ in base.denoiser.named_parameters() if ".lora_A." in name]) == 14
    assert float((velocity(ours) - velocity(tiny_z_image())).abs().max()) > 1e-4
    torch.testing.assert_close(velocity(base), velocity(ours), atol=1e-5, rtol=1e-4)


def test_its_names_are_converted_to_kohyas_and_back(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run_training(run, material(tmp_path, sampling__prompts=(), schedule__max_steps=1))
    path, there, back = run / "model" / "tok.safetensors", tmp_path / "there.safetensors", tmp_path / "back.safetensors"
    convert_lora(path, there, lambda line: None)
    convert_lora(there, back, lambda line: None)
    ours, again = load_file(path), load_file(back)

    assert "lora_unet_layers_1_attention_to_out_0.alpha" in load_file(there)
    assert again.keys() == ours.keys()
    assert all(torch.allclose(again[name], one, atol=1e-6) for name, one in ours.items())


@pytest.mark.parametrize("kind", ["lokr", "dora"])
def test_other_kinds_of_adapters_are_saved_and_read_back(tmp_path: Path, kind: str) -> None:
    run = tmp_path / "run"
    run_training(run, material(tmp_path, network__kind=kind, network__factor=2, sampling__prompts=()))

    assert complaints(run) == []
    assert all(name.startswith("diffusion_model.layers.") for name in load_file(run / "model" / "tok.safetensors"))


def test_the_metadata_are_those_of_kohyas_trainer_for_it(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run_training(run, material(tmp_path, schedule__max_steps=1))
    told = metadata(run / "model" / "tok.safetensors")

    assert told["ss_network_module"] == "networks.lora_zimage"
    assert told["ss_base_model_version"] == "z_image"
    assert told["modelspec.architecture"] == "Z-Image/lora"
    assert told["modelspec.prediction_type"] == "flow"
    assert told["ss_discrete_flow_shift"] == "2.0"
    for event in events_of(run, "sample"):
        with Image.open(run / event["path"]) as image:
            assert image.size == (64, 64)


def test_one_step_and_one_more_are_two_to_the_bit(tmp_path: Path) -> None:
    config = material(tmp_path, sampling__prompts=())
    run_training(tmp_path / "whole", config)
    run_training(tmp_path / "cut", changed(config, "schedule.max_steps", 1))
    run_training(tmp_path / "cut", config, resume=True)

    assert same(weights(tmp_path / "cut"), weights(tmp_path / "whole"))


def test_on_a_quantised_base_captions_have_states_of_their_own(tmp_path: Path) -> None:
    """The text encoder is in int8 then, and what it says of a caption is kept under another key."""
    config = material(tmp_path, sampling__prompts=(), memory__base_dtype="nf4", schedule__max_steps=1)
    run_training(tmp_path / "run", config)
    whole = changed(config, "memory.base_dtype", config.memory.compute_dtype)
    run_training(tmp_path / "whole", whole)
    keys, others = (
        {one.name for one in (tmp_path / run / "cache" / "text").rglob("*.safetensors")} for run in ("run", "whole")
    )

    assert complaints(tmp_path / "run") == []
    assert keys
    assert not keys & others


def test_the_loss_and_its_gradients_are_those_of_diffusers_network() -> None:
    """Noise minus picture is what is learned; their network is told 1 - t and gives the opposite."""
    base, config = tiny_z_image(), material_config()
    network = Network.attach(base, config.network, text_encoder=False)
    rng = torch.Generator().manual_seed(4)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=rng), alpha=0.05)
    latents, noise = (torch.randn(2, 16, 8, 8, generator=rng) for _ in range(2))
    times = torch.tensor([0.3, 0.8])
    with torch.no_grad():
        text = FAMILY.encode_text(base, FAMILY.tokenize(base, CAPTIONS))
    batch = Batch(
        latents=latents, noise=noise, times=times, levels=times, loss_weights=torch.ones(2), token_ids=(), text=text,
        sizes=torch.zeros(2, 6),
    )  # fmt: skip
    ours = sample_losses(base, network, batch, config).mean()
    gradients = torch.autograd.grad(ours, list(network.parameters()))

    share = times[:, None, None, None]
    noisy = (1 - share) * latents + share * noise
    states = [one[mask] for one, mask in zip(text["states"], text["states_mask"], strict=True)]
    out = base.denoiser.transformer(list(noisy[:, :, None]), 1 - times, states, return_dict=False)[0]
    theirs = mse_loss(torch.stack([one[:, 0] for one in out]), latents - noise)
    expected = torch.autograd.grad(theirs, list(network.parameters()))

    torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-5)
    apart = sum(float((one - two).square().sum()) for one, two in zip(gradients, expected, strict=True))
    assert apart**0.5 < 1e-5 * sum(float(one.square().sum()) for one in expected) ** 0.5


def material_config() -> TrainingConfig:
    return parse_config(
        {
            **SETTINGS,
            "model": {"path": "z_image.safetensors", "family": "z_image", "prediction": "flow"},
            "dataset": {"images": ".", **SETTINGS["dataset"]},
        }
    )


def test_a_picture_is_the_one_that_diffusers_pipeline_draws() -> None:
    base = tiny_z_image()
    request = Request("tok, a woman", "blurry", 7, width_px=48, height_px=80, steps=4, guidance=4.5, sampler="euler")
    ours = torch.tensor(list(draw(base, request, material_config()).tobytes()))
    states = [
        [FAMILY.encode_text(base, FAMILY.tokenize(base, [prompt]))["states"][0]]
        for prompt in (request.prompt, request.negative)
    ]
    pipe = pipeline(base)
    pipe.set_progress_bar_config(disable=True)
    drawn = pipe(
        prompt_embeds=states[0], negative_prompt_embeds=states[1], width=48, height=80, num_inference_steps=4,
        guidance_scale=request.guidance - 1,
        latents=torch.randn(1, 16, 10, 6, generator=torch.Generator().manual_seed(request.seed)),
    ).images[0]  # fmt: skip
    theirs = torch.tensor(list(drawn.tobytes()))

    assert int((ours - theirs).abs().max()) <= 1
    assert len(ours.unique()) > 20


def test_it_computes_in_bfloat16() -> None:
    torch.manual_seed(0)
    base = FAMILY.build(TINY_Z_IMAGE, dtype=torch.bfloat16, vae_dtype=torch.float32, device=CPU)
    network = Network.attach(base, NetworkConfig(rank=2), text_encoder=False)
    text = FAMILY.encode_text(base, FAMILY.tokenize(base, ["a woman", ""]))
    noisy = torch.randn(2, 16, 4, 4, generator=torch.Generator().manual_seed(1)).bfloat16()
    whole = FAMILY.predict(base, noisy, torch.tensor([0.3, 0.9]), text)
    whole.float().square().mean().backward()
    grads = [one.grad for name, one in network.named_parameters() if name.endswith("up")]

    assert whole.dtype == torch.bfloat16
    assert all(grad is not None and bool(grad.isfinite().all()) for grad in grads)

"""SD2 and SDXL: every weight in its place, texts as transformers gives them, the sizes that SDXL is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

from advisor.errors import ModelError
from advisor.families.stable_diffusion import StableDiffusionStructure
from advisor.settings.config import DatasetConfig, ModelConfig, NetworkConfig, SavingConfig, TrainingConfig
from tests.support.tiny import (
    TINY_SD2,
    TINY_SD2_FOLDER,
    TINY_SDXL,
    TINY_SDXL_FOLDER,
    tiny_base,
    tiny_sd2_checkpoint,
    tiny_sd2_folder,
    tiny_sdxl_checkpoint,
    tiny_sdxl_folder,
)
from trainer.adapters.network import Network
from trainer.models.families.family import BaseModel
from trainer.models.families.sdxl import Sdxl
from trainer.models.families.stable_diffusion import Sd2
from trainer.models.families.unet_family import UNetFamily
from trainer.models.load import load_base_model
from trainer.training.step import Batch, training_loss

CPU = torch.device("cpu")
SDXL = Sdxl()
SECOND = "conditioner.embedders.1.model."
BASES: tuple[tuple[Callable[..., Path], UNetFamily, StableDiffusionStructure], ...] = (
    (tiny_sd2_checkpoint, Sd2(), TINY_SD2),
    (tiny_sdxl_checkpoint, Sdxl(), TINY_SDXL),
    (tiny_sd2_folder, Sd2(), TINY_SD2_FOLDER),
    (tiny_sdxl_folder, Sdxl(), TINY_SDXL_FOLDER),
)


@pytest.fixture(scope="module")
def base() -> BaseModel:
    return tiny_base(SDXL, TINY_SDXL)


def load(path: Path, family: str = "sdxl", prediction: Any = "epsilon") -> BaseModel:
    model = ModelConfig(path=str(path), family=family, prediction=prediction)
    return load_base_model(model, dtype=torch.float32, vae_dtype=torch.float32, device=CPU)


def changed(path: Path, change: Callable[[dict[str, Tensor]], object]) -> Path:
    state = load_file(path)
    change(state)
    save_file({name: tensor.contiguous() for name, tensor in state.items()}, path)
    return path


def states(base: BaseModel) -> list[dict[str, Tensor]]:
    return [network.state_dict() for network in (base.denoiser, base.vae, *base.text_encoders)]


@pytest.mark.parametrize(("make", "family", "structure"), BASES, ids=lambda one: getattr(one, "__name__", ""))
def test_every_weight_is_in_its_place(
    tmp_path: Path, make: Callable[..., Path], family: UNetFamily, structure: StableDiffusionStructure
) -> None:
    path = make(tmp_path, seed=3, dtype=torch.float32, **_same_bias(make))
    found = load(path, family.name, structure.prediction or "epsilon")

    wanted = tiny_base(family, structure, seed=3)
    for one, other in zip(states(found), states(wanted), strict=True):
        assert one.keys() == other.keys()
        assert all(torch.equal(one[name], other[name]) for name in one)
    assert found.structure == structure
    assert found.notes == ()
    assert [tokenizer.pad for tokenizer in found.tokenizers][-1] == 0
    networks = (found.denoiser, found.vae, *found.text_encoders)
    assert not any(p.requires_grad or p.is_meta for network in networks for p in network.parameters())
    assert not any(b.is_meta for network in networks for b in network.buffers())


def _same_bias(make: Callable[..., Path]) -> dict[str, str]:
    """SD2's checkpoint for epsilon is the one whose weights nothing is done to."""
    return {"prediction": "epsilon"} if make is tiny_sd2_checkpoint else {}


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_sd2s_prediction_is_told_by_its_weights(tmp_path: Path, prediction: str) -> None:
    assert load(tiny_sd2_checkpoint(tmp_path, prediction=prediction), "sd2").prediction == prediction


def test_the_marks_of_a_v_prediction_model_are_read_and_not_complained_of(tmp_path: Path) -> None:
    base = load(tiny_sdxl_checkpoint(tmp_path, marks=("v_pred", "ztsnr")), prediction="v_prediction")

    assert (base.prediction, base.notes) == ("v_prediction", ())


def test_training_for_another_prediction_than_the_models_is_told(tmp_path: Path) -> None:
    (note,) = load(tiny_sdxl_checkpoint(tmp_path, marks=("v_pred",))).notes

    assert note.startswith("the base model predicts v_prediction (the key v_pred) and is trained for epsilon")


def test_open_clip_weights_are_those_of_diffusers_own_conversion(tmp_path: Path) -> None:
    from diffusers.loaders.single_file_utils import convert_open_clip_checkpoint
    from transformers import CLIPTextConfig, CLIPTextModelWithProjection

    path = tiny_sdxl_checkpoint(tmp_path, dtype=torch.float32)
    # diffusers takes the projection's width for the width of q, k and v.
    state = {name: one for name, one in load_file(path).items() if not name.endswith("text_projection")}
    empty = CLIPTextModelWithProjection(CLIPTextConfig(hidden_size=48, num_hidden_layers=3, num_attention_heads=4))
    state[f"{SECOND}text_projection"] = torch.zeros(48, 48)

    wanted = convert_open_clip_checkpoint(empty, state, prefix=SECOND)
    found = load(path).text_encoders[1].state_dict()

    names = [name for name in found if name != "text_projection.weight"]
    assert len(names) > 50
    assert all(torch.equal(found[name], wanted[name]) for name in names)


def test_a_projection_as_diffusers_writes_it_is_taken_as_it_is(tmp_path: Path) -> None:
    path = tiny_sdxl_checkpoint(tmp_path, dtype=torch.float32)
    wanted = load(path).text_encoders[1].text_projection.weight.clone()

    def turn(state: dict[str, Tensor]) -> None:
        state[f"{SECOND}text_projection.weight"] = state.pop(f"{SECOND}text_projection").t()

    assert torch.equal(load(changed(path, turn)).text_encoders[1].text_projection.weight, wanted)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop(f"{SECOND}transformer.resblocks.1.attn.in_proj_weight"), r"lacks .*in_proj_weight"),
        (lambda state: state.pop(f"{SECOND}text_projection"), r"lacks .*text_projection"),
        (lambda state: state.update({f"{SECOND}transformer.resblocks.1.new": torch.ones(1)}), "no place for"),
        (
            lambda state: state.update({f"{SECOND}transformer.resblocks.1.attn.in_proj_bias": torch.ones(7)}),
            r"in_proj_bias has the shape",
        ),
        (lambda state: state.update({f"{SECOND}ln_final.bias": torch.ones(())}), r"ln_final\.bias has the shape"),
    ],
)
def test_a_damaged_text_encoder_is_told(tmp_path: Path, change: Any, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        load(changed(tiny_sdxl_checkpoint(tmp_path), change))


def test_text_states_and_pooled_text_are_transformers_own(base: BaseModel) -> None:
    first, second = base.text_encoders
    ids = SDXL.tokenize(base, ["a photo of a cat", ""])
    # transformers finds the end mark by the number in its configuration.
    second.config.eos_token_id = second.text_model.eos_token_id = base.tokenizers[1].end

    with torch.no_grad():
        one = first(ids[0][:, 0], output_hidden_states=True).hidden_states[-2]
        other = second(ids[1][:, 0], output_hidden_states=True)
        found = SDXL.encode_text(base, ids, clip_skip=2)

    torch.testing.assert_close(found["states"], torch.cat([one, other.hidden_states[-2]], dim=-1))
    torch.testing.assert_close(found["pooled"], other.text_embeds)


def test_of_several_chunks_the_first_gives_the_pooled_text(base: BaseModel) -> None:
    ids = SDXL.tokenize(base, ["tag, " * 60], chunks=3)

    with torch.no_grad():
        joined = SDXL.encode_text(base, ids)
        chunks = [SDXL.encode_text(base, [one[:, index : index + 1] for one in ids]) for index in range(3)]

    assert joined["states"].shape == (1, 227, 80)
    torch.testing.assert_close(joined["states"][:, 76:151], chunks[1]["states"][:, 1:76])
    torch.testing.assert_close(joined["pooled"], chunks[0]["pooled"])


def test_the_first_tokenizer_fills_up_with_end_marks_and_the_second_with_zeros(base: BaseModel) -> None:
    first, second = SDXL.tokenize(base, ["a cat"])

    assert first[0, 0, :6].tolist() == [49406, 320, 2368, 49407, 49407, 49407]
    assert second[0, 0, :6].tolist() == [49406, 320, 2368, 49407, 0, 0]


def test_without_sizes_a_whole_picture_is_assumed(base: BaseModel) -> None:
    ids = SDXL.tokenize(base, ["a", "b"])
    noisy, times = torch.randn(2, 4, 8, 16, generator=torch.Generator().manual_seed(0)), torch.tensor([1, 999])
    whole = torch.tensor([[64.0, 128, 0, 0, 64, 128]] * 2)

    with torch.no_grad():
        text = SDXL.encode_text(base, ids)
        plain, told, other = (SDXL.predict(base, noisy, times, text, sizes) for sizes in (None, whole, whole + 100))

    assert torch.equal(plain, told)
    assert not torch.equal(plain, other)


def test_layers_are_called_in_loras_as_in_single_files(base: BaseModel) -> None:
    path = "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_k"

    assert SDXL.name_in_lora(base, path) == "input_blocks.4.1.transformer_blocks.0.attn1.to_k"
    assert SDXL.name_in_lora(base, "up_blocks.0.upsamplers.0.conv") == "output_blocks.2.2.conv"
    assert Sd2().name_in_lora(base, path) == path


@pytest.mark.parametrize("checkpointed", [False, True])
def test_the_step_runs_on_fake_tensors(checkpointed: bool) -> None:
    config = TrainingConfig(
        model=ModelConfig(path="x", family="sdxl"), dataset=DatasetConfig(images="x"), saving=SavingConfig(name="x")
    )
    with FakeTensorMode():
        base = SDXL.build(TINY_SDXL, dtype=torch.bfloat16, vae_dtype=torch.float32, device=CPU)
        network = Network.attach(base, NetworkConfig(rank=4), text_encoder=True)
        if checkpointed:
            base.family.enable_gradient_checkpointing(base, text_encoder=True)
        latents, ones, ids = torch.empty(2, 4, 16, 16), torch.ones(2), torch.zeros(2, 3, 77, dtype=torch.int64)
        batch = Batch(
            latents, latents, torch.zeros(2, dtype=torch.int64), ones, ones, (ids, ids), sizes=torch.empty(2, 6)
        )
        training_loss(base, network, batch, config).backward()

    unused = {name for name, one in network.layers.items() if any(p.grad is None for p in one.parameters())}
    assert unused == {name for name in network.names if name.startswith("lora_te1_text_model_encoder_layers_2_")}

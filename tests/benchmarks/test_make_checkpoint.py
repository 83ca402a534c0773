from __future__ import annotations

import pytest
import torch

from benchmarks.make_checkpoint import checkpoint_shapes, random_weight
from tests.support import ldm_layout


@pytest.fixture(scope="module")
def shapes() -> dict[str, tuple[int, ...]]:
    return checkpoint_shapes()


@pytest.mark.parametrize(
    ("prefix", "count"),
    # The text encoder's 197th is position_ids, which is no weight.
    [("model.diffusion_model.", 686), ("first_stage_model.", 248), ("cond_stage_model.transformer.", 196)],
)
def test_it_has_as_many_weights_as_public_sd15_files(
    shapes: dict[str, tuple[int, ...]], prefix: str, count: int
) -> None:
    assert sum(name.startswith(prefix) for name in shapes) == count


def test_its_names_and_shapes_are_those_of_public_files(shapes: dict[str, tuple[int, ...]]) -> None:
    unet, vae, text = "model.diffusion_model.", "first_stage_model.", "cond_stage_model.transformer.text_model."
    known = {
        f"{unet}input_blocks.0.0.weight": (320, 4, 3, 3),
        f"{unet}input_blocks.3.0.op.weight": (320, 320, 3, 3),
        f"{unet}input_blocks.4.0.skip_connection.weight": (640, 320, 1, 1),
        f"{unet}input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight": (320, 768),
        f"{unet}input_blocks.1.1.proj_in.weight": (320, 320, 1, 1),
        f"{unet}middle_block.1.transformer_blocks.0.ff.net.0.proj.weight": (10240, 1280),
        f"{unet}output_blocks.2.1.conv.weight": (1280, 1280, 3, 3),
        f"{unet}output_blocks.5.2.conv.weight": (1280, 1280, 3, 3),
        f"{unet}output_blocks.11.0.in_layers.2.weight": (320, 640, 3, 3),
        f"{unet}time_embed.2.weight": (1280, 1280),
        f"{unet}out.2.weight": (4, 320, 3, 3),
        f"{vae}encoder.mid.attn_1.q.weight": (512, 512, 1, 1),
        f"{vae}encoder.down.0.downsample.conv.weight": (128, 128, 3, 3),
        f"{vae}decoder.up.3.upsample.conv.weight": (512, 512, 3, 3),
        f"{vae}decoder.up.1.block.0.nin_shortcut.weight": (256, 512, 1, 1),
        f"{vae}quant_conv.weight": (8, 8, 1, 1),
        f"{text}embeddings.token_embedding.weight": (49408, 768),
        f"{text}encoder.layers.11.mlp.fc1.weight": (3072, 768),
        f"{text}final_layer_norm.bias": (768,),
    }

    assert {name: shapes.get(name) for name in known} == known


def test_norms_are_near_1() -> None:
    weight = random_weight("x.norm.weight", (1000,), torch.Generator().manual_seed(0))

    assert weight.float().mean() == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize(("name", "layout"), [("sd2", ldm_layout.sd2()), ("sdxl", ldm_layout.sdxl())])
def test_sd2_and_sdxl_are_laid_out_as_public_files(name: str, layout: ldm_layout.Layout) -> None:
    shapes = checkpoint_shapes(name)

    wanted = {key: shape for key, shape in layout.items() if not key.endswith("position_ids")}
    assert shapes == wanted


def test_an_sdxl_file_has_as_many_tensors_as_the_public_one() -> None:
    # The 2515th is position_ids, which is no weight.
    assert len(checkpoint_shapes("sdxl")) == 2514

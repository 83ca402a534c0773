from __future__ import annotations

import pytest

from advisor.families import family
from advisor.families.ldm import clip_heads, heads_of_64
from advisor.families.stable_diffusion import StableDiffusionStructure
from tests.support import ldm_layout
from tests.support.headers import infos


def structure(name: str, layout: ldm_layout.Layout) -> StableDiffusionStructure | None:
    reader = family(name).read_structure
    assert reader is not None
    found = reader(infos(layout))
    assert found is None or isinstance(found, StableDiffusionStructure)
    return found


def tiny_sd1() -> ldm_layout.Layout:
    net = ldm_layout.unet((32, 64, 64, 64), (1, 1, 1, 0), context=64)
    return {
        **ldm_layout.under("model.diffusion_model.", net),
        **ldm_layout.under("first_stage_model.", ldm_layout.vae((32, 32, 32, 32))),
        **ldm_layout.under("cond_stage_model.transformer.", ldm_layout.clip(64, 4)),
    }


def test_the_layouts_have_the_published_numbers_of_tensors() -> None:
    assert [len(part) for part in (ldm_layout.unet(), ldm_layout.vae(), ldm_layout.clip())] == [686, 248, 197]


@pytest.mark.parametrize("name", ["sd1", "sd2", "sdxl"])
def test_a_full_size_file_has_the_published_measures(name: str) -> None:
    assert structure(name, getattr(ldm_layout, name)()) == family(name).standard


def test_a_tiny_file_has_its_own_measures() -> None:
    found = structure("sd1", tiny_sd1())

    assert found is not None
    assert found.unet.block_out_channels == (32, 64, 64, 64)
    assert found.unet.cross_attention_dim == 64
    assert found.unet.heads == (8, 8, 8, 8)
    assert (found.text[0].width, found.text[0].layers, found.text[0].heads) == (64, 4, 4)
    assert found.vae.block_out_channels == (32, 32, 32, 32)
    assert found.vae.latent_channels == 4


def test_a_vae_without_attention_is_seen() -> None:
    layout = {
        **{name: shape for name, shape in tiny_sd1().items() if not name.startswith("first_stage_model.")},
        **ldm_layout.under("first_stage_model.", ldm_layout.vae((16, 32), latent=8, layers=1, attention=False)),
    }
    found = structure("sd1", layout)

    assert found is not None
    assert not found.vae.mid_attention
    assert (found.vae.latent_channels, found.vae.layers_per_block, found.vae.factor) == (8, 1, 2)


def test_text_keys_without_text_model_are_known() -> None:
    layout = {name.replace("text_model.", ""): shape for name, shape in ldm_layout.sd1().items()}

    assert structure("sd1", layout) == family("sd1").standard


def test_an_absent_vae_is_the_familys_own() -> None:
    layout = {name: shape for name, shape in ldm_layout.sd1().items() if not name.startswith("first_stage_model.")}

    assert structure("sd1", layout) == family("sd1").standard


@pytest.mark.parametrize(
    "lost",
    [
        "model.diffusion_model.output_blocks.11.0.in_layers.2.weight",
        "model.diffusion_model.input_blocks.4.1.transformer_blocks.0.attn1.to_q.weight",
        "model.diffusion_model.middle_block.1.proj_in.weight",
        "model.diffusion_model.out.2.weight",
        "cond_stage_model.transformer.text_model.embeddings.token_embedding.weight",
        "first_stage_model.decoder.conv_in.weight",
    ],
)
def test_a_file_that_lacks_a_block_has_no_known_measures(lost: str) -> None:
    layout = {name: shape for name, shape in ldm_layout.sd1().items() if name != lost}

    assert structure("sd1", layout) is None


def test_a_stranger_block_makes_the_measures_unknown() -> None:
    layout = {**ldm_layout.sd1(), "model.diffusion_model.input_blocks.12.0.in_layers.2.weight": (1280, 1280, 3, 3)}

    assert structure("sd1", layout) is None


def test_heads_follow_the_width() -> None:
    assert [clip_heads(width) for width in (64, 128, 768, 1024, 1280)] == [4, 4, 12, 16, 20]
    assert [heads_of_64(width) for width in (32, 320, 640, 1280)] == [1, 5, 10, 20]

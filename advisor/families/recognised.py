"""Families that are named rightly and not trained yet: a table, one entry each. Flow matching unless said otherwise.

Tensors go by the names of each model's own code, or of diffusers where its single files are spread too.
"""

from __future__ import annotations

from advisor.families.family import Family
from advisor.families.signature import Signature

_FLUX = "double_blocks.0.img_attn.norm.key_norm.scale|double_blocks.0.img_attn.norm.key_norm.weight"
_FLUX_DIFFUSERS = "single_transformer_blocks.0.proj_mlp.weight"
_GUIDANCE = "guidance_in.in_layer.weight"
_CAPTION = "cap_embedder.1.weight"
_REFINER = "noise_refiner.0.attention.k_norm.weight"
_JOINT = "joint_blocks.0.context_block.attn.qkv.weight"
_COSMOS = "blocks.0.mlp.layer1.weight"
_WAN = "head.modulation"
_PATCH = "patch_embedding.weight"
_TEXT_IN = "txt_in.weight"
_MODULATION = "double_stream_modulation_img.lin.weight"

RECOGNISED = (
    Family(
        "cascade", "Stable Cascade", prediction="epsilon",
        signatures=(
            Signature(has=("clf.1.weight",), shapes={"clip_txt_mapper.weight": (2048, None)}, variant="c"),
            Signature(has=("clf.1.weight",), shapes={"clip_txt_mapper.weight": (1536, None)}, variant="c_lite"),
            Signature(has=("clf.1.weight", "clip_mapper.weight"), variant="b"),
            Signature(has=("clf.1.weight", "clip_txt_mapper.weight")),
        ),
        classes=("StableCascadeUNet",),
    ),
    Family(
        "sd3", "SD3",
        signatures=(
            Signature(has=(_JOINT, "*x_block.attn2.qkv.weight"), variant="3.5-medium"),
            Signature(has=(_JOINT,), shapes={"pos_embed": (1, 147456, 1536)}, variant="3.5-medium"),
            Signature(has=(_JOINT, "joint_blocks.37.x_block.attn.qkv.weight"), variant="3.5-large"),
            Signature(
                has=(_JOINT,), lacks=("joint_blocks.0.x_block.attn.ln_q.weight",),
                shapes={"pos_embed": (1, 36864, 1536)}, variant="medium",
            ),
            Signature(has=(_JOINT,)),
            Signature(has=("pos_embed.pos_embed", "transformer_blocks.0.norm1_context.linear.weight")),
        ),
        classes=("SD3Transformer2DModel",),
        version="sd3", lora_architecture="stable-diffusion-3/lora",
    ),
    Family(
        "chroma", "Chroma",
        signatures=(
            Signature(has=("distilled_guidance_layer.norms.0.scale", "nerf_blocks.*"), variant="radiance"),
            Signature(has=(_FLUX, "distilled_guidance_layer.norms.0.scale")),
            Signature(has=(_FLUX_DIFFUSERS, "distilled_guidance_layer.*")),
        ),
        classes=("ChromaTransformer2DModel",),
        version="chroma", lora_architecture="chroma/lora",
    ),
    Family(
        "flux3", "FLUX.3",
        signatures=(
            Signature(has=("early_stream_modulations.image.lin.weight", "ref_time_in.*"), variant="distilled"),
            Signature(has=("early_stream_modulations.image.lin.weight",)),
        ),
        classes=("Flux3Transformer2DModel",),
    ),
    Family(
        "flux2", "FLUX.2",
        signatures=(
            Signature(has=(_MODULATION,), shapes={_TEXT_IN: (None, 15360)}, variant="dev"),
            Signature(has=(_MODULATION,), shapes={_TEXT_IN: (None, 7680)}, variant="klein-4b"),
            Signature(has=(_MODULATION,), shapes={_TEXT_IN: (None, 12288)}, variant="klein-9b"),
            Signature(has=(_MODULATION,)),
            Signature(has=("double_stream_modulation_img.linear.weight",)),
        ),
        classes=("Flux2Transformer2DModel",),
    ),
    Family(
        "longcat", "LongCat-Image",
        signatures=(Signature(has=(_FLUX,), lacks=("vector_in.*", "txt_norm.*"), shapes={_TEXT_IN: (None, 3584)}),),
        classes=("LongCatImageTransformer2DModel",),
    ),
    Family(
        "ovis", "Ovis-Image",
        signatures=(Signature(has=("double_blocks.0.img_mlp.gate_proj.weight", "txt_norm.*")),),
        classes=("OvisImageTransformer2DModel",),
    ),
    Family(
        "flux1", "FLUX.1",
        signatures=(
            Signature(has=(_FLUX, "vector_in.*"), shapes={"img_in.weight": (None, 384)}, variant="fill"),
            Signature(has=(_FLUX, "vector_in.*"), shapes={"img_in.weight": (None, 128)}, variant="control"),
            Signature(has=(_FLUX, "vector_in.*", _GUIDANCE), variant="dev"),
            Signature(has=(_FLUX, "vector_in.*"), lacks=(_GUIDANCE,), variant="schnell"),
            Signature(
                has=(_FLUX_DIFFUSERS, "time_text_embed.guidance_embedder.linear_1.weight"),
                shapes={"x_embedder.weight": (None, 64)}, variant="dev",
            ),
            Signature(
                has=(_FLUX_DIFFUSERS, "transformer_blocks.0.norm1_context.linear.weight"),
                shapes={"x_embedder.weight": (None, 64)}, variant="schnell",
            ),
        ),
        classes=("FluxTransformer2DModel",),
        version="flux1", lora_architecture="flux-1-dev/lora",
    ),
    Family(
        "lumina2", "Lumina Image 2",
        signatures=(
            Signature(has=(_CAPTION, _REFINER, "clip_text_pooled_proj.0.weight"), variant="newbie"),
            Signature(has=(_CAPTION, _REFINER)),
        ),
        classes=("Lumina2Transformer2DModel",),
        version="lumina2", lora_architecture="lumina-2/lora",
    ),
    Family(
        "qwen_image_2", "Qwen-Image 2.1",
        signatures=(Signature(has=("txt_in.text_norm.weight",)),),
        classes=("QwenImage21Transformer2DModel",),
    ),
    Family(
        "qwen_image", "Qwen-Image",
        signatures=(
            Signature(
                has=("txt_norm.weight", "transformer_blocks.0.*", "__index_timestep_zero__"),
                variant="edit-2511",
            ),
            Signature(
                has=("txt_norm.weight", "transformer_blocks.0.*", "time_text_embed.addition_t_embedding*"),
                variant="layered",
            ),
            Signature(has=("txt_norm.weight", "transformer_blocks.0.*", "img_in.weight")),
        ),
        classes=("QwenImageTransformer2DModel",),
    ),
    Family(
        "cosmos2", "Cosmos-Predict2",
        signatures=(
            Signature(has=(_COSMOS,), shapes={"x_embedder.proj.1.weight": (2048, 68)}, variant="2b"),
            Signature(has=(_COSMOS,), shapes={"x_embedder.proj.1.weight": (5120, 68)}, variant="14b"),
            Signature(has=(_COSMOS,), shapes={"x_embedder.proj.1.weight": (None, 72)}, variant="video"),
            Signature(has=(_COSMOS, "x_embedder.proj.1.weight")),
        ),
        classes=("CosmosTransformer3DModel",),
    ),
    Family(
        "auraflow", "AuraFlow",
        signatures=(Signature(has=("double_layers.0.attn.w1q.weight",)),),
        classes=("AuraFlowTransformer2DModel",),
    ),
    Family(
        "sana", "Sana",
        signatures=(Signature(has=("t_block.1.weight", "attention_y_norm.weight")),),
        classes=("SanaTransformer2DModel",),
    ),
    Family(
        "pixart", "PixArt", prediction="epsilon",
        signatures=(
            Signature(has=("t_block.1.weight", "ar_embedder.mlp.0.weight"), variant="alpha-1024"),
            Signature(has=("t_block.1.weight",), lacks=("attention_y_norm.weight",)),
        ),
        classes=("PixArtTransformer2DModel",),
    ),
    Family(
        "hunyuan_dit", "HunyuanDiT", prediction="v_prediction",
        signatures=(
            Signature(has=("mlp_t5.0.weight",), shapes={"extra_embedder.0.weight": (None, 3968)}, variant="1.0-1.1"),
            Signature(has=("mlp_t5.0.weight",)),
        ),
        classes=("HunyuanDiT2DModel",),
    ),
    Family(
        "hunyuan_image", "HunyuanImage 2.1", native_px=2048,
        signatures=(
            Signature(
                has=("txt_in.individual_token_refiner.blocks.0.norm1.weight",),
                shapes={"img_in.proj.weight": (None, None, None, None)},
            ),
        ),
        classes=("HunyuanImageTransformer2DModel",),
        version="hunyuan-image-2.1", lora_architecture="hunyuan-image-2.1/lora",
    ),
    Family(
        "hunyuan_video", "HunyuanVideo",
        signatures=(
            Signature(
                has=("txt_in.individual_token_refiner.blocks.0.norm1.weight",),
                shapes={"img_in.proj.weight": (None, None, None, None, None)},
            ),
        ),
        classes=("HunyuanVideoTransformer3DModel",),
    ),
    Family(
        "wan", "Wan",
        signatures=(
            Signature(has=(_WAN, "img_emb.*"), shapes={_PATCH: (None, 36, None, None, None)}, variant="2.1-i2v"),
            Signature(has=(_WAN,), shapes={_PATCH: (None, 36, None, None, None)}, variant="2.2-i2v"),
            Signature(has=(_WAN,), shapes={_PATCH: (1536, None, None, None, None)}, variant="1.3b"),
            Signature(has=(_WAN,), shapes={_PATCH: (5120, 16, None, None, None)}, variant="t2v-14b"),
            Signature(has=(_WAN,), shapes={_PATCH: (3072, 48, None, None, None)}, variant="ti2v-5b"),
            Signature(has=(_WAN, _PATCH)),
        ),
        classes=("WanTransformer3DModel",),
    ),
    Family(
        "hidream", "HiDream",
        signatures=(Signature(has=("caption_projection.0.linear.weight",)),),
        classes=("HiDreamImageTransformer2DModel",),
    ),
    Family(
        "krea2", "Krea 2",
        signatures=(Signature(has=("txtfusion.projector.weight",)),),
        classes=("Krea2Transformer2DModel",),
    ),
    Family(
        "ideogram4", "Ideogram 4",
        signatures=(Signature(has=("embed_image_indicator.weight",)),),
        classes=("Ideogram4Transformer2DModel",),
    ),
    Family(
        "ernie_image", "Ernie-Image",
        signatures=(Signature(has=("layers.0.mlp.linear_fc2.weight",)),),
        classes=("ErnieImageTransformer2DModel",),
    ),
)  # fmt: skip
"""In the order in which they are tried: a family whose marks another's include comes first."""

"""Tensor names and shapes of single-file checkpoints, written out level by level as the original code builds them."""

from __future__ import annotations

from collections.abc import Sequence

Shape = tuple[int, ...]
Layout = dict[str, Shape]


def unet(
    widths: Sequence[int] = (320, 640, 1280, 1280),
    depths: Sequence[int] = (1, 1, 1, 0),
    *,
    context: int = 768,
    linear: bool = False,
    label: tuple[int, int] | None = None,
    inputs: int = 4,
    layers: int = 2,
    middle: int = 1,
) -> Layout:
    """A U-Net without prefix."""
    made: Layout = {}
    time = 4 * widths[0]

    def affine(name: str, *shape: int) -> None:
        made[f"{name}.weight"], made[f"{name}.bias"] = shape, (shape[0],)

    def residual(at: str, coming: int, going: int) -> None:
        made[f"{at}.in_layers.0.weight"] = made[f"{at}.in_layers.0.bias"] = (coming,)
        affine(f"{at}.in_layers.2", going, coming, 3, 3)
        affine(f"{at}.emb_layers.1", going, time)
        made[f"{at}.out_layers.0.weight"] = made[f"{at}.out_layers.0.bias"] = (going,)
        affine(f"{at}.out_layers.3", going, going, 3, 3)
        if coming != going:
            affine(f"{at}.skip_connection", going, coming, 1, 1)

    def attention(at: str, width: int, depth: int) -> None:
        affine(f"{at}.norm", width)
        affine(f"{at}.proj_in", width, width, *(() if linear else (1, 1)))
        for block in range(depth):
            here = f"{at}.transformer_blocks.{block}"
            for attn, source in (("attn1", width), ("attn2", context)):
                made[f"{here}.{attn}.to_q.weight"] = (width, width)
                made[f"{here}.{attn}.to_k.weight"] = made[f"{here}.{attn}.to_v.weight"] = (width, source)
                affine(f"{here}.{attn}.to_out.0", width, width)
            affine(f"{here}.ff.net.0.proj", 8 * width, width)
            affine(f"{here}.ff.net.2", width, 4 * width)
            for norm in ("norm1", "norm2", "norm3"):
                affine(f"{here}.{norm}", width)
        affine(f"{at}.proj_out", width, width, *(() if linear else (1, 1)))

    affine("time_embed.0", time, widths[0])
    affine("time_embed.2", time, time)
    if label:
        affine("label_emb.0.0", *label)
        affine("label_emb.0.2", time, label[0])
    affine("input_blocks.0.0", widths[0], inputs, 3, 3)
    skips, place, now = [widths[0]], 1, widths[0]
    for level, (width, depth) in enumerate(zip(widths, depths, strict=True)):
        for _ in range(layers):
            residual(f"input_blocks.{place}.0", now, width)
            if depth:
                attention(f"input_blocks.{place}.1", width, depth)
            now, place = width, place + 1
            skips.append(width)
        if level < len(widths) - 1:
            affine(f"input_blocks.{place}.0.op", width, width, 3, 3)
            place += 1
            skips.append(width)
    residual("middle_block.0", now, now)
    attention("middle_block.1", now, middle)
    residual("middle_block.2", now, now)
    place = 0
    for level in reversed(range(len(widths))):
        width, depth = widths[level], depths[level]
        for layer in range(layers + 1):
            residual(f"output_blocks.{place}.0", now + skips.pop(), width)
            if depth:
                attention(f"output_blocks.{place}.1", width, depth)
            if level and layer == layers:
                affine(f"output_blocks.{place}.{2 if depth else 1}.conv", width, width, 3, 3)
            now, place = width, place + 1
    affine("out.0", now)
    affine("out.2", 4, now, 3, 3)
    return made


def clip(width: int = 768, layers: int = 12, *, vocab: int = 49408, positions: int = 77, mlp: int = 0) -> Layout:
    """A text encoder as transformers names it, from `text_model.` on."""
    mlp = mlp or 4 * width
    made: Layout = {
        "text_model.embeddings.position_ids": (1, positions),
        "text_model.embeddings.token_embedding.weight": (vocab, width),
        "text_model.embeddings.position_embedding.weight": (positions, width),
    }
    parts: list[tuple[str, tuple[int, ...]]] = [
        (f"self_attn.{name}", (width, width)) for name in ("q_proj", "k_proj", "v_proj", "out_proj")
    ]
    parts += [
        ("mlp.fc1", (mlp, width)),
        ("mlp.fc2", (width, mlp)),
        ("layer_norm1", (width,)),
        ("layer_norm2", (width,)),
    ]
    for layer in range(layers):
        for name, shape in parts:
            made[f"text_model.encoder.layers.{layer}.{name}.weight"] = shape
            made[f"text_model.encoder.layers.{layer}.{name}.bias"] = shape[:1]
    made["text_model.final_layer_norm.weight"] = made["text_model.final_layer_norm.bias"] = (width,)
    return made


def open_clip(width: int = 1024, layers: int = 24, *, projection: int = 1024) -> Layout:
    """A text encoder as OpenCLIP names it."""
    made: Layout = {
        "positional_embedding": (77, width),
        "token_embedding.weight": (49408, width),
        "text_projection": (width, projection),
        "logit_scale": (),
        "ln_final.weight": (width,),
        "ln_final.bias": (width,),
    }
    for layer in range(layers):
        at = f"transformer.resblocks.{layer}"
        made[f"{at}.attn.in_proj_weight"], made[f"{at}.attn.in_proj_bias"] = (3 * width, width), (3 * width,)
        shapes = (
            ("attn.out_proj", (width, width)),
            ("mlp.c_fc", (4 * width, width)),
            ("mlp.c_proj", (width, 4 * width)),
            ("ln_1", (width,)),
            ("ln_2", (width,)),
        )
        for name, shape in shapes:
            made[f"{at}.{name}.weight"], made[f"{at}.{name}.bias"] = shape, shape[:1]
    return made


def vae(
    widths: Sequence[int] = (128, 256, 512, 512), *, latent: int = 4, layers: int = 2, attention: bool = True
) -> Layout:
    """A VAE without prefix."""
    made: Layout = {}

    def affine(name: str, *shape: int) -> None:
        made[f"{name}.weight"], made[f"{name}.bias"] = shape, (shape[0],)

    def residual(at: str, coming: int, going: int) -> None:
        affine(f"{at}.norm1", coming)
        affine(f"{at}.conv1", going, coming, 3, 3)
        affine(f"{at}.norm2", going)
        affine(f"{at}.conv2", going, going, 3, 3)
        if coming != going:
            affine(f"{at}.nin_shortcut", going, coming, 1, 1)

    def middle(at: str, width: int) -> None:
        residual(f"{at}.mid.block_1", width, width)
        if attention:
            affine(f"{at}.mid.attn_1.norm", width)
            for name in ("q", "k", "v", "proj_out"):
                affine(f"{at}.mid.attn_1.{name}", width, width, 1, 1)
        residual(f"{at}.mid.block_2", width, width)

    top, now = widths[-1], widths[0]
    affine("encoder.conv_in", now, 3, 3, 3)
    for level, width in enumerate(widths):
        for layer in range(layers):
            residual(f"encoder.down.{level}.block.{layer}", now, width)
            now = width
        if level < len(widths) - 1:
            affine(f"encoder.down.{level}.downsample.conv", width, width, 3, 3)
    middle("encoder", top)
    affine("encoder.norm_out", top)
    affine("encoder.conv_out", 2 * latent, top, 3, 3)
    affine("decoder.conv_in", top, latent, 3, 3)
    middle("decoder", top)
    now = top
    for level in reversed(range(len(widths))):
        for layer in range(layers + 1):
            residual(f"decoder.up.{level}.block.{layer}", now, widths[level])
            now = widths[level]
        if level:
            affine(f"decoder.up.{level}.upsample.conv", now, now, 3, 3)
    affine("decoder.norm_out", now)
    affine("decoder.conv_out", 3, now, 3, 3)
    affine("quant_conv", 2 * latent, 2 * latent, 1, 1)
    affine("post_quant_conv", latent, latent, 1, 1)
    return made


def under(prefix: str, layout: Layout) -> Layout:
    """The same tensors with `prefix` before their names."""
    return {prefix + name: shape for name, shape in layout.items()}


def sd1(*, inputs: int = 4) -> Layout:
    """SD1.5, whole."""
    return {
        **under("model.diffusion_model.", unet(inputs=inputs)),
        **under("first_stage_model.", vae()),
        **under("cond_stage_model.transformer.", clip()),
    }


def sd2() -> Layout:
    """SD2.1, whole."""
    return {
        **under("model.diffusion_model.", unet(context=1024, linear=True)),
        **under("first_stage_model.", vae()),
        **under("cond_stage_model.model.", open_clip()),
    }


def sdxl(depths: Sequence[int] = (0, 2, 10)) -> Layout:
    """SDXL base, whole; `depths` for the distilled ones."""
    net = unet((320, 640, 1280), depths, context=2048, linear=True, label=(1280, 2816), middle=depths[-1])
    return {
        **under("model.diffusion_model.", net),
        **under("first_stage_model.", vae()),
        **under("conditioner.embedders.0.transformer.", clip()),
        **under("conditioner.embedders.1.model.", open_clip(1280, 32, projection=1280)),
    }

"""What SD1, SD2 and SDXL have in common: one U-Net, one or two CLIPs, one VAE, of any size.

Letters: B images in a batch, C latent channels, H and W latent height and width, L tokens in one chunk, K chunks,
T text states (L, or all chunks joined), D their width, P the width of the pooled text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from advisor.checkpoints.identity import Identity
from advisor.families.stable_diffusion import StableDiffusionStructure, TextStructure
from advisor.families.structure import LoraTarget
from advisor.settings.config import ModelConfig, QuantisedDtype
from trainer.models.build import asset_config, build_text_encoder, build_unet, build_vae, building, refusing_impossible
from trainer.models.checkpointing import checkpoint_first
from trainer.models.clip_text import num_used_layers, text_states
from trainer.models.diffusers_folder import load_network, load_text_encoder, own_config
from trainer.models.families.family import AdaptedWith, BaseModel, Conditioning
from trainer.models.prompt_weights import num_tokens, weighted_ids, weighted_states
from trainer.models.single_file import Networks, SingleFileLayout, load_single_file
from trainer.models.tokenizer import Tokenizer, clip_tokenizer, load_tokenizer
from trainer.models.vae import load_vae
from trainer.models.vocabulary import END

Configs = Mapping[str, Mapping[str, Any]]
STATES, POOLED = "states", "pooled"
"""The conditioning's tensors: [B, T, D] in the denoiser's dtype, and [B, P] where the family has it."""


@dataclass(frozen=True)
class TextPart:
    """A text encoder of a family and its tokenizer."""

    encoder: str = "text_encoder"
    """Its subfolder in a diffusers folder, and its configuration in this package."""
    tokenizer: str = "tokenizer"
    """The tokenizer's subfolder."""
    pad: str = END
    """What captions are filled up with."""
    projected: bool = False
    """It also makes one vector of a whole caption."""


@dataclass(frozen=True)
class UNetFamily:
    """How such a family is loaded and called."""

    name: str
    layout: SingleFileLayout
    text_parts: tuple[TextPart, ...] = (TextPart(),)
    text_version: str = ""

    @property
    def trains_text_encoders(self) -> bool:
        """CLIPs can have adapters."""
        return True

    def build(
        self, structure: StableDiffusionStructure, *, dtype: torch.dtype, vae_dtype: torch.dtype, device: torch.device
    ) -> BaseModel:
        """The networks without weights worth having."""
        base = self._built(structure, self._configs(None), dtype=dtype, vae_dtype=vae_dtype, device=device)
        for network in (base.denoiser, base.vae, *base.text_encoders):
            network.requires_grad_(False)
            network.eval()
        return replace(base, tokenizers=tuple(self._clip_tokenizers(structure)))

    def load(
        self,
        model: ModelConfig,
        identity: Identity,
        *,
        dtype: torch.dtype,
        vae_dtype: torch.dtype,
        device: torch.device,
        quantised: QuantisedDtype | None = None,
    ) -> BaseModel:
        """The networks with the file's weights."""
        assert isinstance(identity.structure, StableDiffusionStructure)
        path, structure = Path(model.path), identity.structure
        folder = path if identity.layout == "diffusers" else None
        meta = torch.device("meta")
        configs = self._configs(folder)
        with refusing_impossible(path):
            base = self._built(structure, configs, dtype=dtype, vae_dtype=vae_dtype, device=meta)
        notes: tuple[str, ...] = ()
        with_vae = model.vae_path is None
        if folder is None:
            networks = Networks(base.denoiser, base.vae, base.text_encoders)
            notes = load_single_file(
                networks, path, structure, self.layout, dtype=dtype, vae_dtype=vae_dtype, device=device,
                with_vae=with_vae, quantised=quantised,
            )  # fmt: skip
            tokenizers = tuple(self._clip_tokenizers(structure))
        else:
            load_network(base.denoiser, folder / "unet", dtype=dtype, device=device, quantised=quantised)
            for part, encoder in zip(self.text_parts, base.text_encoders, strict=True):
                load_text_encoder(encoder, folder / part.encoder, dtype=dtype, device=device)
            if with_vae:
                load_network(base.vae, folder / "vae", dtype=vae_dtype, device=device)
            tokenizers = tuple(self._folders_tokenizers(folder, structure))
        if model.vae_path is not None:
            load_vae(base.vae, Path(model.vae_path), structure.vae, dtype=vae_dtype, device=device)
        prediction = identity.prediction or base.prediction
        return replace(
            base, tokenizers=tokenizers, prediction=prediction, notes=notes + _contradiction(model, identity)
        )

    def blank_tokens(self, structure: StableDiffusionStructure, count: int, *, chunks: int = 1) -> tuple[Tensor, ...]:
        """Numbers of so many chunks of each text encoder's length."""
        return tuple(torch.zeros(count, chunks, text.max_positions, dtype=torch.int64) for text in structure.text)

    def tokenize(self, base: BaseModel, captions: Sequence[str], *, chunks: int = 1) -> tuple[Tensor, ...]:
        """Token numbers [B, K, L] on the CPU, one tensor for each text encoder."""
        return tuple(tokenizer(captions, chunks) for tokenizer in base.tokenizers)

    def tokenize_weighted(
        self, base: BaseModel, captions: Sequence[str], *, chunks: int = 1
    ) -> tuple[tuple[Tensor, ...], Tensor]:
        """Token numbers [B, K, L] for each text encoder, and the weights [B, T], which are the same for all of them."""
        return weighted_ids(base.tokenizers, captions, chunks)

    def num_tokens_too_long(self, base: BaseModel, caption: str, *, chunks: int, weighted: bool) -> int:
        """How many tokens a caption has that is longer than so many chunks; 0 where it is not."""
        too_long = [0]
        for tokenizer in base.tokenizers:
            number = num_tokens(tokenizer, caption, weighted=weighted)
            if number > chunks * (tokenizer.length - 2):
                too_long.append(number)
        return max(too_long)

    def encode_text(
        self, base: BaseModel, token_ids: Sequence[Tensor], *, clip_skip: int = 1, weights: Tensor | None = None
    ) -> Conditioning:
        """The states [B, T, D] of token numbers [B, K, L], chunks joined."""
        (ids,) = token_ids
        states = text_states(base.text_encoders[0], ids, clip_skip=clip_skip)
        return Conditioning({STATES: weighted_states(states, weights)})

    def latent_shape(self, structure: StableDiffusionStructure, width_px: int, height_px: int) -> tuple[int, ...]:
        """[C, H, W]."""
        vae = structure.vae
        return vae.latent_channels, height_px // vae.factor, width_px // vae.factor

    def predict(
        self, base: BaseModel, noisy: Tensor, times: Tensor, text: Conditioning, sizes: Tensor | None = None
    ) -> Tensor:
        """The denoiser's output [B, C, H, W] for latents [B, C, H, W] at timesteps [B] in 0..999."""
        out: Tensor = base.denoiser(
            noisy,
            times,
            encoder_hidden_states=text[STATES],
            added_cond_kwargs=self._added(base, noisy, text, sizes),
            return_dict=False,
        )[0]
        return out

    def encode_images(self, base: BaseModel, images: Tensor, generator: torch.Generator | None) -> Tensor:
        """Scaled latents [B, C, H, W] in float32 of images [B, 3, h, w] in -1..1."""
        with torch.no_grad():
            distribution = base.vae_distribution(images)
            latents: Tensor = distribution.mean.float()
            if generator is not None:
                noise = torch.randn(latents.shape, generator=generator).to(latents.device)
                latents = latents + distribution.std.float() * noise
            scaled: Tensor = latents * base.structure.vae.scaling_factor
            return scaled

    def decode_latents(self, base: BaseModel, latents: Tensor) -> Tensor:
        """Images [B, 3, h, w] in float32, -1..1, of scaled latents [B, C, H, W]."""
        with torch.no_grad():
            return base.vae_images(latents.float() / base.structure.vae.scaling_factor)

    def feature_block(self, base: BaseModel) -> nn.Module:
        """The decoder's second, which DIFT reads too (Tang et al. 2023, section 5: arxiv.org/abs/2306.03881)."""
        blocks = base.denoiser.up_blocks
        block: nn.Module = blocks[min(1, len(blocks) - 1)]
        return block

    def name_in_lora(self, base: BaseModel, path: str) -> str:  # noqa: ARG002
        """What LoRA files call the denoiser's layer at `path`: what diffusers calls it."""
        return path

    def adapted_with(self, path: str) -> AdaptedWith | None:
        """Attentions always; the convolutions are the wide kind."""
        if ".attentions." in path:
            return "always"
        return "wide" if any(f".{part}." in path for part in ("resnets", "downsamplers", "upsamplers")) else None

    def is_skipped(self, base: BaseModel, target: LoraTarget, clip_skip: int) -> bool:
        """Whether a layer of the text encoder is never reached with this clip skip."""
        return layer_number(target) >= num_used_layers(base.structure.text[0].layers, clip_skip)

    def enable_gradient_checkpointing(self, base: BaseModel, *, text_encoder: bool, blocks: int = 0) -> None:
        """From now on activations are computed a second time in the backward pass instead of kept."""
        unet = base.denoiser
        checkpoint_first(unet, (*unet.down_blocks, unet.mid_block, *unet.up_blocks), blocks)
        for encoder in base.text_encoders:
            encoder.is_checkpointed = text_encoder

    def _added(
        self, _base: BaseModel, _noisy: Tensor, _text: Conditioning, _sizes: Tensor | None
    ) -> dict[str, Tensor] | None:
        """The `added_cond_kwargs` of the denoiser; None where the family has none."""
        return None

    def _unet(self, structure: StableDiffusionStructure, config: Mapping[str, Any]) -> nn.Module:
        return build_unet(structure.unet, config)

    def _configs(self, folder: Path | None) -> dict[str, dict[str, Any]]:
        """Configurations by network: the package's, overridden by the folder's own JSON."""
        names = ("unet", "vae", *(part.encoder for part in self.text_parts))
        configs = {name: asset_config(self.name, name) for name in names}
        if folder is not None:
            configs = {name: own_config(config, folder / name / "config.json") for name, config in configs.items()}
        return configs

    def _built(
        self,
        structure: StableDiffusionStructure,
        configs: Configs,
        *,
        dtype: torch.dtype,
        vae_dtype: torch.dtype,
        device: torch.device,
    ) -> BaseModel:
        with building(device, dtype):
            unet = self._unet(structure, configs["unet"])
            text_encoders = tuple(
                build_text_encoder(text, configs[part.encoder], projected=part.projected)
                for part, text in self._texts(structure)
            )
        with building(device, vae_dtype):
            vae = build_vae(structure.vae, configs["vae"])
        prediction = structure.prediction or "epsilon"
        return BaseModel(self, structure, prediction, unet, text_encoders, (), vae)

    def _texts(self, structure: StableDiffusionStructure) -> Iterator[tuple[TextPart, TextStructure]]:
        yield from zip(self.text_parts, structure.text, strict=True)

    def _clip_tokenizers(self, structure: StableDiffusionStructure) -> Iterator[Tokenizer]:
        for part, text in self._texts(structure):
            yield clip_tokenizer(length=text.max_positions, pad=part.pad)

    def _folders_tokenizers(self, folder: Path, structure: StableDiffusionStructure) -> Iterator[Tokenizer]:
        for part, text in self._texts(structure):
            place = folder / part.tokenizer
            yield load_tokenizer(place, length=text.max_positions, pad=part.pad, vocab_size=text.vocab_size)


def _contradiction(model: ModelConfig, identity: Identity) -> tuple[str, ...]:
    """A v-prediction model trained as epsilon, or the other way round, gives no error, only empty images."""
    if identity.prediction in (None, model.prediction):
        return ()
    why = identity.prediction_reason or "by its header"
    return (
        f"the base model predicts {identity.prediction} ({why}) and is trained for {model.prediction}: pictures come "
        "out empty; mend model.prediction if that is no purpose of yours",
    )


def layer_number(target: LoraTarget) -> int:
    """Which layer of a text encoder, counted from 0."""
    return int(target.path.partition("encoder.layers.")[2].partition(".")[0])

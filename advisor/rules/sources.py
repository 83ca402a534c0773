"""Where the rules of thumb come from, and what stands there.

The pages of programs, notebooks and optimizers were opened in November 2026; of the papers it is what their abstracts
and those who apply them say.
"""

from __future__ import annotations

from collections.abc import Mapping

from advisor.plan import Source
from advisor.run_folder.paths import ANSWERS_NAME

TUTORIAL = Source(
    "SD Character LoRA Training Tutorial, part 2",
    "https://www.patreon.com/posts/90242265",
    "Medium or High configuration by 8 or 12 GB; batch 4 to 6; rate 1e-4, on AnyLoRA 6e-5 to 8e-5 for a character; "
    "text encoder half of it; 512 or 576 px; rank 32, 64 or 128 by pictures, less to stay flexible; alpha half of "
    "it, a power of two; half of the CPU's threads; checkpointing and smaller pictures where memory runs out; many "
    "epochs to choose from",
)
"""The kohya_ss tutorial for beginners that Loracle starts from."""

CIVITAI = Source(
    "civitai's on-site trainer, its default settings",
    "https://github.com/civitai/civitai/blob/main/src/components/Training/Form/TrainingParams.tsx",
    "U-Net 5e-4; text encoder 5e-5, anime 1e-4; rank 32 with alpha 16, anime 16 with 8, Pony 32 with 32; min-SNR 5,"
    " Pony 0; noise offset 0.1, Pony 0.03; clip skip 2 for anime, else 1; no flip, no shuffling; cosine with three "
    "restarts, Pony cosine; AdamW8bit with weight decay 0.1, SDXL Adafactor at a given rate, Pony Prodigy; ten epochs",
)
"""What most LoRAs of the largest host are trained with."""

COLAB = Source(
    "hollowstrawberry's kohya notebook for SD1.5",
    "https://github.com/hollowstrawberry/kohya-colab/blob/main/Lora_Trainer.ipynb",
    "U-Net 5e-4, text encoder 1e-4, off for a style if wished; rank 16 with alpha 8, convolutions of a LoCon 8 with"
    " 1; 512 px; 200 to 400 pictures times repeats; tags shuffled with one kept in front; flipped; cosine with "
    "three restarts, 5 % warm-up; LoCon is said to be great with art styles",
)
"""The most used notebook for SD1.5 LoRAs."""

COLAB_XL = Source(
    "hollowstrawberry's kohya notebook for SDXL",
    "https://github.com/hollowstrawberry/kohya-colab/blob/main/Lora_Trainer_XL.ipynb",
    "U-Net 3e-4, text encoder 6e-5, off for a style if wished; rank 8 with alpha 4, a style as LoCon 16 with 8, "
    "convolutions too; about 100 pictures times repeats; batch 4; tags shuffled with one kept in front; cosine with"
    " three restarts, 5 % warm-up; min-SNR 8; ten epochs or 2,000 steps",
)
"""The most used notebook for SDXL anime LoRAs."""

NOOBAI = Source(
    "motimalu's NoobAI training configuration",
    "https://github.com/motimalu/diffusion-training-configs/blob/main/sd-scripts/SDXL/prodigy-01-v-pred/prodigy-01-v-pred.toml",
    "Prodigy at rate 1 with rank 32 and alpha 32, cosine, min-SNR 5, no noise offset, v-prediction",
)
"""A published configuration for NoobAI's v-prediction branch, with Prodigy."""

SD_SCRIPTS_SDXL = Source(
    "sd-scripts on SDXL",
    "https://github.com/kohya-ss/sd-scripts/blob/main/docs/train_SDXL-en.md",
    "1024 px; training the U-Net alone is highly recommended, since with two text encoders results surprise; "
    "Adafactor with a fixed rate and a warm-up to a constant; 8 GB are enough for a LoRA of rank 4 to 8, 10 better;"
    " text encoder outputs can be kept where captions stay",
)
"""kohya's own advice for SDXL."""

SD_SCRIPTS_ADVANCED = Source(
    "sd-scripts, advanced settings for SDXL",
    "https://github.com/kohya-ss/sd-scripts/blob/main/docs/train_network_advanced.md",
    "for SDXL U-Net rates of 4e-5 to 1e-4 and text encoder rates of 1e-5 to 2e-5 are common starting points",
)
"""kohya's rates for SDXL."""

SD_SCRIPTS = Source(
    "sd-scripts, kohya's trainer",
    "https://github.com/kohya-ss/sd-scripts/blob/main/docs/train_network_advanced.md",
    "what its options mean and what holds where none is given",
)
"""What kohya's trainer does where nobody says otherwise."""

SD_SCRIPTS_ANIMA = Source(
    "sd-scripts, Anima",
    "https://github.com/kohya-ss/sd-scripts/blob/main/docs/anima_train_network.md",
    "what Qwen3 says of each caption is cached, so that it can be freed while the LoRA is trained; times as the "
    "sigmoid of a normal distribution, without a shift; 1e-4 with rank 8 and alpha 1 in its example; attention and MLP",
)
"""How kohya's trainer reads captions with a language model, and trains such a base."""

CIVITAI_ANIMA = Source(
    "civitai's on-site trainer, Anima",
    "https://github.com/civitai/civitai/blob/main/src/utils/training.ts",
    "1,500 steps at 1024 px; 8-bit AdamW at a constant 1e-4; rank 32 with alpha 32; the text encoder is not "
    "trained, no weight by the noise, no noise offset",
)
"""What most Anima LoRAs of the largest host are trained with."""

ANIMA_STUDIO = Source(
    "AnimaLoraStudio's training tips",
    "https://github.com/WalkingMeatAxolotl/AnimaLoraStudio/blob/main/docs/user-guide/training-tips.md",
    "rank 32; 5e-5 to 1e-4 for under a hundred pictures; tags in Anima's own order: quality and rating, how many, "
    "character, series, artist, then all else",
)
"""How those who train Anima most write its captions."""

COMFYUI_COSMOS = Source(
    "ComfyUI, Cosmos-Predict2's transformer",
    "https://github.com/comfyanonymous/ComfyUI/blob/master/comfy/ldm/cosmos/predict2.py",
    "the residual stream has values beyond float16's range, so it is kept in float32 there",
)
"""Why Anima is not computed in float16."""

MUSUBI_Z_IMAGE = Source(
    "musubi-tuner, Z-Image",
    "https://github.com/kohya-ss/musubi-tuner/blob/main/docs/zimage.md",
    "8-bit AdamW at 1e-4, rank 32, times as the sigmoid of a normal distribution with a shift of 2, attention and MLP "
    "of the blocks; Turbo needs a training adapter; guidance 4, counted without the prompt's own answer, for pictures",
)
"""How kohya's trainer for such models trains Z-Image."""

CIVITAI_Z_IMAGE = Source(
    "civitai's on-site trainer, Z-Image",
    "https://github.com/civitai/civitai/blob/main/src/utils/training.ts",
    "2,000 steps; rank 32 with alpha 32",
)
"""What most Z-Image LoRAs of the largest host are trained with."""

Z_IMAGE_MAKERS = Source(
    "Z-Image's makers",
    "https://github.com/Tongyi-MAI/Z-Image",
    "the base draws in 28 to 50 steps with a guidance of 3 to 5, and is the one to fine-tune; captions are sentences",
)
"""What the base was made for."""

COMFYUI_Z_IMAGE = Source(
    "ComfyUI, Z-Image",
    "https://github.com/comfyanonymous/ComfyUI/blob/master/comfy/supported_models.py",
    "computed in bfloat16 or float32; drawn with a shift of 3",
)
"""Why Z-Image is not computed in float16."""

KOHYA_GUI = Source(
    "kohya_ss, the tutorial's program",
    "https://github.com/bmaltais/kohya_ss",
    "the page of settings with its starting values; folders named N_name are repeated N times",
)
"""The settings page that the tutorial walks through."""

ONETRAINER = Source(
    "OneTrainer's training presets",
    "https://github.com/Nerogar/OneTrainer/tree/master/training_presets",
    "LoRA presets at 3e-4, batch 4, no average of the weights kept",
)
"""Another widely used trainer's starting points."""

V_PREDICTION = Source(
    "A1111 pull request 16567",
    "https://github.com/AUTOMATIC1111/stable-diffusion-webui/pull/16567",
    "the keys v_pred and ztsnr in a checkpoint mark v-prediction and zero terminal SNR",
)
"""How v-prediction bases are marked; kohya's issue 1772 tells what happens when the mark is missed."""

VAE_TILING = Source(
    "diffusers on tiled VAEs",
    "https://huggingface.co/docs/diffusers/optimization/memory#vae-tiling",
    "pictures are encoded and decoded in overlapping pieces that are blended; tones may differ a little between them",
)
"""What slices of a picture save, and what they cost."""

CHECKPOINTING_STUDY = Source(
    "SimpleTuner on gradient checkpointing",
    "https://github.com/bghira/SimpleTuner/blob/main/documentation/experimental/SEGMENTED_CHECKPOINTING.md",
    "activations are recomputed instead of kept; on an H100 at batch 1 a step of SD1.5 took 69 % longer, of SDXL 78 %",
)
"""Checkpointing's price where launching kernels bounds the step."""

NVIDIA = Source(
    "NVIDIA, CUDA C++ Programming Guide, compute capabilities",
    "https://docs.nvidia.com/cuda/cuda-c-programming-guide/#compute-capabilities",
    "bfloat16 is computed from compute capability 8.0 on",
)
"""Which card has which arithmetic."""

GTX16_NAN = Source(
    "PyTorch issue 58123",
    "https://github.com/pytorch/pytorch/issues/58123",
    "half precision gives NaN on GTX 16xx cards",
)
"""float16 gives NaN on GTX 16xx cards."""

MIN_SNR = Source(
    "Hang et al. 2023, Min-SNR weighting",
    "https://arxiv.org/abs/2303.09556",
    "the loss of nearly clean pictures is weighted down from a signal-to-noise ratio of 5 on; training converges "
    "faster",
)
"""The paper that the loss weight comes from."""

ZERO_SNR = Source(
    "Lin et al. 2023, flawed noise schedules",
    "https://arxiv.org/abs/2305.08891",
    "a schedule that ends in pure noise lets a model draw very dark and very light pictures, and needs v-prediction",
)
"""The paper that zero terminal SNR comes from."""

FLOW_MATCHING = Source(
    "Esser et al. 2024, scaling rectified flow transformers",
    "https://arxiv.org/abs/2403.03206",
    "a straight path from picture to noise, times drawn as the sigmoid of a normal distribution (mean 0, spread 1), "
    "and a plain square of the velocity's error without a weight by the noise",
)
"""The paper that flow matching models are trained after."""

NOISE_OFFSET = Source(
    "Guttenberg 2023, diffusion with offset noise",
    "https://www.crosslabs.org/blog/diffusion-with-offset-noise",
    "plain noise leaves a picture's mean brightness in place; a small shared offset teaches dark and light pictures",
)
"""Why plain noise cannot make a picture dark."""

ADAMW = Source(
    "Loshchilov and Hutter 2017, AdamW",
    "https://arxiv.org/abs/1711.05101",
    "weight decay apart from the gradient; 0.01 is what torch takes",
)
"""The optimizer and its weight decay."""

DORA = Source(
    "Liu et al. 2024, DoRA",
    "https://arxiv.org/abs/2402.09353",
    "a weight is split into lengths, one for each column, and directions, which LoRA changes",
)
"""Lengths by column."""

PRODIGY = Source(
    "Prodigy's own page",
    "https://github.com/konstmish/prodigy",
    "rate 1; no schedule or cosine; for diffusion models safeguard_warmup, use_bias_correction and weight decay 0.01",
)
"""How its authors run it."""

LION = Source(
    "Chen et al. 2023, Lion",
    "https://arxiv.org/abs/2302.06675",
    "section 5: a rate a third to a tenth of AdamW's, and a decay three to ten times as large",
)
"""How its authors run it."""

CAME = Source(
    "CAME's own page",
    "https://github.com/yangluo7/CAME",
    "used like AdamW: rate 2e-4 and weight decay 0.01 in its example",
)
"""How its authors run it."""

SCHEDULE_FREE = Source(
    "schedule-free's own page",
    "https://github.com/facebookresearch/schedule_free",
    "no learning rate schedule is needed; rates of one to ten times AdamW's work; a warm-up is recommended, by its "
    "own argument",
)
"""How its authors run it."""

LYCORIS = Source(
    "Yeh et al. 2023, LyCORIS",
    "https://arxiv.org/abs/2309.14859",
    "LoCon, LoHa and LoKr beside LoRA, and how rank and alpha scale what they learn",
)
"""The paper on alpha, rank and the other kinds of adapters."""

OURS = Source(
    "Loracle's own rules of thumb",
    "docs/decisions/0002-rules-of-our-own.md",
    "what no source gives a number for, or where sources differ: what we chose, and why",
)
"""What we settled ourselves, from the sources above."""

THE_USER = Source("your own choice", ANSWERS_NAME, "what you answered or gave as an option")
"""What the user chose; the run folder's record of it."""

THE_MACHINE = Source(
    "this machine, as its drivers describe it", "https://docs.nvidia.com/deploy/nvml-api/", "what the driver reported"
)
"""Read from the driver."""

THE_IMAGES = Source(
    "your folder of pictures, as scanned", "docs/decisions/0002-rules-of-our-own.md", "what lies in the folder"
)
"""Read from the data set."""

THE_MODEL = Source(
    "your base model's own header", "https://github.com/huggingface/safetensors#format", "what the file says of itself"
)
"""Read from the checkpoint."""

BY_TITLE: Mapping[str, Source] = {
    source.title: source
    for source in (
        TUTORIAL, CIVITAI, COLAB, COLAB_XL, NOOBAI, SD_SCRIPTS_SDXL, SD_SCRIPTS_ADVANCED, SD_SCRIPTS, SD_SCRIPTS_ANIMA,
        CIVITAI_ANIMA, ANIMA_STUDIO, COMFYUI_COSMOS,
        MUSUBI_Z_IMAGE, CIVITAI_Z_IMAGE, Z_IMAGE_MAKERS, COMFYUI_Z_IMAGE,
        KOHYA_GUI, ONETRAINER, V_PREDICTION, VAE_TILING, CHECKPOINTING_STUDY, NVIDIA,
        GTX16_NAN, MIN_SNR, ZERO_SNR, FLOW_MATCHING, NOISE_OFFSET, ADAMW, PRODIGY, LION, CAME, SCHEDULE_FREE, DORA,
        LYCORIS, OURS, THE_USER, THE_MACHINE, THE_IMAGES, THE_MODEL,
    )
}  # fmt: skip
"""All of them: what a plan from elsewhere names as its source is one of these, or is shown without a link."""

"""Where the rules of thumb come from."""

from __future__ import annotations

from advisor.plan import Source
from advisor.run_folder.paths import ANSWERS_NAME

TUTORIAL = Source("SD Character LoRA Training Tutorial, part 2", "https://www.patreon.com/posts/90242265")
"""The kohya_ss tutorial for beginners that Loracle starts from."""

CIVITAI = Source(
    "civitai's on-site trainer, its default settings",
    "https://github.com/civitai/civitai/blob/main/src/components/Training/Form/TrainingParams.tsx",
)
"""What most LoRAs of the largest host are trained with."""

COLAB = Source("hollowstrawberry's kohya notebooks", "https://github.com/hollowstrawberry/kohya-colab")
"""The most used notebooks for SD1.5 and SDXL anime LoRAs."""

NOOBAI = Source("NoobAI training configuration", "https://github.com/motimalu/diffusion-training-configs")
"""A published configuration for NoobAI and its v-prediction branch."""

SD_SCRIPTS_SDXL = Source(
    "sd-scripts, train_SDXL-en.md", "https://github.com/kohya-ss/sd-scripts/blob/main/docs/train_SDXL-en.md"
)
"""kohya's own advice for SDXL."""

SD_SCRIPTS = Source("sd-scripts, kohya's trainer", "https://github.com/kohya-ss/sd-scripts")
"""What kohya's trainer does where nobody says otherwise."""

KOHYA_GUI = Source("kohya_ss, the tutorial's program", "https://github.com/bmaltais/kohya_ss")
"""The settings page that the tutorial walks through."""

ONETRAINER = Source(
    "OneTrainer's training presets", "https://github.com/Nerogar/OneTrainer/tree/master/training_presets"
)
"""Another widely used trainer's starting points."""

V_PREDICTION = Source("A1111 pull request 16567", "https://github.com/AUTOMATIC1111/stable-diffusion-webui/pull/16567")
"""How v-prediction bases are marked; kohya's issue 1772 tells what happens when the mark is missed."""

CHECKPOINTING_STUDY = Source("SimpleTuner, SEGMENTED_CHECKPOINTING.md", "https://github.com/bghira/SimpleTuner")
"""Checkpointing's real price: +69 % time on SD1.5, +78 % on SDXL."""

NVIDIA = Source(
    "NVIDIA, CUDA C++ Programming Guide, compute capabilities",
    "https://docs.nvidia.com/cuda/cuda-c-programming-guide/#compute-capabilities",
)
"""Which card has which arithmetic."""

GTX16_NAN = Source("PyTorch issue 58123", "https://github.com/pytorch/pytorch/issues/58123")
"""float16 gives NaN on GTX 16xx cards."""

MIN_SNR = Source("Hang et al. 2023, Min-SNR weighting", "https://arxiv.org/abs/2303.09556")
"""The paper that the loss weight comes from."""

ZERO_SNR = Source("Lin et al. 2023, flawed noise schedules", "https://arxiv.org/abs/2305.08891")
"""The paper that zero terminal SNR comes from."""

NOISE_OFFSET = Source(
    "Guttenberg 2023, diffusion with offset noise", "https://www.crosslabs.org/blog/diffusion-with-offset-noise"
)
"""Why plain noise cannot make a picture dark."""

ADAMW = Source("Loshchilov and Hutter 2017, AdamW", "https://arxiv.org/abs/1711.05101")
"""The optimizer and its weight decay."""

DORA = Source("Liu et al. 2024, DoRA", "https://arxiv.org/abs/2402.09353")
"""Lengths by column."""

LYCORIS = Source("Yeh et al. 2023, LyCORIS", "https://arxiv.org/abs/2309.14859")
"""The paper on alpha, rank and the other kinds of adapters."""


OURS = Source("Loracle's own rules of thumb", "docs/decisions/0002-rules-of-our-own.md")
"""What we settled ourselves, from the sources above."""

THE_USER = Source("your own choice", ANSWERS_NAME)
"""What the user chose; the run folder's record of it."""

THE_MACHINE = Source("this machine, as its drivers describe it", "https://docs.nvidia.com/deploy/nvml-api/")
"""Read from the driver."""

THE_IMAGES = Source("your folder of pictures, as scanned", "docs/decisions/0002-rules-of-our-own.md")
"""Read from the data set."""

THE_MODEL = Source("your base model's own header", "https://github.com/huggingface/safetensors#format")
"""Read from the checkpoint."""

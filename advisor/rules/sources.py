"""Where the rules of thumb come from."""

from __future__ import annotations

from advisor.plan import Source

TUTORIAL = Source("SD Character LoRA Training Tutorial, part 2", "https://rentry.org/lora_train")
"""The kohya_ss tutorial for beginners that Loracle starts from."""

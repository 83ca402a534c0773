"""Where the demo's model, images and results lie; imports nothing heavy, so that the wizard may ask."""

from __future__ import annotations

from pathlib import Path

DEMO_FOLDER = Path(__file__).parents[1] / "assets" / "demo"
MODEL_FOLDER = DEMO_FOLDER / "model"
"""The embedded base model, in diffusers layout."""
CHARACTER_FOLDER = DEMO_FOLDER / "character"
"""The images to train on, with captions."""
HELD_OUT_FOLDER = DEMO_FOLDER / "held_out"
"""Further images of the character, for scoring alone."""
CLASS_FOLDER = DEMO_FOLDER / "class"
"""Images of other people, with captions, so that the base model keeps what it knew."""
PRESET_FILE = DEMO_FOLDER / "preset.toml"
TRIGGER = "zuvi"

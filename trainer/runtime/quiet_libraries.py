"""Keeps libraries quiet and offline."""

from __future__ import annotations

import logging
import os
import sys
import warnings


def quieten() -> None:
    """Keep the libraries' chatter out of the way, and the libraries off the network."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("DIFFUSERS_VERBOSITY", "error")
    logging.captureWarnings(True)
    logging.getLogger("py.warnings").addHandler(logging.NullHandler())
    if not sys.warnoptions:
        warnings.simplefilter("ignore")

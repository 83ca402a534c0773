"""Rules of thumb: one setting, one source, one sentence for the user."""

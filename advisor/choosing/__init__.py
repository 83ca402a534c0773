"""Which epoch of a training to use: what was drawn and measured, and the choice that follows from it."""

"""OneTrainer, in both directions: its configuration, concepts, and words."""

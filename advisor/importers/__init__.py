"""Other trainers' files, read into our settings: what was kept, translated, unknown or contradictory."""

"""What a training will take: VRAM, RAM, time, disk; predicted, and corrected by what earlier runs took."""

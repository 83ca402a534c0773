"""What a run knows of its pictures: the list of them, what was decided of them, and what changed since."""

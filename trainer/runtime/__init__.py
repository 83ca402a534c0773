"""What surrounds a training: events, interrupts, disk space, exit codes."""

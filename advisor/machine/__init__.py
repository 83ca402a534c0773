"""What this machine has: GPUs, CPU, RAM, limits of its container, and how full its memory is."""

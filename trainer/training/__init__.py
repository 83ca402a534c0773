"""The training itself: preparing, the step, the loop, state and resuming."""

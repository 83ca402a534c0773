"""SkyPilot, which rents machines: our own trainer's run as a task for it, with all that the machine needs beside it."""

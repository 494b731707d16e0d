"""Settings of a run: a profile, its sections, and how they are read from a file."""

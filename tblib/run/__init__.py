"""One run: its directory, its trainings, its finished models, and what may be used again."""

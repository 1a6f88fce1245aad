"""Who asked to be forgotten, where they are, and the proof that they are gone. No Dagster."""

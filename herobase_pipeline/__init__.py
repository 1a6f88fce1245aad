"""Days of calls and leads from HeroBase, kept as Parquet by the org hierarchy captured on each call."""

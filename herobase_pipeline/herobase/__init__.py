"""The HeroBase API: transport, windows, quota, and how its JSON is read. Knows HTTP; knows neither Dagster nor files."""

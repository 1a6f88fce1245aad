"""The files: layout, landing, atomic writes, catalogue. Knows Parquet and DuckDB; knows neither HTTP nor Dagster."""

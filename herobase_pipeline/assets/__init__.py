"""The Dagster assets: thin. They read settings, call the layers below and report what came of it."""

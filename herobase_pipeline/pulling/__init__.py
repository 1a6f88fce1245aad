"""A day, a window or a list: from the client into the lake. The only room that knows both; knows no Dagster."""

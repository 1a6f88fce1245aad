"""The declared lead fields: the files that people write, proposals for them, and the typed columns they become."""

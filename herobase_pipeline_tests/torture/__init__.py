"""The torture: what users meet in combinations, tried by machine. ``make torture`` runs the long form."""

"""How fast a day lands, beside the floor and the alternatives, all in one run on one machine."""

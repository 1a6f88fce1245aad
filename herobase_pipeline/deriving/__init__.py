"""What is made from what was pulled: as a whole, by days, and after a change only what it touches."""

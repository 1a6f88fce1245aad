"""What runs by itself and what watches it: jobs, schedules, sensors, checks."""

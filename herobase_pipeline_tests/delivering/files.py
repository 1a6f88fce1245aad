"""Files of deliveries, and what became of them."""

from collections import Counter

SENDS = "delivery_plan,deliveries"


def declared(mapped, **settings) -> str:
    """A file of a delivery: each field of the destination with the source that fills it, and other settings."""
    told = {"destination": '"hero"', "is_live": "true", "deliver_from": "2026-11-16", "max_per_run": "1000", **settings}
    lines = [f"{name} = {value}" for name, value in told.items()]
    for name, source in mapped.items():
        lines.append(f'\n[[field_mappings]]\nfield_name = "{name}"\n{source}')
    return "\n".join(lines) + "\n"


def plan(here) -> Counter[str]:
    """How many leads are planned for what."""
    return Counter(dict(here.rows("SELECT decision, count(*) FROM delivery_plan GROUP BY ALL")))


def states(here) -> Counter[str]:
    """How many deliveries are in which state."""
    return Counter(dict(here.rows("SELECT state, count(*) FROM deliveries GROUP BY ALL")))

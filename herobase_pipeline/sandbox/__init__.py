"""HeroBase in a box: a real HTTP server that behaves as the API does, over an invented call centre.

``Sandbox`` serves it, ``World`` is the truth behind it, ``python -m herobase_pipeline.sandbox`` runs it for people.
Settings: ``HEROBASE_SANDBOX_*`` (``herobase_pipeline.settings.SandboxSettings``); scripted faults:
``herobase_pipeline.sandbox.faults``.
"""

from herobase_pipeline.sandbox.faults import Fault
from herobase_pipeline.sandbox.server import Sandbox, Served
from herobase_pipeline.sandbox.world import World

__all__ = ["Fault", "Sandbox", "Served", "World"]

"""The cast, for tests of pages."""

from tests.web.pages import clinic, doctor, far_clinic, nobody, owner, reception, stranger, time
from tests.web.world import compiled_templates, sandbox, simulated_gentu, world, world_settings

__all__ = ["clinic", "doctor", "far_clinic", "nobody", "owner", "reception", "stranger", "time"]
__all__ += ["compiled_templates", "sandbox", "simulated_gentu", "world", "world_settings"]

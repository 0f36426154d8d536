"""The conformance kit: a connector, ours or anybody's, is run through all that its system can do to it.

The author gives good answers of the system and what they mean; the kit serves them on a real socket, spoils them in
every way that is known to happen, and looks at what the connector makes of it. docs/writing-connectors.md shows a test.
"""

from plugins.conformance import faulty, ordinary  # noqa: F401 - each puts its scenarios on the list
from plugins.conformance.case import Case, NotConforming, Paged, Question, Reply
from plugins.conformance.running import SCENARIOS, scenarios, verify

__all__ = ["SCENARIOS", "Case", "NotConforming", "Paged", "Question", "Reply", "scenarios", "verify"]

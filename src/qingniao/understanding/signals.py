"""Does this visitor want a person, and are they angry. Owns the verdict and its reasons.

Rule: a verdict says why, so that an agent who takes over knows what set it off.
"""

from msgspec import Struct

__all__ = ["Signals"]


class Signals(Struct, frozen=True, kw_only=True):
    """What a message asks for beyond its topic."""

    wants_person: bool = False
    angry: bool = False
    why: tuple[str, ...] = ()
    """The rules and intents that decided, such as `rule:handoff` or `intent:anger=0.91`."""

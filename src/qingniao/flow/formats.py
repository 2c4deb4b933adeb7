"""Drawings of other versions of this program. Owns how an older one is brought up to date.

Format 1 had plain texts; since format 2 `{{name}}` in them is looked up. Rule: an older drawing
means afterwards what it meant before; a newer one is refused with a sentence, never guessed at.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from qingniao.errors import QingniaoError
from qingniao.flow.templates import escape

__all__ = ["FORMAT", "FlowFromNewer", "upgrade"]

FORMAT: Final = 2
"""What this version writes."""

Document = Mapping[str, Any]


class FlowFromNewer(QingniaoError):
    """This flow was drawn by a newer version of Qingniao; update first."""

    code = "flow_from_newer"


def upgrade(document: Document) -> dict[str, Any]:
    """`document` in today's format. What is not a flow at all is left for the reader to refuse.

    Raises `FlowFromNewer`.
    """
    drawn = dict(document)
    form = drawn.get("format", 1)
    if not isinstance(form, int) or isinstance(form, bool) or form < 1:
        return drawn
    if form > FORMAT:
        raise FlowFromNewer(
            f"This flow has format {form}; this version of Qingniao reads up to {FORMAT}. Update"
            " it, or export the flow from there in an older format."
        )
    for older in range(form, FORMAT):
        drawn = _STEPS[older](drawn)
    drawn["format"] = FORMAT
    return drawn


def _with_templates(drawn: dict[str, Any]) -> dict[str, Any]:
    """1 to 2: two braces in a text were two braces."""
    drawn["fallback"] = _escaped(drawn.get("fallback"))
    nodes = drawn.get("nodes")
    if isinstance(nodes, list | tuple):
        drawn["nodes"] = [
            {**node, "settings": _escaped(node["settings"])}
            if isinstance(node, Mapping) and "settings" in node
            else node
            for node in nodes
        ]
    return drawn


def _escaped(value: Any) -> Any:
    if isinstance(value, str):
        return escape(value)
    if isinstance(value, Mapping):
        return {key: _escaped(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_escaped(inner) for inner in value]
    return value


_STEPS: Final[dict[int, Callable[[dict[str, Any]], dict[str, Any]]]] = {1: _with_templates}
"""From each older format to the next."""

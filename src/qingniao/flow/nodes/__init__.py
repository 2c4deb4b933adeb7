"""The kinds of node there are. One file each; `KINDS` is the only list.

Rule: a new kind is a file here and a line below; the engine and the check learn nothing new.
"""

from typing import Any, Final

from qingniao.flow.nodes.answer import Answer
from qingniao.flow.nodes.ask import Ask
from qingniao.flow.nodes.ask_back import AskBack
from qingniao.flow.nodes.base import Kind
from qingniao.flow.nodes.buttons import Buttons
from qingniao.flow.nodes.cards import Cards
from qingniao.flow.nodes.condition import Condition
from qingniao.flow.nodes.end import End
from qingniao.flow.nodes.handoff import Handoff
from qingniao.flow.nodes.http import Http
from qingniao.flow.nodes.intent import Intent
from qingniao.flow.nodes.knowledge import Knowledge
from qingniao.flow.nodes.rating import Rating
from qingniao.flow.nodes.say import Say
from qingniao.flow.nodes.sensitive import Sensitive
from qingniao.flow.nodes.set import Set
from qingniao.flow.nodes.split import Split
from qingniao.flow.nodes.start import Start
from qingniao.flow.nodes.subflow import Subflow
from qingniao.flow.nodes.wait import Wait

__all__ = ["KINDS"]

KINDS: Final[dict[str, Kind[Any]]] = {
    kind.name: kind
    for kind in (
        Start(),
        Say(),
        Buttons(),
        Cards(),
        Ask(),
        Condition(),
        Sensitive(),
        Intent(),
        Knowledge(),
        Answer(),
        AskBack(),
        Set(),
        Http(),
        Wait(),
        Rating(),
        Subflow(),
        Split(),
        Handoff(),
        End(),
    )
}
"""By name, in the order in which a palette shows them."""

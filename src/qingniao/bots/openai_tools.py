"""Tools of ours that a model may call. Owns what is offered, called and told to the model.

Rule: a tool's faults are the model's to deal with, and it hears no more of them than their kind; a
wish that nobody here fulfils becomes an action.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from qingniao.bots.base import Action
from qingniao.bots.fields import as_text
from qingniao.bots.openai_chunks import ToolCall

__all__ = ["HANDOFF", "Tool", "Tools", "asked"]

TOOL_S: Final = 20.0


class Tool(Struct, frozen=True, kw_only=True):
    """Something that a model may call. `parameters` is a JSON schema.

    `call` gets the arguments as the model wrote them and returns what the model is to read; what it
    raises is told to the model as a failure. Without `call` the wish is passed on as an `Action`,
    and the answer ends there.
    """

    name: str
    description: str
    parameters: dict[str, Any] = msgspec.field(
        default_factory=lambda: {"type": "object", "properties": {}}
    )
    call: Callable[[str], Awaitable[str]] | None = None


HANDOFF: Final = Tool(
    name="call_a_person",
    description=(
        "Call a member of staff into this conversation. Use it when the visitor asks for a person, "
        "is angry, or when you cannot help."
    ),
    parameters={
        "type": "object",
        "properties": {
            "team": {"type": "string", "description": "Which team, if it is known."},
            "reason": {"type": "string", "description": "Why, in a few words."},
        },
    },
)
"""Becomes an `Action` of the kind `handoff`."""


class Tools:
    """Those of one bot."""

    def __init__(self, tools: Sequence[Tool]) -> None:
        self._tools = {tool.name: tool for tool in tools}
        self.offered = [
            {
                "type": "function",
                "function": {
                    "name": tool.name,
                    "description": tool.description,
                    "parameters": tool.parameters,
                },
            }
            for tool in self._tools.values()
        ]
        """As a request names them; empty: none."""

    def wishes(self, calls: Sequence[ToolCall]) -> list[Action]:
        """Those of `calls` that nobody here fulfils."""
        wishes = []
        for call in calls:
            tool = self._tools.get(call.name)
            if tool is None or tool.call is not None:
                continue
            if tool.name == HANDOFF.name:
                given = call.read()
                team, reason = as_text(given.get("team")), as_text(given.get("reason"))
                wishes.append(
                    Action(kind="handoff", name=team, arguments=call.arguments, reason=reason)
                )
            else:
                wishes.append(Action(kind="tool", name=call.name, arguments=call.arguments))
        return wishes

    async def call(self, call: ToolCall) -> dict[str, Any]:
        """The message by which the model hears what came of it."""
        tool = self._tools.get(call.name)
        if tool is None or tool.call is None:
            told = f"There is no tool called {call.name}."
        else:
            try:
                async with asyncio.timeout(TOOL_S):
                    told = await tool.call(call.arguments)
            except TimeoutError:
                told = "The tool did not answer in time."
            except Exception as exc:  # a tool's faults are the model's to deal with
                told = f"The tool failed: {type(exc).__name__}."
        return {"role": "tool", "tool_call_id": call.id, "content": told}


def asked(text: str, calls: Sequence[ToolCall]) -> dict[str, Any]:
    """The message by which a model is reminded of what it wanted called."""
    return {
        "role": "assistant",
        "content": text or None,
        "tool_calls": [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in calls
        ],
    }

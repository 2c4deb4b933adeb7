"""Tools and schemas: when the double calls one, and with which arguments.

Owns a few rules of thumb that a reader can follow. Rule: a value with an `enum` is chosen by the
question, one named like an order gets the number in the question, everything else its text.
"""

import re
from typing import Final

import msgspec
from msgspec import Struct

from qingniao.doubles.faq import Faq, made_id

__all__ = ["Tool", "ToolCall", "ToolChoice", "called", "filled"]

_NUMBER: Final = re.compile(r"[A-Za-z]{0,4}\d{4,}")
_ORDERLY: Final = re.compile(r"order|number|_?id$|_?no$|单号|订单", re.I)


class _Function(Struct):
    name: str
    description: str = ""
    parameters: dict[str, object] = {}


class Tool(Struct):
    """One of a request's `tools`."""

    function: _Function
    type: str = "function"


class _Named(Struct):
    name: str


class ToolChoice(Struct):
    """`tool_choice` as an object: this function and no other."""

    function: _Named
    type: str = "function"


class ToolCall(Struct, frozen=True):
    """One call: arguments are JSON text, as on the wire."""

    id: str
    name: str
    arguments: str

    def whole(self) -> dict[str, object]:
        """As it stands in a message."""
        return {
            "id": self.id,
            "type": "function",
            "function": {"name": self.name, "arguments": self.arguments},
        }

    def parts(self, is_whole: bool) -> list[dict[str, object]]:
        """As it comes in a stream: id and name first, then the arguments in pieces."""
        if is_whole:
            return [{"index": 0, **self.whole()}]
        head: dict[str, object] = {"index": 0, **self.whole()}
        head["function"] = {"name": self.name, "arguments": ""}
        cut = range(0, len(self.arguments), 9)
        return [head] + [
            {"index": 0, "function": {"arguments": self.arguments[at : at + 9]}} for at in cut
        ]


def called(
    tools: list[Tool], choice: str | ToolChoice | None, question: str, faq: Faq
) -> ToolCall | None:
    """The call to make, if any: when it is demanded, or when the question has a number in it."""
    tool: Tool | None = None
    if isinstance(choice, ToolChoice):
        tool = next((one for one in tools if one.function.name == choice.function.name), None)
    elif choice == "required" or _NUMBER.search(question):
        tool = tools[0]
    if tool is None:
        return None
    arguments = msgspec.json.encode(filled(tool.function.parameters, question, faq, question))
    name = tool.function.name
    return ToolCall(
        f"call_{made_id(name, question).replace('-', '')[:24]}", name, arguments.decode()
    )


def filled(schema: dict[str, object], question: str, faq: Faq, text: str) -> object:
    """A value for a JSON schema; of a schema that says nothing, an object with the answer."""
    properties = schema.get("properties")
    if not isinstance(properties, dict):
        return {"answer": text}
    return {
        str(name): _value(str(name), of if isinstance(of, dict) else {}, question, faq, text)
        for name, of in properties.items()
    }


def _value(name: str, schema: dict[str, object], question: str, faq: Faq, text: str) -> object:
    options = schema.get("enum")
    if isinstance(options, list) and options:
        chosen = faq.choice([str(option) for option in options], question)
        return chosen or options[-1]
    number = _NUMBER.search(question)
    match schema.get("type"):
        case "integer" | "number":
            digits = re.sub(r"\D", "", number[0]) if number else ""
            # Of a confidence a number between 0 and 1 is expected.
            return int(digits) if digits and _ORDERLY.search(name) else 1
        case "boolean":
            return bool(faq.search(question))
        case "array":
            return []
        case "object":
            return filled(schema, question, faq, text)
    return number[0] if number and _ORDERLY.search(name) else text

"""Dify's own OpenAPI document against the events of the double.

`judge_dify_events.py FILE`: events as JSON lines on standard input, what is wrong with them as JSON
on standard output.
"""

import json
import sys
from pathlib import Path

import jsonschema

document = json.loads(Path(sys.argv[1]).read_text("utf-8"))
schemas = document["components"]["schemas"]


def plain(schema):
    """OpenAPI 3.0 as JSON schema: `nullable` becomes a type, references lead to `$defs`."""
    if isinstance(schema, list):
        return [plain(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made = {
        key: plain(value) for key, value in schema.items() if key not in ("nullable", "example")
    }
    if "$ref" in made:
        made = {"$ref": made["$ref"].replace("#/components/schemas/", "#/$defs/")}
    if schema.get("nullable") and isinstance(made.get("type"), str):
        made["type"] = [made["type"], "null"]
    # A discriminator would lead every part of an event back to the whole.
    made.pop("discriminator", None)
    return made


def named(event: dict) -> str:
    """The schema that describes this event."""
    words = "".join(word.title() for word in event["event"].split("_"))
    is_chat = "conversation_id" in event
    for name in (
        f"StreamEventChat{words}" if is_chat else f"WorkflowStreamEvent{words}",
        f"StreamEvent{words}",
        f"WorkflowStreamEvent{words}",
    ):
        if name in schemas:
            return name
    return ""


definitions = {name: plain(schema) for name, schema in schemas.items()}
problems, judged = [], {}
for line in sys.stdin:
    event = json.loads(line)
    name = named(event)
    judged[event["event"]] = name
    if not name:
        continue
    schema = {"$ref": f"#/$defs/{name}", "$defs": definitions}
    checker = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())
    for error in checker.iter_errors(event):
        problems.append(f"{event['event']} {list(error.path)}: {error.message[:200]}")
print(json.dumps({"problems": problems, "judged": judged}, ensure_ascii=False))

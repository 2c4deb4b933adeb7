"""`set`: variables of the conversation, and attributes and tags of the visitor.

Rule: nothing is computed but sums with a fixed number; a text is put together from names.
"""

from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from qingniao.flow.effects import Remember
from qingniao.flow.events import Event, Remembered
from qingniao.flow.nodes.base import FAILED, Act, Fault, Kind, Port, Scene, Value
from qingniao.flow.nodes.remembering import ATTRIBUTES, attribute_faults, reason_of
from qingniao.flow.nodes.waiting import kept, name_faults
from qingniao.flow.templates import names, render, shown, template_faults

__all__ = ["Set", "SetSettings"]

MAX_CHANGES: Final = 20
MAX_TAG_CHARS: Final = 32


class SetSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`variables`: by name what it becomes; a value that is nothing but `{{name}}` stays what it
    is, a number stays a number. `add`: by name what is added to it. `attributes`: by name, phone,
    email or note what is written on record. `tags` are put on the visitor, `untag` taken off."""

    variables: dict[str, str] = {}
    add: dict[str, float] = {}
    attributes: dict[str, str] = {}
    tags: tuple[str, ...] = ()
    untag: tuple[str, ...] = ()


class Set(Kind[SetSettings]):
    """Sets them and goes on."""

    name = "set"
    settings = SetSettings

    def ports(self, settings: SetSettings) -> tuple[Port, ...]:
        return (Port("next"), Port(FAILED, otherwise="next"))

    def faults(self, settings: SetSettings) -> Iterator[str]:
        changes = (
            *settings.variables,
            *settings.add,
            *settings.attributes,
            *settings.tags,
            *settings.untag,
        )
        if not 1 <= len(changes) <= MAX_CHANGES:
            yield Fault(
                f"It sets between 1 and {MAX_CHANGES} things.",
                code="changes",
                mend="Add or remove some, or split it over two nodes.",
                most=MAX_CHANGES,
            )
        for name in (*settings.variables, *settings.add):
            yield from name_faults(name)
        for attribute in settings.attributes:
            yield from attribute_faults(attribute)
        for text in self.templates(settings):
            for fault in template_faults(text):
                yield Fault(fault, code="template", mend="Leave only a name between the braces.")
        if not all(tag.strip() and len(tag) <= MAX_TAG_CHARS for tag in settings.tags):
            yield Fault(
                f"A tag has between 1 and {MAX_TAG_CHARS} characters.",
                code="tag",
                mend="Shorten it.",
                most=MAX_TAG_CHARS,
            )

    def templates(self, settings: SetSettings) -> Iterator[str]:
        yield from settings.variables.values()
        yield from settings.attributes.values()
        yield from settings.tags
        yield from settings.untag

    def sets(self, settings: SetSettings) -> Iterator[str]:
        yield from settings.variables
        yield from settings.add

    def enter(self, settings: SetSettings, scene: Scene) -> Act:
        variables = {name: kept(_valued(v, scene)) for name, v in settings.variables.items()}
        for name, more in settings.add.items():
            before = variables.get(name, scene.lookup(name))
            number = before if isinstance(before, int | float) else 0
            total = number + more
            variables[name] = int(total) if total == int(total) else total
        note: dict[str, Value] = {"set": [f"{n}={shown(v)[:60]}" for n, v in variables.items()]}
        remember = Remember(
            attributes={
                name: render(text, scene.lookup).strip()[: ATTRIBUTES.get(name, 0)]
                for name, text in settings.attributes.items()
            },
            tags=_tags(settings.tags, scene),
            untag=_tags(settings.untag, scene),
        )
        if not (remember.attributes or remember.tags or remember.untag):
            return Act(port="next", variables=variables, note=note)
        facts = {f"visitor.{name}": text for name, text in remember.attributes.items()}
        return Act(effects=(remember,), awaits="remembered", variables=variables, facts=facts)

    def resume(self, settings: SetSettings, scene: Scene, event: Event) -> Act:
        if isinstance(event, Remembered):
            return Act(port="next")
        return Act(port=FAILED, note={"reason": reason_of(event)})


def _valued(text: str, scene: Scene) -> Value:
    alone = list(names(text))
    if len(alone) == 1 and text.strip() == text and text[2:-2].strip() == alone[0]:
        value = scene.lookup(alone[0])
        return "" if value is None else value
    return render(text, scene.lookup)


def _tags(texts: tuple[str, ...], scene: Scene) -> tuple[str, ...]:
    tags = (render(text, scene.lookup).strip()[:MAX_TAG_CHARS] for text in texts)
    return tuple(dict.fromkeys(tag for tag in tags if tag))

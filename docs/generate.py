"""Writes the generated pages of `docs/reference`: `make docs`, or `python -m docs.generate`.

Owns settings, cli, metrics, errors, flow nodes and dependencies; refuses to know anything that is
not in the code, in `docs/ledger.json` or in `docs/templates`. Rule: `pages()` is a pure function of
the checkout, without the network, so that a test can compare it with what is committed.
"""

import argparse
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import fields

from docs import flow_nodes, scale_model
from docs.ledger import FACTS, ROOT, closure, shipped
from docs.reasons import BROWSER, LEFT_OUT, PYTHON, WIRE
from docs.sources import attribute_docs, errors, metrics, sentence, settings
from qingniao.api.faults import HttpFault
from qingniao.cli import _parser as command_parser
from qingniao.errors import Busy, StorageError

__all__ = ["REFERENCE", "pages"]

REFERENCE: Final = ROOT / "docs/reference"
TEMPLATES: Final = ROOT / "docs/templates"
BUDGET_MB: Final = 28
_MADE: Final = "<!-- Made by `make docs` from docs/templates and the code; do not edit. -->\n\n"


def pages() -> dict[str, str]:
    """File name in `docs/reference` → its content."""
    return {
        "settings.md": _fill("settings.md", tables=_settings_tables()),
        "cli.md": _fill("cli.md", commands=_commands()),
        "metrics.md": _fill("metrics.md", table=_metrics_table()),
        "errors.md": _fill("errors.md", http=_http_errors(), tree=_error_tree()),
        "dependencies.md": _fill("dependencies.md", **_ledger()),
        "flow-nodes.md": _fill("flow-nodes.md", **flow_nodes.parts(_table)),
    }


def _fill(name: str, **parts: str) -> str:
    text = (TEMPLATES / name).read_text("utf-8")
    for key, part in parts.items():
        text = text.replace("{{" + key + "}}", part)
    return _MADE + text.rstrip() + "\n"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    lines += [f"| {' | '.join(cell.replace('|', '¦') for cell in row)} |" for row in rows]
    return "\n".join(lines) + "\n"


# Settings


def _settings_tables() -> str:
    described = attribute_docs()
    text = ""
    for prefix, what, struct in settings():
        text += f"## `[{prefix.rstrip('.')}]`: {what}\n\n" if prefix else "## Top level\n\n"
        rows = []
        for field in fields(struct):
            if isinstance(field.type, type) and issubclass(field.type, Struct):
                continue
            variable = f"QINGNIAO_{prefix.replace('.', '_')}{field.name}".upper()
            meaning = described.get((struct.__name__, field.name), "") or WIRE.get(field.name, "")
            rows.append((f"`{field.name}`", _value(field.default), f"`{variable}`", meaning))
        text += _table(("key", "default", "environment", "meaning"), rows) + "\n"
    return text


def _value(value: object) -> str:
    if isinstance(value, str):
        return f'`"{value}"`'
    return f"`{value:,}`".replace(",", "_") if isinstance(value, int) else f"`{value}`"


# Commands


def _commands() -> str:
    parser = command_parser()
    text = ""
    for action in parser._actions:
        if not isinstance(action, argparse._SubParsersAction):
            continue
        helps = {choice.dest: choice.help for choice in action._choices_actions}
        for name, command in action.choices.items():
            text += f"## `{parser.prog} {name}`\n\n{sentence(helps[name])}\n\n"
            rows = [
                (f"`{_spelling(option)}`", option.help or "")
                for option in command._actions
                if not isinstance(option, argparse._HelpAction)
            ]
            text += _table(("argument", "meaning"), rows) + "\n" if rows else ""
    return text


def _spelling(option: argparse.Action) -> str:
    if not option.option_strings:
        return str(option.metavar or option.dest)
    takes = "" if option.nargs == 0 else f" {option.metavar or option.dest.upper()}"
    return option.option_strings[0] + takes


# Metrics


def _metrics_table() -> str:
    rows = [(f"`{name}`", kind, text, f"`{room}`") for name, kind, text, room in metrics()]
    return _table(("name", "kind", "meaning", "room"), rows)


# Errors


def _http_errors() -> str:
    rows = [
        (str(cls.status), f"`{cls.code}`", _yes(cls.temporary), sentence(cls.__doc__))
        for cls in errors()
        if issubclass(cls, HttpFault) and cls is not HttpFault
    ]
    rows += [
        # What `api.faults` makes of the framework's refusals and of errors from below.
        ("405", "`method_not_allowed`", "", "This address does not take that method."),
        ("415", "`unsupported`", "", "The body has to be JSON."),
        ("500", "`internal`", "yes", "This is our fault; the server's log says more."),
        ("503", f"`{Busy.code}`", "yes", f"{sentence(Busy.__doc__)} With `Retry-After`."),
        ("507", f"`{StorageError.code}`", "yes", sentence(StorageError.__doc__)),
    ]
    return _table(("status", "code", "temporary", "meaning"), sorted(rows))


def _error_tree() -> str:
    rows = [
        (
            f"`{cls.__name__}`",
            f"`{cls.__module__.removeprefix('qingniao.')}`",
            f"`{cls.code}`",
            _yes(cls.temporary),
            sentence(cls.__doc__),
        )
        for cls in errors()
        if not issubclass(cls, HttpFault)
    ]
    return _table(("class", "module", "code", "temporary", "meaning"), rows)


def _yes(value: bool) -> str:
    return "yes" if value else ""


# Dependencies


def _ledger() -> dict[str, str]:
    facts = json.loads(FACTS.read_text("utf-8"))
    packages = facts["packages"]
    asked, cluster = closure(), closure("cluster")
    rows, more = _weighed(asked, packages), _weighed(cluster, packages)
    columns = ("package", "version", "kB", "released", "licence", "why")
    others = [entry for entry in shipped("console").values() if not entry["direct"]]
    sizes = ((f"`{name}`", f"{size:,}") for name, size in sorted(facts["web"].items()))
    return {
        "measured": facts["measured"],
        "python": _table(columns, rows),
        "cluster": _table(columns, more),
        "cluster_total": f"{sum(packages[name]['bytes'] for name in cluster) / 1e6:.1f}",
        "count": str(len(rows)),
        "total": f"{sum(packages[name]['bytes'] for name in asked) / 1e6:.1f}",
        "budget": str(BUDGET_MB),
        "left_out_count": str(len(LEFT_OUT)),
        "left_out": f"{sum(packages[name]['bytes'] for name in LEFT_OUT) / 1e6:.1f}",
        "browser": _table(("package", "version", "app", "licence", "why"), _browser_rows()),
        "others": str(len(others)),
        "kinds": ", ".join(sorted({entry["licence"] for entry in others})),
        "web": _table(("in `src/qingniao/web`", "bytes"), sizes),
    }


def _weighed(asked: dict[str, tuple[str, set[str]]], packages: Any) -> list[tuple[str, ...]]:
    rows = []
    for name, (version, by) in asked.items():
        fact = packages[name]
        why = PYTHON.get(name) or f"asked for by {', '.join(sorted(by - {''}))}"
        if name in LEFT_OUT:
            why += f"; {LEFT_OUT[name]}"
        date = fact["released"] or "not told"
        if fact["released_from"] == "sdist":
            date += " (source)"
        rows.append(
            (f"`{name}`", version, f"{fact['bytes'] / 1000:,.0f}", date, fact["licence"], why)
        )
    return sorted(rows, key=lambda row: (row[0].strip("`") not in PYTHON, row[0]))


def _browser_rows() -> Iterator[tuple[str, str, str, str, str]]:
    for app in ("widget", "console"):
        for name, entry in shipped(app).items():
            if entry["direct"]:
                yield f"`{name}`", entry["version"], app, entry["licence"], BROWSER.get(name, "")


def main() -> None:
    """Write all pages, and the one of `docs.scale_model` with its answers."""
    for name, content in pages().items():
        (REFERENCE / name).write_text(content, "utf-8")
    scale_model.PAGE.write_text(scale_model.page(), "utf-8")


if __name__ == "__main__":
    main()

"""What the generated pages say, as found in the code. Owns the reading; refuses Markdown.

Rule: a setting, a metric, a command or an error that exists is found here without being listed.
"""

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import fields

import qingniao
from docs.ledger import ROOT
from qingniao import config as config_module
from qingniao.chat.ports import Role
from qingniao.errors import QingniaoError

__all__ = ["attribute_docs", "errors", "first", "metrics", "sentence", "settings"]

SOURCE: Final = ROOT / "src/qingniao"


def settings() -> list[tuple[str, str, type[Struct]]]:
    """(prefix of the key, what the section is, its struct), the top level first."""
    found = [("", "", config_module.Config)]
    for field in fields(config_module.Config):
        if isinstance(field.type, type) and issubclass(field.type, Struct):
            found.append((f"{field.name}.", first(field.type.__doc__).rstrip("."), field.type))
    return found


def attribute_docs() -> dict[tuple[str, str], str]:
    """(class, field) → the string that stands below the field."""
    found: dict[tuple[str, str], str] = {}
    for node in ast.parse(Path(config_module.__file__ or "").read_text("utf-8")).body:
        if not isinstance(node, ast.ClassDef):
            continue
        for field, after in zip(node.body, node.body[1:], strict=False):
            if (
                isinstance(field, ast.AnnAssign)
                and isinstance(field.target, ast.Name)
                and isinstance(after, ast.Expr)
                and isinstance(after.value, ast.Constant)
            ):
                found[node.name, field.target.id] = one_line(str(after.value.value))
    return found


def metrics() -> list[tuple[str, str, str, str]]:
    """(name as scraped, kind, help, room), found in the functions that yield readings."""
    found = []
    for path in sorted(SOURCE.rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        for node in ast.walk(tree):
            if not isinstance(node, ast.FunctionDef) or not node.name.endswith("readings"):
                continue
            for reading in ast.walk(node):
                if isinstance(reading, ast.Yield) and isinstance(reading.value, ast.Tuple):
                    kind, name, text, _ = reading.value.elts
                    room = path.relative_to(SOURCE).parts[0].removesuffix(".py")
                    suffix = "_total" if ast.literal_eval(kind) == "counter" else ""
                    for spelled in _spelled(name):
                        whole = f"qingniao_{spelled}{suffix}"
                        found.append((whole, ast.literal_eval(kind), ast.literal_eval(text), room))
    return sorted(found)


def _spelled(name: ast.expr) -> Iterator[str]:
    """A plain name; or one with a role in it, once for each role that is dispatched."""
    if isinstance(name, ast.Constant):
        yield str(name.value)
        return
    if not isinstance(name, ast.JoinedStr):
        raise TypeError(f"A metric's name must be readable in the source: {ast.dump(name)}")
    for role in _dispatched():
        yield "".join(
            str(part.value) if isinstance(part, ast.Constant) else role for part in name.values
        )


def _dispatched() -> list[str]:
    return [
        Role[call.args[0].attr].value
        for path in sorted((SOURCE / "runtime").glob("*.py"))
        for call in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id == "Dispatcher"
        and isinstance(call.args[0], ast.Attribute)
    ]


def errors() -> list[Any]:
    """Every error of ours, also those that only a command raises."""
    for module in pkgutil.walk_packages(qingniao.__path__, "qingniao."):
        # Starting the command, and migrations that want a database, are not for looking at.
        if not re.search(r"__main__|\.migrations\.", module.name):
            importlib.import_module(module.name)
    todo: list[type[QingniaoError]] = [QingniaoError]
    found = []
    while todo:
        cls = todo.pop()
        todo += cls.__subclasses__()
        if cls.__module__.startswith("qingniao."):
            found.append(cls)
    return sorted(found, key=lambda cls: (cls.__module__, cls.__name__))


def one_line(text: str) -> str:
    """Without line breaks."""
    return " ".join(text.split())


def first(text: str | None) -> str:
    """The first paragraph, in one line."""
    return one_line((text or "").strip().split("\n\n")[0])


def sentence(text: str | None) -> str:
    """The same with a capital and a full stop."""
    said = first(text)
    end = "" if said.endswith((".", "?")) else "."
    return f"{said[:1].upper()}{said[1:]}{end}" if said else ""

"""What goes wrong with a bot is told to administrators in their language: every sentence that can
be raised has its Chinese one beside the console's page."""

import ast
import json
from collections.abc import Iterator
from pathlib import Path

from qingniao.bots.base import BotError
from qingniao.outgoing.errors import OutgoingError

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "qingniao"
CHINESE = ROOT / "web/apps/console/src/bots/sentences.zh-CN.json"
FILES = (
    *sorted(SOURCE.glob("bots/**/*.py")),
    *sorted(SOURCE.glob("outgoing/*.py")),
    SOURCE / "runtime/rooms/ai.py",
    SOURCE / "api/bot_trying.py",
)
NOT_SHOWN = frozenset({
    # Of judges, feedback and tools, which no administrator is told on that page.
    "{} did not choose within {} s.", "The judge did not come to an end.",
    "This bot takes no feedback.",
})  # fmt: skip


def _kinds(base: type) -> Iterator[str]:
    yield base.__name__
    for inner in base.__subclasses__():
        yield from _kinds(inner)


def _text(node: ast.expr) -> str | None:
    """The sentence with `{}` for what differs; a platform's own words at its end are left out."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if not isinstance(node, ast.JoinedStr):
        return None
    pieces = []
    for part in node.values:
        if isinstance(part, ast.Constant):
            pieces.append(str(part.value))
        elif isinstance(part, ast.FormattedValue):
            source = ast.unparse(part.value)
            pieces.append("" if source == "word" or source.startswith("says(") else "{}")
    return "".join(pieces)


def _raised() -> Iterator[str]:
    """First arguments of errors, tables of them, and details of what is not well."""
    names = {*_kinds(BotError), *_kinds(OutgoingError), "Health", "BotTried"}
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            match node:
                case ast.Tuple(elts=[ast.Name(id=name), said]) if name in names:
                    if text := _text(said):
                        yield text
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            if node.func.id not in names:
                continue
            details = [word.value for word in node.keywords if word.arg == "detail"]
            for argument in (*node.args[:1], *details):
                if text := _text(argument):
                    yield text


def test_every_sentence_about_a_bot_has_a_chinese_one() -> None:
    import qingniao.bots.kinds  # all platforms, for their errors

    assert qingniao.bots.kinds.KINDS
    known = set(json.loads(CHINESE.read_text("utf-8")))
    raised = {" ".join(text.split()) for text in _raised() if text.endswith((".", "?", "{}"))}
    # A sentence that is nothing but another's words, or has them at its end.
    raised = {text for text in raised if " " in text}
    assert len(raised) > 60
    assert raised - known - NOT_SHOWN == set()


def test_what_an_error_says_of_itself_has_a_chinese_one() -> None:
    known = set(json.loads(CHINESE.read_text("utf-8")))
    said = set()
    for base in (BotError, OutgoingError):
        kinds = [base]
        while kinds:
            kind = kinds.pop()
            kinds += kind.__subclasses__()
            if kind.__module__.startswith("qingniao."):
                said.add(" ".join((kind.__doc__ or "").split("\n\n")[0].split()))
    assert said - known - {""} == set()

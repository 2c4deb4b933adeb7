"""The reference pages are complete and current."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from docs.generate import pages
from docs.ledger import closure
from docs.reasons import BROWSER, PYTHON
from docs.sources import attribute_docs, metrics, settings
from litestar import Router
from msgspec.structs import fields
from packaging.utils import canonicalize_name

from qingniao.api import app
from qingniao.cli import _parser
from qingniao.config import load_config
from qingniao.metrics import Histogram, Metrics

REFERENCE = Path(__file__).parents[2] / "docs/reference"
PAGES = pages()


@pytest.mark.parametrize("name", sorted(PAGES))
def test_generated_page_is_current(name: str) -> None:
    written = (REFERENCE / name).read_text("utf-8")
    assert written == PAGES[name], f"docs/reference/{name} is old: run `make docs`"


def test_every_setting_has_a_meaning() -> None:
    rows = re.findall(
        r"^\| `(\w+)` \| `[^|]*` \| `(QINGNIAO_\w+)` \| (.*) \|$", PAGES["settings.md"], re.M
    )
    documented = {variable: meaning.strip() for _, variable, meaning in rows}
    expected = {
        f"QINGNIAO_{prefix.replace('.', '_')}{field.name}".upper()
        for prefix, _, struct in settings()
        for field in fields(struct)
        if not hasattr(field.type, "__struct_fields__")
    }
    assert set(documented) == expected
    assert not [variable for variable, meaning in documented.items() if not meaning]


def test_documented_environment_variables_are_taken() -> None:
    for variable in re.findall(r"`(QINGNIAO_\w+)`", PAGES["settings.md"]):
        if variable == "QINGNIAO_CONFIG":
            continue
        value = {"QINGNIAO_LOG_LEVEL": "info", "QINGNIAO_LOG_FORMAT": "text"}.get(variable, "1")
        if variable.endswith("OUTBOX_BYTES"):
            value = "65536"
        if variable.startswith("QINGNIAO_PIPELINE_BATCH"):
            value = "262144"
        load_config({variable: value})


def test_every_command_is_documented() -> None:
    commands = next(a.choices for a in _parser()._actions if isinstance(a.choices, dict))
    documented = re.findall(r"^## `qingniao ([\w-]+)`$", PAGES["cli.md"], re.M)
    assert documented == list(commands)


def test_every_metric_that_is_scraped_is_documented() -> None:
    """The names as prometheus_client spells them, against the ones read from the source."""
    collected = Metrics()
    seen = Histogram(1.0)
    seen.observe(1.0)
    readings = [
        (
            kind,
            name.removeprefix("qingniao_").removesuffix("_total"),
            text,
            seen if kind == "histogram" else 1.0,
        )
        for name, kind, text, _ in metrics()
    ]
    collected.add(lambda: readings)
    found = re.findall(r"^(qingniao_\w+)(?:{.*})? 1.0$", collected.render().decode(), re.M)
    scraped = {re.sub("_(bucket|sum|count)$", "", name) for name in found}
    assert scraped == {name for name, *_ in metrics()}
    assert scraped == set(re.findall(r"^\| `(qingniao_\w+)`", PAGES["metrics.md"], re.M))


def _routes() -> set[tuple[str, str]]:
    """(method, path) of every route, without `/api/v1` and the names of parameters."""
    found = [
        (method, route.path_format)
        for noun in vars(app).values()
        if isinstance(getattr(noun, "router", None), Router)
        for route in noun.router.routes
        for handler in route.route_handlers
        for method in handler.http_methods
    ]
    # Not in the router of a noun: they are not under `/api/v1`.
    for handler in (app.files.content, app.house.healthz, app.house.metrics):
        found += [(method, path) for method in handler.http_methods for path in handler.paths]
    return {
        (method, re.sub(r"\{[\w:]+\}", "{}", path.removeprefix("/api/v1")))
        for method, path in found
        if method != "OPTIONS"
    }


def test_every_http_call_is_documented() -> None:
    page = (REFERENCE / "http.md").read_text("utf-8")
    documented = {
        (method, re.sub(r"\{\w+\}", "{}", path.partition("?")[0]))
        for method, path in re.findall(r"`(GET|POST|PATCH|PUT|DELETE) (/[^\s`]*)", page)
    }
    assert len(documented) > 10
    assert _routes() == documented


def test_every_dependency_has_a_reason_and_a_weight() -> None:
    project: Any = tomllib.loads((REFERENCE.parents[1] / "pyproject.toml").read_text("utf-8"))
    named = {
        canonicalize_name(re.split(r"[\[=;<> ]", line)[0])
        for asked in (
            project["project"]["dependencies"],
            project["project"]["optional-dependencies"]["cluster"],
        )
        for line in asked
    }
    assert named == set(PYTHON)
    page = PAGES["dependencies.md"]
    for name, (version, _) in (closure() | closure("cluster")).items():
        assert f"| `{name}` | {version} |" in page, f"run `python -m docs.ledger` for {name}"
    in_page = set(re.findall(r"^\| `([@\w/-]+)` \| [\d.]+ \| (?:widget|console) ", page, re.M))
    assert in_page == set(BROWSER)


def test_every_bound_is_in_the_table_of_queues_with_its_policy() -> None:
    page = (REFERENCE.parent / "topics/backpressure.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+\.\w+)` \| [^|]+ \| `(\w+)` \| [^|]+ \| (.*) \|$", page, re.M)
    written = {setting: policy for setting, policy, _ in rows}
    docs = attribute_docs()
    bounded = {
        prefix + field.name: policies[0]
        for prefix, _, struct in settings()
        for field in fields(struct)
        if (policies := re.findall(r"policy:\s(\w+)", docs.get((struct.__name__, field.name), "")))
    }
    assert {name: written.get(name) for name in bounded} == bounded
    known = {prefix + field.name for prefix, _, s in settings() for field in fields(s)}
    assert set(written) <= known
    scraped = {name for name, *_ in metrics()}
    assert {metric for *_, metric in rows for metric in re.findall(r"`(\w+)`", metric)} <= scraped

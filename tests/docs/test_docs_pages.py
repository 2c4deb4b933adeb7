"""The pages that people write: links lead somewhere, claims about the tree hold."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    page
    for pattern in ("*.md", "docs/**/*.md", "examples/**/*.md", "bench/**/*.md", "deploy/**/*.md")
    for page in ROOT.glob(pattern)
    if "templates" not in page.parts
)
FENCE = re.compile(r"^```(.*?)\n(.*?)^```$", re.M | re.S)
LINK = re.compile(r"\]\(([^)\s]+)\)")


def _name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def _prose(page: Path) -> str:
    return FENCE.sub("", page.read_text("utf-8"))


def _anchors(page: Path) -> set[str]:
    """Headings as they are spelled in a link: lower case, words joined by hyphens."""
    headings = re.findall(r"^#+ (.*)$", _prose(page), re.M)
    plain = (re.sub(r"[^\w\s-]", "", heading.replace("`", "")).strip() for heading in headings)
    return {re.sub(r"\s", "-", heading.lower()) for heading in plain}


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_relative_links_resolve(page: Path) -> None:
    for link in LINK.findall(_prose(page)):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{_name(page)} links to {link}"
        if anchor and target.suffix == ".md":
            assert anchor in _anchors(target), f"{_name(page)} links to {link}"


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_page_has_one_title(page: Path) -> None:
    assert len(re.findall(r"^# ", _prose(page), re.M)) == 1


@pytest.mark.parametrize(
    ("page", "heading"), [("README.md", "## Tests"), ("README.zh-CN.md", "## 测试")]
)
def test_readme_names_exactly_one_test_command(page: str, heading: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    section = re.search(rf"^{heading}\n(.*?)(?=^## )", text, re.M | re.S)
    assert section is not None
    assert FENCE.findall(section[1]) == [("bash", "make test\n")]
    assert "make test" in (ROOT / ".ci/run").read_text("utf-8").split("\n")


def test_both_readmes_say_the_same() -> None:
    english = (ROOT / "README.md").read_text("utf-8")
    chinese = (ROOT / "README.zh-CN.md").read_text("utf-8")
    others = {"README.md", "README.zh-CN.md"}
    assert set(LINK.findall(english)) - others == set(LINK.findall(chinese)) - others
    assert len(re.findall(r"^## ", english, re.M)) == len(re.findall(r"^## ", chinese, re.M))
    commands = [block for kind, block in FENCE.findall(english) if kind in ("bash", "html")]
    assert commands == [b for kind, b in FENCE.findall(chinese) if kind in ("bash", "html")]


def test_architecture_shows_the_layers_that_are_checked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    blocks = dict(FENCE.findall((ROOT / "ARCHITECTURE.md").read_text("utf-8")))
    assert blocks["layers"].splitlines() == layers


def test_architecture_has_every_room() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    source = ROOT / "src/qingniao"
    rooms = {package.parent.name for package in source.glob("*/__init__.py")}
    table = re.search(r"^\| room \|.*?^$", text, re.M | re.S)
    assert table is not None
    described = set(re.findall(r"`(\w+)/`", table[0]))
    assert rooms - {"web"} == described


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_files_named_in_prose_exist(page: Path) -> None:
    """`room/file.py` is a file of the package; longer paths are of the checkout."""
    for name in re.findall(r"`([\w.][\w./-]*/[\w.-]+\.(?:py|ts|tsx|json|txt|toml))`", _prose(page)):
        places = [ROOT / name, ROOT / "src/qingniao" / name, ROOT / "web/apps/console/src" / name]
        is_data = name.startswith("data/") or name.startswith("target/")
        assert is_data or any(place.exists() for place in places), f"{_name(page)} names {name}"


def test_every_make_target_is_in_contributing() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.M)
    assert phony is not None
    contributing = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    named = set(re.findall(r"make ([a-z-]+)", contributing))
    assert named == set(phony[1].split())


def test_every_decision_is_listed_and_short() -> None:
    folder = ROOT / "docs/decisions"
    listed = set(LINK.findall((folder / "README.md").read_text("utf-8")))
    decisions = {page.name for page in folder.glob("0*.md")}
    assert listed == decisions
    for name in decisions:
        text = (folder / name).read_text("utf-8")
        assert len(text.splitlines()) <= 60, f"{name} is longer than a page"
        for part in ("**Context.**", "**Options.**", "**Decision.**", "**Consequences.**"):
            assert part in text, f"{name} has no {part}"

"""Weighs every dependency: `make ledger`, or `python -m docs.ledger`. Needs the network.

Owns `docs/ledger.json`, the measured facts; `docs.generate` turns them into the page. Refuses to
judge. Rule: a number in the ledger was measured on a file that this script had in its hands.

The weight of a Python package is the size of its wheel for CPython 3.11 on Linux x86_64, as pip
downloads it. The date is that of the newest file inside the wheel; build tools that write a fixed
date (1980, 2016, 2020-02-02, …) leave it unknown, and then it is asked of the source archive.
"""

import gzip
import json
import platform
import re
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from email import message_from_bytes
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any, Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

__all__ = ["FACTS", "ROOT", "closure", "shipped", "weigh_web"]

ROOT: Final = Path(__file__).parent.parent
FACTS: Final = ROOT / "docs/ledger.json"

TARGET: Final = {
    "implementation_name": "cpython",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "platform_system": "Linux",
    "python_full_version": "3.11.0",
    "python_version": "3.11",
    "sys_platform": "linux",
}
_FIXED_DATES: Final = ("2016-01-01", "2020-02-02")
_EARLIEST: Final = "2015"
"""Nothing pinned here is that old: an earlier date is a build tool's constant."""
_DEADLINE_S: Final = 300


def closure(extra: str = "") -> dict[str, tuple[str, set[str]]]:
    """Runtime packages → (pinned version, who asks for it; "" for ourselves). With `extra`, those
    that only this extra brings."""
    always = closure() if extra else {}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    asked: dict[str, set[str]] = {}
    done: set[tuple[str, frozenset[str]]] = set()

    def walk(line: str, extras: frozenset[str], by: str) -> None:
        need = Requirement(line)
        environments = [TARGET | {"extra": extra} for extra in (extras or {""})]
        if need.marker and not any(need.marker.evaluate(e) for e in environments):
            return
        name = canonicalize_name(need.name)
        asked.setdefault(name, set()).add(by)
        wanted = frozenset(need.extras)
        if (name, wanted) in done:
            return
        done.add((name, wanted))
        try:
            needs = distribution(name).requires or []
        except PackageNotFoundError:
            needs = []
        for each in needs:
            walk(each, wanted, name)

    for line in project["optional-dependencies"][extra] if extra else project["dependencies"]:
        walk(line, frozenset(), "")
    pins = dict(_pins())
    return {name: (pins[name], by) for name, by in sorted(asked.items()) if name not in always}


def _pins() -> Iterator[tuple[str, str]]:
    for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines():
        name, _, version = line.partition("==")
        if version:
            yield canonicalize_name(name), version.strip()


def weigh(name: str, version: str) -> dict[str, Any]:
    """Download one wheel and read it."""
    with tempfile.TemporaryDirectory() as folder:
        wheel = _download(name, version, folder, "--only-binary=:all:")
        if wheel is None:
            raise SystemExit(f"{name} {version}: no wheel for this platform.")
        with zipfile.ZipFile(wheel) as archive:
            infos = archive.infolist()
            metadata = next(i for i in infos if i.filename.endswith(".dist-info/METADATA"))
            about = message_from_bytes(archive.read(metadata))
            newest = max(datetime(*i.date_time, tzinfo=UTC) for i in infos)
            unpacked = sum(i.file_size for i in infos)
            licence = _licence(about) or _licence_file(archive)
        date, source = newest.date().isoformat(), "wheel"
        if not _is_told(date):
            date, source = "", ""
            if archived := _download(name, version, folder, "--no-binary", name):
                with tarfile.open(archived) as tar:
                    seconds = max(member.mtime for member in tar.getmembers())
                told = datetime.fromtimestamp(seconds, UTC).date().isoformat()
                date, source = (told, "sdist") if _is_told(told) else ("", "")
        return {
            "version": version,
            "bytes": wheel.stat().st_size,
            "unpacked": unpacked,
            "released": date,
            "released_from": source,
            "licence": licence or "not stated",
            "summary": about.get("Summary", ""),
        }


def _download(name: str, version: str, folder: str, *how: str) -> Path | None:
    before = set(Path(folder).iterdir())
    command = [
        sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-cache-dir",
        "--disable-pip-version-check", "-d", folder, *how, f"{name}=={version}",
    ]  # fmt: skip
    done = subprocess.run(command, check=False, capture_output=True, timeout=_DEADLINE_S)  # noqa: S603
    new = set(Path(folder).iterdir()) - before
    return new.pop() if done.returncode == 0 and new else None


_CLASSIFIER: Final = {
    "MIT": "MIT",
    "MIT License": "MIT",
    "BSD License": "BSD",
    "Apache Software License": "Apache-2.0",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}


def _licence(about: Any) -> str:
    if expression := about.get("License-Expression"):
        return str(expression)
    named = (c.rpartition(" :: ")[2] for c in about.get_all("Classifier", []) if "License" in c)
    words = [_CLASSIFIER.get(name, name) for name in named if name != "OSI Approved"]
    said = str(about.get("License", "")).strip().splitlines()
    return " OR ".join(dict.fromkeys(words)) or (
        _CLASSIFIER.get(said[0], said[0][:40]) if said else ""
    )


def _licence_file(archive: zipfile.ZipFile) -> str:
    """The heading of the licence's text, for wheels whose metadata says nothing."""
    for name in archive.namelist():
        if re.search(r"\.dist-info/(licenses/)?LICEN[CS]E", name):
            heading = archive.read(name).decode("utf-8", "replace").strip().splitlines()[0].strip()
            return _CLASSIFIER.get(heading.removeprefix("The "), heading[:40])
    return ""


def _is_told(date: str) -> bool:
    return date >= _EARLIEST and date not in _FIXED_DATES


def shipped(app: str) -> dict[str, dict[str, str]]:
    """npm packages that an app's own code can pull into the browser, from the lock file."""
    lock = json.loads((ROOT / "web/package-lock.json").read_text("utf-8"))["packages"]
    found: dict[str, dict[str, str]] = {}
    own = json.loads((ROOT / f"web/apps/{app}/package.json").read_text("utf-8"))
    todo: list[tuple[str, str]] = [(f"apps/{app}", name) for name in _needs(own)]
    direct = {name for _, name in todo}
    while todo:
        at, name = todo.pop()
        place = _place(lock, at, name)
        if place is None:
            continue
        entry = lock[place]
        target = entry.get("resolved", "") if entry.get("link") else place
        if entry.get("link"):
            todo += [(target, n) for n in _needs(lock[target])]
        elif name not in found:
            direct_word = "yes" if name in direct else ""
            found[name] = {
                "version": entry["version"],
                "licence": str(entry.get("license", "not stated")),
                "direct": direct_word,
            }
            todo += [(place, n) for n in _needs(entry)]
    return dict(sorted(found.items()))


def _needs(entry: dict[str, Any]) -> Iterable[str]:
    return entry.get("dependencies", {})


def _place(lock: dict[str, Any], at: str, name: str) -> str | None:
    """Where Node would find `name` for a package at `at`."""
    while True:
        place = f"{at}/node_modules/{name}" if at else f"node_modules/{name}"
        if place in lock:
            return place
        if not at:
            return None
        at = re.sub(r"/?node_modules/(@[^/]+/)?[^/]+$", "", at) if "node_modules" in at else ""


def weigh_web() -> dict[str, int]:
    """What the build made, in bytes after gzip -9, by folder; empty when nothing is built."""
    web = ROOT / "src/qingniao/web"
    sizes: dict[str, int] = {}
    for path in sorted(web.rglob("*")):
        if path.suffix in (".js", ".css", ".html") and path.is_file():
            folder = path.relative_to(web).parts[0]
            size = len(gzip.compress(path.read_bytes(), 9))
            sizes[folder] = sizes.get(folder, 0) + size
    return sizes


def main() -> None:
    """Weigh what is new, or everything with `--all`."""
    if (platform.machine(), sys.version_info[:2]) != ("x86_64", (3, 11)):
        raise SystemExit("The ledger is for CPython 3.11 on x86_64: run it there.")
    known: dict[str, Any] = json.loads(FACTS.read_text("utf-8")) if FACTS.exists() else {}
    packages = {} if "--all" in sys.argv else known.get("packages", {})
    needed = closure() | closure("cluster")
    for name, (version, _) in needed.items():
        if packages.get(name, {}).get("version") != version:
            packages[name] = weigh(name, version)
            sys.stderr.write(f"{name} {version}: {packages[name]['bytes']:,} bytes\n")
    facts = {
        "measured": datetime.now(UTC).date().isoformat(),
        "packages": {name: packages[name] for name in needed},
        "web": weigh_web() or known.get("web", {}),
    }
    FACTS.write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main()

"""What a browser downloads, in bytes after gzip -9: the widget, and the console's first view.

The widget is counted as web/size.mjs counts it: the loader, its panel and the larger language. The
console's first view is its page with every script and style that the page itself names.
"""

import gzip
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from bench.run import Goal

__all__ = ["GOALS", "measure"]

GOALS: Final = {
    "loader_bytes": Goal("<=", 1_536),
    "opened_bytes": Goal("<=", 20_480),
    "console_first_view_bytes": Goal("<=", 358_400),
}

WEB: Final = Path(__file__).parents[1] / "src" / "qingniao" / "web"


def measure(quick: bool, web: Path = WEB) -> Mapping[str, object]:
    """Sizes of the built files. Raises `FileNotFoundError` when there is no build."""
    loader = _packed(web / "widget.js")
    parts = {path.name: _packed(path) for path in sorted((web / "widget").glob("*.js"))}
    panels = [size for name, size in parts.items() if name.startswith("panel")]
    words = [size for name, size in parts.items() if name.startswith(("zh", "en"))]
    if len(panels) != 1 or not words:
        raise FileNotFoundError(f"{web / 'widget'} is not a whole build: {', '.join(parts)}")
    # A part that is neither would be a download nobody counts.
    others = sum(parts.values()) - sum(panels) - sum(words)
    page = web / "console" / "index.html"
    named = re.findall(r'(?:src|href)="/console/([^"]+\.(?:js|css))"', page.read_text("utf-8"))
    return {
        "loader_bytes": loader,
        "opened_bytes": loader + sum(panels) + max(words) + others,
        "console_first_view_bytes": _packed(page)
        + sum(_packed(web / "console" / name) for name in dict.fromkeys(named)),
        "console_files": len(set(named)) + 1,
    }


def _packed(path: Path) -> int:
    return len(gzip.compress(path.read_bytes(), 9, mtime=0))

"""The documentation as tests see it. The scripts of `docs/` are imported from the checkout."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT

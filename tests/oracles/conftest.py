"""Only on demand: `make oracles`, or `pytest -m oracle tests/oracles`.

Rule: asked for, nothing is skipped because it is not installed: that is a failure. Only Dify's
document has to be brought along, and what needs it says so where it is not.
"""

from pathlib import Path

import pytest
from oracle_house import AskClient, asked


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Whoever did not ask for oracles has not installed them."""
    return None if "oracle" in str(config.option.markexpr) else True


@pytest.fixture
def ask_client() -> AskClient:
    """Run a script of `clients/` in the oracles' own environment."""
    return asked

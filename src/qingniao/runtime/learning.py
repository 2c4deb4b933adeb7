"""How an answering process keeps up with the knowledge base: chosen by settings.

Rule: only what answers imports this; it loads the index and what trains it.
"""

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from qingniao.config import Config
from qingniao.knowledge.entries import Entry
from qingniao.storage.blobs import Blobs
from qingniao.storage.database import Database
from qingniao.training import Built
from qingniao.workers.learning import Learning

if TYPE_CHECKING:
    from qingniao.workers.shared_learning import SharedLearning

__all__ = ["make_learning"]


def make_learning(
    config: Config,
    database: Database,
    blobs: Blobs,
    entries: Callable[[], Awaitable[Sequence[Entry]]],
    use: Callable[[Built], None],
) -> "Learning | SharedLearning":
    """What keeps an answering process up with the knowledge base: it builds for itself alone, or
    one builds for all that share the database."""
    folder = Path(config.data) / "knowledge"
    if not database.is_shared:
        return Learning(folder, entries, use)
    # One process starts without loading this.
    from qingniao.storage.versions import Versions
    from qingniao.workers.shared_learning import SharedLearning

    return SharedLearning(folder, entries, use, versions=Versions(database), blobs=blobs)

"""BUS. Fan-out to connections, hints for workers, presence. Losing all of it loses no message."""

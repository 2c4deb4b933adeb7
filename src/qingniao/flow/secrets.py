"""Where a secret of flows belongs. Rule: it is kept for one origin and for nothing else."""

from urllib.parse import urlsplit

__all__ = ["origin_of", "place_of"]


def origin_of(url: str) -> str:
    """Scheme, host and port of an address; empty if it cannot be read."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"https": 443, "http": 80}.get(parts.scheme, 0)
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.hostname or ''}:{port}"[:256]


def place_of(origin: str, name: str) -> str:
    """For what a secret is sealed: one name at one origin."""
    return f"flow/{origin}/{name}"

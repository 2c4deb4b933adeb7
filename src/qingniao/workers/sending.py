"""A flow's request made whole: its secrets put in. Owns where a secret may go.

Rule: a secret is kept for one origin and is sent nowhere else, whatever a drawing says; a request
that names one that is not there is not sent.
"""

from collections.abc import Mapping
from urllib.parse import urlsplit

from msgspec import structs

from qingniao.errors import QingniaoError
from qingniao.flow.effects import Fetch
from qingniao.flow.templates import fill

__all__ = ["SecretMissing", "filled", "origin_of_fetch", "place_of_secret"]


class SecretMissing(QingniaoError):
    """A secret that a flow sends is not stored for that address."""

    code = "secret_missing"


def origin_of_fetch(url: str) -> str:
    """Scheme, host and port of an address; empty if it cannot be read."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"https": 443, "http": 80}.get(parts.scheme, 0)
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.hostname or ''}:{port}"[:256]


def place_of_secret(origin: str, name: str) -> str:
    """For what a secret is sealed: one name at one origin."""
    return f"flow/{origin}/{name}"


def filled(fetch: Fetch, secrets: Mapping[str, str]) -> Fetch:
    """The request with its secrets. Raises `SecretMissing`."""

    def secret(name: str) -> str:
        if name not in secrets:
            raise SecretMissing(
                f"There is no secret called {name} for {origin_of_fetch(fetch.url)}."
            )
        return secrets[name]

    headers = {name: fill(text, secret, "text") for name, text in fetch.headers.items()}
    if fetch.body and not any(name.lower() == "content-type" for name in headers):
        headers["Content-Type"] = "application/json"
    return structs.replace(
        fetch,
        url=fill(fetch.url, secret, "url"),
        headers=headers,
        body=fill(fetch.body, secret, "json"),
    )

"""A flow's request made whole: its secrets put in. Owns where a secret may go.

Rule: a secret is kept for one origin and is sent nowhere else, whatever a drawing says; a request
that names one that is not there is not sent.
"""

from collections.abc import Mapping

from msgspec import structs

from qingniao.errors import QingniaoError
from qingniao.flow.effects import Fetch
from qingniao.flow.secrets import origin_of
from qingniao.flow.templates import fill

__all__ = ["SecretMissing", "filled"]


class SecretMissing(QingniaoError):
    """A secret that a flow sends is not stored for that address."""

    code = "secret_missing"


def filled(fetch: Fetch, secrets: Mapping[str, str]) -> Fetch:
    """The request with its secrets. Raises `SecretMissing`."""

    def secret(name: str) -> str:
        if name not in secrets:
            raise SecretMissing(f"There is no secret called {name} for {origin_of(fetch.url)}.")
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

"""Contents in an object store that speaks S3: Amazon's, MinIO, Ceph, R2 and their like.

Owns the client; refuses to make buckets. Rule: every request has a deadline of ours around it, and
what a slow reader takes is fetched a piece at a time, so that no request waits for a reader.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import S3Store

from qingniao.errors import ConfigError, StartError, StorageError
from qingniao.storage.blobs import LIMIT_BYTES, Spool, SpoolWriter, named

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig, S3Config

__all__ = ["S3Blobs"]

PIECE_BYTES: Final = 2 * 1024 * 1024
"""Fetched at once: few requests, and little memory for each reader."""
SLOWEST_BYTES_S: Final = 256 * 1024
"""A store slower than this at taking a content is one that does not answer."""
_RETRIES: Final = 3


class S3Blobs:
    """`storage.blobs.Blobs` in one bucket, below a prefix."""

    def __init__(
        self,
        url: str,
        *,
        endpoint: str = "",
        region: str = "",
        access_key: str = "",
        secret_key: str = "",
        timeout_s: float = 10.0,
        limit_bytes: int = LIMIT_BYTES,
    ) -> None:
        """`url` is `s3://bucket/prefix`. What is not given comes from the environment
        (`AWS_ENDPOINT_URL`, `AWS_REGION`, `AWS_ACCESS_KEY_ID`, …) or from the machine's role.
        Raises `ConfigError`."""
        parts = urlsplit(url)
        if parts.scheme != "s3" or not parts.netloc:
            raise ConfigError("blobs.url must look like s3://bucket/prefix.")
        given = {
            "endpoint": endpoint,
            "region": region,
            "access_key_id": access_key,
            "secret_access_key": secret_key,
        }
        config: S3Config = {key: value for key, value in given.items() if value}  # type: ignore[assignment]
        client: ClientConfig = {
            "timeout": timedelta(seconds=timeout_s),
            "connect_timeout": timedelta(seconds=min(timeout_s, 5.0)),
            "allow_http": endpoint.startswith("http://"),
        }
        retry: RetryConfig = {
            "max_retries": _RETRIES,
            "retry_timeout": timedelta(seconds=timeout_s),
            "backoff": {"init_backoff": timedelta(milliseconds=50)},
        }
        try:
            self._store = S3Store(
                parts.netloc,
                prefix=parts.path.strip("/") or None,
                config=config,
                client_options=client,
                retry_config=retry,
            )
        except (BaseError, ValueError) as exc:
            raise ConfigError("The settings of blobs are not those of an object store.") from exc
        self._timeout_s = timeout_s
        self._limit_bytes = limit_bytes

    async def check(self) -> None:
        """Ask for something, so that a wrong bucket or key stops the start. Raises `StartError`."""
        try:
            await self.size("qingniao")
            async for _ in self.list("qingniao"):
                break
        except StorageError as exc:
            raise StartError(f"{exc} (blobs.url)") from exc

    async def create(self) -> SpoolWriter:
        """See `Blobs.create`."""
        spool = await asyncio.to_thread(Spool.temporary, limit_bytes=self._limit_bytes)
        return SpoolWriter(spool, self._put)

    async def read(self, path: str, start: int, end: int) -> AsyncIterator[bytes]:
        """See `Blobs.read`."""
        named(path)
        at = start
        while at < end:
            until = min(end, at + PIECE_BYTES)
            with _ours():
                async with asyncio.timeout(self._timeout_s):
                    piece = await obstore.get_range_async(self._store, path, start=at, end=until)
            if len(piece) < until - at:
                raise StorageError("This file is shorter in the object store than it was.")
            at = until
            yield bytes(piece)

    async def size(self, path: str) -> int | None:
        """See `Blobs.size`."""
        try:
            async with asyncio.timeout(self._timeout_s):
                return int((await obstore.head_async(self._store, named(path)))["size"])
        except FileNotFoundError:
            return None
        except (BaseError, OSError, TimeoutError) as exc:
            raise _said(exc) from exc

    async def delete(self, path: str) -> None:
        """See `Blobs.delete`."""
        try:
            with _ours():
                async with asyncio.timeout(self._timeout_s):
                    await obstore.delete_async(self._store, named(path))
        except _Gone:
            pass  # that is what was asked for

    async def list(self, folder: str) -> AsyncIterator[str]:
        """See `Blobs.list`."""
        with _ours():
            pages = aiter(obstore.list(self._store, named(folder)))
            while True:
                async with asyncio.timeout(self._timeout_s):
                    page = await anext(pages, None)
                if page is None:
                    return
                for found in page:
                    yield found["path"]

    async def close(self) -> None:
        """The client's connections go with it."""

    async def _put(self, name: str, spool: Spool) -> None:
        with _ours():
            async with asyncio.timeout(self._timeout_s + spool.size / SLOWEST_BYTES_S):
                await obstore.put_async(self._store, name, spool.file)


class _Gone(StorageError):
    """This file is no longer in the object store."""


@contextmanager
def _ours() -> Iterator[None]:
    """Every error of the client leaves as one of ours."""
    try:
        yield
    except (BaseError, OSError, TimeoutError) as exc:
        raise _said(exc) from exc


def _said(exc: Exception) -> StorageError:
    match exc:
        case FileNotFoundError():
            return _Gone()
        case PermissionDeniedError() | UnauthenticatedError():
            return StorageError("The object store does not let us in: check its keys.")
        case TimeoutError():
            return StorageError("The object store did not answer in time.")
    return StorageError("The object store cannot be reached or refused.")

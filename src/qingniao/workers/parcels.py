"""A built version as one content of the blob store: packed, put, fetched, unpacked.

Owns the parcel's form: an uncompressed tar of a version's folder. Rule: a version appears in the
local folder by one rename, complete and checked against the hash that was announced.
"""

import asyncio
import hashlib
import secrets
import shutil
import tarfile
from pathlib import Path
from typing import BinaryIO, Final

from qingniao.errors import QingniaoError, StorageError
from qingniao.storage.blobs import CHUNK_BYTES, Blobs
from qingniao.training import has_version

__all__ = ["PARCELS", "ParcelDamaged", "fetch", "parcel_name", "put"]

PARCEL_BYTES: Final = 1024 * 1024 * 1024
"""No version is larger, packed or unpacked."""
PARCELS: Final = "knowledge"
"""The folder of the blob store that parcels are in."""


class ParcelDamaged(QingniaoError):
    """What was fetched is not what was announced; it will be built again."""

    code = "parcel"
    temporary = True


def parcel_name(version: str, sha256: str) -> str:
    """Under which name it is in the blob store. The hash is a part of it: a version that is built
    twice has the same meaning, but not the same bytes."""
    return f"{PARCELS}/{version}.{sha256[:16]}.tar"


async def put(blobs: Blobs, folder: Path, version: str) -> str:
    """Store the version that is in `folder`; the parcel's hash. Raises `StorageError` or
    `OSError`."""
    packed = _draft(folder, version)
    writer = await blobs.create()
    try:
        await asyncio.to_thread(_pack, folder / version, packed)
        file = await asyncio.to_thread(packed.open, "rb")
        try:
            digest = hashlib.sha256()
            while piece := await asyncio.to_thread(file.read, CHUNK_BYTES):
                digest.update(piece)
                await writer.write(piece)
        finally:
            file.close()
        sha256 = digest.hexdigest()
        await writer.commit(parcel_name(version, sha256))
        return sha256
    finally:
        await writer.abort()
        await asyncio.to_thread(packed.unlink, missing_ok=True)


async def fetch(blobs: Blobs, folder: Path, version: str, sha256: str) -> None:
    """Bring the version into `folder`, unless it is there. Raises `ParcelDamaged`, `StorageError`
    or `OSError`."""
    if await asyncio.to_thread(has_version, folder, version):
        return
    name = parcel_name(version, sha256)
    size = await blobs.size(name)
    if size is None:
        raise StorageError("This version is no longer in the store of contents.")
    if size > PARCEL_BYTES:
        raise ParcelDamaged
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    packed = _draft(folder, version)
    try:
        file = await asyncio.to_thread(packed.open, "wb")
        try:
            digest = hashlib.sha256()
            async for piece in blobs.read(name, 0, size):
                await asyncio.to_thread(_take, file, digest, piece)
        finally:
            await asyncio.to_thread(file.close)
        if digest.hexdigest() != sha256:
            raise ParcelDamaged
        await asyncio.to_thread(_unpack, packed, folder, version)
    finally:
        await asyncio.to_thread(packed.unlink, missing_ok=True)


def _draft(folder: Path, version: str) -> Path:
    """A name that no other process or task has."""
    return folder / f".{version}.{secrets.token_hex(4)}"


def _take(file: BinaryIO, digest: "hashlib._Hash", piece: bytes) -> None:
    file.write(piece)
    digest.update(piece)


def _pack(version: Path, packed: Path) -> None:
    files = sorted(path for path in version.rglob("*") if path.is_file())
    with tarfile.open(packed, "w") as tar:
        for path in files:
            # Names, sizes and contents only: the same files make the same parcel.
            info = tarfile.TarInfo(path.relative_to(version).as_posix())
            info.size = path.stat().st_size
            with path.open("rb") as file:
                tar.addfile(info, file)


def _unpack(packed: Path, folder: Path, version: str) -> None:
    draft = _draft(folder, version)
    draft.mkdir()
    try:
        left = PARCEL_BYTES
        with tarfile.open(packed, "r:") as tar:
            for info in tar:
                left -= info.size
                parts = Path(info.name).parts
                if not info.isreg() or not parts or left < 0 or {"/", ".."} & set(parts):
                    raise ParcelDamaged
                home = draft.joinpath(*parts)
                home.parent.mkdir(parents=True, exist_ok=True)
                content = tar.extractfile(info)
                assert content is not None  # noqa: S101  it is a regular file
                with content, home.open("wb") as file:
                    shutil.copyfileobj(content, file)
        final = folder / version
        if not has_version(folder, version):
            shutil.rmtree(final, ignore_errors=True)  # a torn one
            try:
                draft.rename(final)
            except OSError:
                # Another process of this machine was quicker, which is as good.
                if not has_version(folder, version):
                    raise
    except tarfile.TarError as exc:
        raise ParcelDamaged from exc
    finally:
        shutil.rmtree(draft, ignore_errors=True)

"""Is the house open, and how is it doing? Rule: never asks a disk or a neighbour; it must answer
when they do not.
"""

import asyncio

from litestar import Response, get

from qingniao.api.bodies import Health
from qingniao.api.identity import Here

__all__ = ["healthz", "metrics"]


@get("/healthz", tags=["house"])
async def healthz(services: Here) -> Response[Health]:
    """200 while messages can be taken and stored, 503 otherwise."""
    status = services.ready()
    return Response(
        Health(status, services.version, list(services.degraded())),
        status_code=200 if status == "ok" else 503,
        headers={"Cache-Control": "no-store"},
    )


@get("/metrics", include_in_schema=False)
async def metrics(services: Here) -> Response[bytes]:
    """For Prometheus."""
    text = await asyncio.to_thread(services.metrics)
    return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")

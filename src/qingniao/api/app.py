"""Puts the HTTP application together. Rule: every route is listed here or in its noun's router."""

from typing import TYPE_CHECKING, Final

from litestar import Litestar
from litestar.datastructures import State
from litestar.di import Provide
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin

from qingniao.api.edge import Edge
from qingniao.api.faults import answer_to
from qingniao.api.identity import me
from qingniao.api.resources import (
    bots,
    conversations,
    files,
    flows,
    house,
    knowledge,
    session,
    site,
    teams,
    users,
    visitors,
)
from qingniao.api.services import Services
from qingniao.api.web_folder import WebFolder

if TYPE_CHECKING:
    from litestar.types import ASGIApp

__all__ = ["BODY_BYTES", "create_app"]

BODY_BYTES: Final = 64 * 1024
"""The largest JSON body. Uploads have their own limits."""


def create_app(services: Services) -> "ASGIApp":
    """The whole HTTP side as one ASGI application."""
    application = Litestar(
        route_handlers=[
            session.router,
            users.router,
            teams.router,
            conversations.router,
            visitors.router,
            files.router,
            files.content,
            site.router,
            knowledge.router,
            bots.router,
            flows.router,
            house.healthz,
            house.metrics,
        ],
        dependencies={
            "services": Provide(lambda: services, sync_to_thread=False),
            "me": Provide(me),
        },
        exception_handlers={Exception: answer_to},
        logging_config=None,
        openapi_config=OpenAPIConfig(
            title="Qingniao",
            version=services.version,
            path="/api/v1/openapi.json",
            render_plugins=[JsonRenderPlugin(path="/")],
        ),
        request_max_body_size=BODY_BYTES,
        state=State({"services": services}),
    )
    return Edge(application, WebFolder(services.web_root))

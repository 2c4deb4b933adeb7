"""The site's public face. Rule: everybody may read it, so nothing private goes in."""

from typing import Any

import msgspec
from litestar import Router, get, patch
from litestar.params import JSONBody

from qingniao.api.bodies import SiteAnswer, SiteChange
from qingniao.api.identity import Here, admins
from qingniao.api.services import Services
from qingniao.storage.rows import Site

__all__ = ["router"]


@get("/")
async def get_site(services: Here) -> SiteAnswer:
    """What a widget needs before anybody says anything."""
    return _answer(await services.site.get(), services)


@patch("/", guards=[admins])
async def change_site(data: JSONBody[SiteChange], services: Here) -> SiteAnswer:
    """Change what is given; a map's other languages stay."""
    changes: dict[str, Any] = msgspec.to_builtins(data)

    def change(held: Site) -> Site:
        given = dict(changes)
        if "greeting" in given:
            given["greeting"] = held.greeting | given["greeting"]
        if "quick" in given:
            quick = {locale: tuple(texts) for locale, texts in given["quick"].items()}
            given["quick"] = held.quick | quick
        return msgspec.structs.replace(held, **given)

    return _answer(await services.site.change(change), services)


def _answer(site: Site, services: Services) -> SiteAnswer:
    return SiteAnswer(
        name=site.name,
        greeting=site.greeting,
        quick=site.quick,
        colour=site.colour,
        file_bytes=services.file_bytes,
        hours=site.hours,
    )


router = Router(path="/api/v1/site", route_handlers=[get_site, change_site], tags=["site"])

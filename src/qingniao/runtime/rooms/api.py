"""The API role: HTTP resources and pages. Owns the application that serves them."""

from pathlib import Path
from typing import Any, Final

import qingniao
from qingniao.api.app import create_app
from qingniao.api.services import Services, Trust
from qingniao.auth import Passwords
from qingniao.bus.base import RateLimits
from qingniao.runtime.changes import Changes
from qingniao.runtime.foundation import Foundation
from qingniao.runtime.furnishing import furnish
from qingniao.runtime.trying import make_trial
from qingniao.storage.files import Files
from qingniao.storage.first_run import FirstRun
from qingniao.storage.ids import IdRange, Ids
from qingniao.storage.rollups import Rollups
from qingniao.storage.site import SiteSettings

__all__ = ["ApiRoom"]

_WEB_ROOT: Final = Path(qingniao.__file__).parent / "web"


class ApiRoom:
    """The application, and the first run of an empty installation."""

    def __init__(self, base: Foundation) -> None:
        self._base = base
        self._passwords = Passwords()
        self.first: FirstRun | None = None

    async def open(self) -> None:
        """Furnish what is empty; `first` has the account that was made."""
        engines = self._base.engines
        self.first = await furnish(engines.database, self._passwords, now_ms=engines.clock())

    def app(self) -> Any:
        """The HTTP side as an ASGI application."""
        return create_app(self._services())

    def _services(self) -> Services:
        base, config = self._base, self._base.config
        engines, bus = base.engines, base.engines.bus
        changes = Changes(engines.log, base.pipeline, bus.fanout, bus.queue, bus.presence)
        return Services(
            users=base.users,
            sessions=base.sessions,
            teams=base.teams,
            visitors=base.visitors,
            index=base.index,
            files=Files(engines.database),
            knowledge=base.knowledge,
            site=SiteSettings(engines.database),
            bots=base.bots,
            sealer=base.sealer,
            build_bot=base.shelf.construct,
            bot_records=base.bot_records,
            flows=base.flows,
            flow_secrets=base.flow_secrets,
            rollups=Rollups(engines.database),
            try_flow=make_trial(base),
            default_bot=config.ai.bot,
            local_bot=lambda: base.local_bot,
            blobs=engines.blobs,
            conversation_numbers=IdRange(Ids(engines.database), "conversation"),
            passwords=self._passwords,
            signer=engines.signer,
            clock=engines.clock,
            presence=bus.presence,
            heads=engines.log.heads,
            rename=changes.rename,
            ready=lambda: base.health.state,
            degraded=bus.degraded,
            metrics=base.metrics.render,
            sign_in_limit=bus.sign_in_limits(engines.clock),
            visitor_limit=self._per_minute("visitors", config.api.visitors_per_minute),
            upload_limit=self._per_minute("uploads", config.api.uploads_per_minute),
            version=qingniao.__version__,
            web_root=_WEB_ROOT,
            file_bytes=config.wire.file_bytes,
            trust=Trust(proxies=base.proxies(), secure=config.public_url.startswith("https:")),
            on_signed_out=changes.signed_out,
            on_user_changed=changes.user_changed,
            on_bots_changed=changes.bots_changed,
            on_flows_changed=changes.flows_changed,
            on_knowledge_changed=changes.knowledge_changed,
        )

    def _per_minute(self, name: str, times: int) -> RateLimits:
        engines = self._base.engines
        limits = engines.bus.rate_limits
        return limits(name, per_s=times / 60, burst=times, clock=engines.clock)

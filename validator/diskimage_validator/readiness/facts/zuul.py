"""What Zuul's web server tells (zuul.web.ZuulWebAPI of Zuul 14.3)."""

from diskimage_validator.frozen import dataclass
from diskimage_validator.readiness.asking import Ask
from diskimage_validator.readiness.facts.servers import ServerAsk
from diskimage_validator.readiness.facts.trouble import Trouble
from diskimage_validator.readiness.secret import Secret


@dataclass(frozen=True)
class ZuulAsk(ServerAsk):
    """Whom all questions go to: the web server at ``url``, with a ``token`` where its API is not for everybody."""

    token: Secret | None


@dataclass(frozen=True)
class Component:
    """A process of Zuul. ``state``: initializing, running, paused or stopped; ``version``: empty if it tells none."""

    kind: str
    hostname: str
    state: str
    version: str


@dataclass(frozen=True)
class Components:
    """All processes that are connected to Zuul's ZooKeeper, in order of kind and host."""

    found: tuple[Component, ...]


@dataclass(frozen=True)
class AskComponents(ZuulAsk, Ask[Components | Trouble]):
    """``/api/components`` of the Zuul at ``url``."""

    @property
    def what(self) -> str:
        """One request."""
        return "GET /api/components"


@dataclass(frozen=True)
class Tenants:
    """The names of all tenants."""

    names: tuple[str, ...]


@dataclass(frozen=True)
class AskTenants(ZuulAsk, Ask[Tenants | Trouble]):
    """``/api/tenants`` of the Zuul at ``url``."""

    @property
    def what(self) -> str:
        """One request."""
        return "GET /api/tenants"


@dataclass(frozen=True)
class TenantStatus:
    """A tenant. ``pipelines``: their names; ``config_errors``: how many; ``labels``: of nodes, None if not asked for.

    ``halted``: what an operator has switched off, such as ``trigger queue paused``, with the reason that was given.
    """

    pipelines: tuple[str, ...]
    halted: tuple[str, ...]
    config_errors: int
    labels: tuple[str, ...] | None


@dataclass(frozen=True)
class AskTenant(ZuulAsk, Ask[TenantStatus | Trouble]):
    """The state of one tenant; its labels if ``labels``."""

    tenant: str
    labels: bool

    @property
    def what(self) -> str:
        """Two or three requests."""
        return f"GET /api/tenant/{self.tenant}/status, /tenant-status{', /labels' if self.labels else ''}"

"""Zuul's web API: the paths and fields are those of zuul/web/__init__.py, ZuulWebAPI."""

from typing import Annotated, Final, TypeVar
from urllib.parse import quote

from pydantic import BaseModel, Field, TypeAdapter

from diskimage_validator.readiness.facts.trouble import Trouble
from diskimage_validator.readiness.facts.zuul import (
    AskComponents,
    AskTenant,
    AskTenants,
    Component,
    Components,
    Tenants,
    TenantStatus,
)
from diskimage_validator.readiness.probes.credentials import bearer
from diskimage_validator.readiness.probes.links import BrokenError
from diskimage_validator.readiness.probes.means import Means
from diskimage_validator.readiness.probes.web import Text, fetch_json
from diskimage_validator.readiness.secret import Secret

Form = TypeVar("Form")


class _Component(BaseModel):
    hostname: Text
    state: Text
    version: Text | None = None


class _Named(BaseModel):
    name: Text


class _State(BaseModel):
    """zuul.model.TenantEventState; versions without it do not send it."""

    trigger_queue_discarding: bool = False
    trigger_queue_paused: bool = False
    result_queue_paused: bool = False
    reason: Text | None = None


class _Status(BaseModel):
    pipelines: list[_Named]
    state: _State = _State()


class _TenantStatus(BaseModel):
    """All errors are counted here, while ``/config-errors`` lists fifty of them unless told otherwise."""

    config_error_count: Annotated[int, Field(ge=0)]


_COMPONENTS: Final = TypeAdapter(dict[Text, list[_Component]])
_NAMED: Final = TypeAdapter(list[_Named])
_STATUS: Final = TypeAdapter(_Status)
_TENANT_STATUS: Final = TypeAdapter(_TenantStatus)
_SWITCHES: Final = ("trigger_queue_discarding", "trigger_queue_paused", "result_queue_paused")


def ask_components(ask: AskComponents, means: Means) -> Components | Trouble:
    """Return all processes of Zuul. Raises UsageError if the token cannot be read."""
    try:
        kinds = _fetch(ask.url, "components", _COMPONENTS, ask.token, means)
    except BrokenError as error:
        return error.trouble
    found = [Component(kind, one.hostname, one.state, one.version or "") for kind in kinds for one in kinds[kind]]
    return Components(tuple(sorted(found, key=lambda one: (one.kind, one.hostname))))


def ask_tenants(ask: AskTenants, means: Means) -> Tenants | Trouble:
    """Return the names of all tenants. Raises UsageError if the token cannot be read."""
    try:
        return Tenants(tuple(one.name for one in _fetch(ask.url, "tenants", _NAMED, ask.token, means)))
    except BrokenError as error:
        return error.trouble


def ask_tenant(ask: AskTenant, means: Means) -> TenantStatus | Trouble:
    """Return the state of a tenant. Raises UsageError if the token cannot be read."""
    path = f"tenant/{quote(ask.tenant, safe='')}"
    try:
        status = _fetch(ask.url, f"{path}/status", _STATUS, ask.token, means)
        errors = _fetch(ask.url, f"{path}/tenant-status", _TENANT_STATUS, ask.token, means)
        labels = _fetch(ask.url, f"{path}/labels", _NAMED, ask.token, means) if ask.labels else None
    except BrokenError as error:
        return error.trouble
    reason = f" ({status.state.reason})" if status.state.reason else ""
    return TenantStatus(
        tuple(one.name for one in status.pipelines),
        tuple(f"{switch.replace('_', ' ')}{reason}" for switch in _SWITCHES if getattr(status.state, switch)),
        errors.config_error_count,
        None if labels is None else tuple(one.name for one in labels),
    )


def _fetch(url: str, path: str, form: TypeAdapter[Form], token: Secret | None, means: Means) -> Form:
    headers = {"Authorization": bearer(token, means)} if token else {}
    return fetch_json(f"{url}/api/{path}", form, means, headers)

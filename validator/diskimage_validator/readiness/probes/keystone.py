"""A token of OpenStack's identity service, for who is in a ``clouds.yaml``.

Identity API v3: https://docs.openstack.org/api-ref/identity/v3/#authentication-and-token-management. The keys of
``clouds.yaml`` are those of openstacksdk's configuration; of its ways to log in, passwords and application credentials
are known here. The CAs that count are the factory's, and not a ``cacert`` in there.
"""

import json
from typing import Annotated, Any, Final, Literal

import yaml
from pydantic import BaseModel, Field, ValidationError

from diskimage_validator.errors import EngineError, UsageError
from diskimage_validator.frozen import dataclass
from diskimage_validator.readiness.probes.http import Reply, ask_http
from diskimage_validator.readiness.probes.links import BrokenError
from diskimage_validator.readiness.probes.means import Means
from diskimage_validator.readiness.secret import Secret

HINT: Final = "it needs auth_url, and username, password and project_name, or application_credential_id and _secret"
_NO_KEYSTONE: Final = "is auth_url that of Keystone v3, and does it answer this host?"
MAX_TOKEN: Final = 1024 * 1024
"""Bytes of a token with its catalogue: every value in it may be wrong, and each that is costs a kilobyte."""


class _Auth(BaseModel):
    auth_url: Annotated[str, Field(pattern=r"^[^@\s]+$")]
    """Without a user and a password in it: messages name the server."""
    username: str = ""
    user_id: str = ""
    password: str = ""
    project_name: str = ""
    project_id: str = ""
    user_domain_name: str = ""
    user_domain_id: str = "default"
    project_domain_name: str = ""
    project_domain_id: str = "default"
    application_credential_id: str = ""
    application_credential_secret: str = ""


class _Cloud(BaseModel):
    auth: _Auth
    region_name: str = ""
    interface: Literal["public", "internal", "admin"] = "public"


class _Endpoint(BaseModel):
    interface: str
    url: str
    region: str | None = None


class _Service(BaseModel):
    type: str
    endpoints: list[_Endpoint] = []


class _Token(BaseModel):
    catalog: list[_Service] = []


class _Answer(BaseModel):
    token: _Token


@dataclass(frozen=True)
class Session:
    """A token, and where the services are for it."""

    token: str
    _endpoints: tuple[tuple[str, str], ...]

    def url(self, kind: str) -> str:
        """Return the URL of a service by its type, without slashes at its end. Raises EngineError if there is none."""
        for name, url in self._endpoints:
            if name == kind:
                return url.rstrip("/")
        raise EngineError(f"the cloud's catalogue has no service '{kind}'", "look at region_name and interface")


def log_in(clouds: Secret, name: str, means: Means) -> Session:
    """Return a session in the cloud ``name`` of ``clouds``, a clouds.yaml.

    Raises UsageError for a file that is none, EngineError if the cloud lets nobody in.
    """
    cloud = _cloud(clouds, name, means)
    base = cloud.auth.auth_url.rstrip("/")
    place = f"{base if base.endswith('/v3') else base + '/v3'}/auth/tokens"
    body = json.dumps({"auth": _asked(cloud.auth)}).encode()
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    try:
        reply = ask_http(means, "POST", place, headers=headers, body=body, limit=MAX_TOKEN)
    except BrokenError as error:
        raise EngineError(f"the identity service of {name}: {error}", _NO_KEYSTONE) from error
    if reply.status == 401:
        raise EngineError(f"the identity service of {name} does not let this account in", f"look at {clouds}")
    return _session(reply, cloud, name)


def _cloud(clouds: Secret, name: str, means: Means) -> _Cloud:
    """Read the file. What is wrong in it may be a secret, so that no message repeats it."""
    try:
        whole = yaml.safe_load(clouds.read(means.folder))
        return _Cloud.model_validate(whole["clouds"][name])
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{clouds} is no clouds.yaml", "is this the right file?") from error
    except (KeyError, TypeError) as error:
        raise UsageError(f"{clouds} knows no cloud '{name}'", "add it there, or name another one") from error
    except ValidationError as error:
        where = ".".join(map(str, error.errors(include_input=False)[0]["loc"]))
        raise UsageError(f"{clouds}: the cloud '{name}': {where}: missing, or not what is wanted", HINT) from error


def _asked(auth: _Auth) -> dict[str, Any]:
    if auth.application_credential_id:
        credential = {"id": auth.application_credential_id, "secret": auth.application_credential_secret}
        return {"identity": {"methods": ["application_credential"], "application_credential": credential}}
    user = {"id": auth.user_id} if auth.user_id else {"name": auth.username, "domain": _domain(auth, "user")}
    project: dict[str, Any] = {"id": auth.project_id} if auth.project_id else {"name": auth.project_name}
    if not auth.project_id:
        project["domain"] = _domain(auth, "project")
    identity = {"methods": ["password"], "password": {"user": {**user, "password": auth.password}}}
    return {"identity": identity, "scope": {"project": project}}


def _domain(auth: _Auth, of: str) -> dict[str, str]:
    name = getattr(auth, f"{of}_domain_name")
    return {"name": name} if name else {"id": getattr(auth, f"{of}_domain_id")}


def _session(reply: Reply, cloud: _Cloud, name: str) -> Session:
    token = reply.headers.get("x-subject-token", "")
    if reply.status != 201 or not token.isascii() or not token.isprintable() or not token:
        raise EngineError(f"the identity service of {name}: {reply.said}", _NO_KEYSTONE)
    try:
        catalog = _Answer.model_validate_json(reply.body).token.catalog
    except ValidationError as error:
        message = f"the identity service of {name} answers with something else than a token"
        raise EngineError(message, _NO_KEYSTONE) from error
    endpoints = [
        (service.type, endpoint.url)
        for service in catalog
        for endpoint in service.endpoints
        if endpoint.interface == cloud.interface and cloud.region_name in ("", endpoint.region)
    ]
    return Session(token, tuple(endpoints))

"""Gerrit's REST API (Documentation/rest-api.html, rest-api-config.html, rest-api-projects.html).

Its JSON begins with ``)]}'``, which keeps browsers from running it as a script. Paths below ``/a/`` are those for users
that log in.
"""

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from pydantic import BaseModel, TypeAdapter

from diskimage_validator.readiness.facts.git import AskGerrit, AskGerritProject, Branches, GerritVersion
from diskimage_validator.readiness.facts.trouble import Trouble
from diskimage_validator.readiness.probes.credentials import basic
from diskimage_validator.readiness.probes.links import BrokenError
from diskimage_validator.readiness.probes.means import Means
from diskimage_validator.readiness.probes.web import Text, fetch_json

PREFIX: Final = b")]}'"
HEADS: Final = "refs/heads/"


class _BranchInfo(BaseModel):
    ref: Text


_VERSION: Final = TypeAdapter(Text)
_BRANCHES: Final = TypeAdapter(list[_BranchInfo])


def ask_gerrit(ask: AskGerrit, means: Means) -> GerritVersion | Trouble:
    """Return the version of a Gerrit. Raises UsageError if the password cannot be read."""
    base, headers = _door(ask, means)
    try:
        return GerritVersion(fetch_json(f"{base}/config/server/version", _VERSION, means, headers, prefix=PREFIX))
    except BrokenError as error:
        return error.trouble


def ask_gerrit_project(ask: AskGerritProject, means: Means) -> Branches | Trouble:
    """Return the branches of a project. Raises UsageError if the password cannot be read."""
    base, headers = _door(ask, means)
    try:
        url = f"{base}/projects/{quote(ask.project, safe='')}/branches/"
        found = fetch_json(url, _BRANCHES, means, headers, prefix=PREFIX)
    except BrokenError as error:
        return error.trouble
    return Branches(tuple(one.ref.removeprefix(HEADS) for one in found if one.ref.startswith(HEADS)))


def _door(ask: AskGerrit | AskGerritProject, means: Means) -> tuple[str, Mapping[str, str]]:
    """Return where the API is, and what to send with each request."""
    if ask.user is None or ask.password is None:
        return ask.url, {}
    return f"{ask.url}/a", {"Authorization": basic(ask.user, ask.password, means)}

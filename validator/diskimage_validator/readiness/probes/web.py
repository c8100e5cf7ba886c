"""JSON of web services, in the form that is expected of it."""

from collections.abc import Mapping
from typing import Annotated, Final, TypeVar

from pydantic import AfterValidator, TypeAdapter, ValidationError

from diskimage_validator.printable import printable
from diskimage_validator.readiness.facts.trouble import Kind
from diskimage_validator.readiness.probes.http import Reply, ask_http
from diskimage_validator.readiness.probes.links import BrokenError
from diskimage_validator.readiness.probes.means import Means

MAX_VALUES: Final = 200_000
"""Values in a JSON text: each may become an error of a kilobyte, if all of them are wrong."""
MAX_TEXT: Final = 200
"""Characters of a name or a version that a service tells."""
_KINDS: Final[Mapping[int, Kind]] = {401: "denied", 403: "denied", 404: "absent"}

Answer = TypeVar("Answer")
Text = Annotated[str, AfterValidator(lambda text: printable(text, MAX_TEXT))]
"""A string that somebody else wrote, for reports."""


def fetch_json(
    url: str,
    form: TypeAdapter[Answer],
    means: Means,
    headers: Mapping[str, str] = {},
    *,
    prefix: bytes = b"",
) -> Answer:
    """Return the JSON at ``url`` in its ``form``, without ``prefix`` if it begins with that. Raises BrokenError.

    ``url`` is in the form that the rules let pass, with TLS or without.
    """
    reply = good(ask_http(means, "GET", url, headers={"Accept": "application/json", **headers}, plain=True))
    if sum(map(reply.body.count, (b",", b"[", b"{"))) > MAX_VALUES:
        raise BrokenError("answer", f"answers with more than {MAX_VALUES} values")
    try:
        return form.validate_json(reply.body.removeprefix(prefix))
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        if first["type"] == "json_invalid":
            media = reply.headers.get("content-type", "")
            kind = f"Content-Type {printable(media, 60)}" if media else "without a Content-Type"
            raise BrokenError("answer", f"answers with something else than JSON ({kind})") from error
        where = printable(".".join(map(str, first["loc"])), 60)
        raise BrokenError(
            "answer", f"answers with other JSON than is expected: {where or 'it'}: {first['msg']}"
        ) from error


def good(reply: Reply) -> Reply:
    """Return a reply whose status is 200. Raises BrokenError for any other."""
    if reply.status == 200:
        return reply
    leads = 300 <= reply.status < 400 and reply.headers.get("location")
    raise BrokenError("redirect" if leads else _KINDS.get(reply.status, "status"), f"answers {reply.said}")

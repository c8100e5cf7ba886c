"""What hosts, ports, URLs and names must look like.

They all end up in configuration files of several syntaxes, so each rule lets through what is needed and nothing that
is a quote, a space, a comment or a variable to any of them.
"""

import ipaddress
import re
from pathlib import Path

from site_document import Value

LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
HOST_NAME = re.compile(rf"(?=.{{1,253}}\Z){LABEL}(?:\.{LABEL})*")
PATH = re.compile(r"(?:[A-Za-z0-9._~+=:@/-]|%[0-9A-Fa-f]{2})*")
PATH_WITH_VARIABLES = re.compile(r"(?:[A-Za-z0-9._~+=:@/-]|%[0-9A-Fa-f]{2}|\$[a-z_]+|\$\{[a-z_]+\})*")
REPOSITORY = re.compile(r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*")
WORD = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._+/-]*[A-Za-z0-9])?")
ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def is_host(text: str) -> bool:
    """Whether this is a host name in lower case, an IPv4 address, or an IPv6 address in square brackets."""
    if text.startswith("[") and text.endswith("]"):
        return is_address(text[1:-1], 6)
    if re.fullmatch(r"[0-9]+", text.rpartition(".")[2]):
        return is_address(text, 4)
    return HOST_NAME.fullmatch(text) is not None


def is_address(text: str, version: int | None = None) -> bool:
    """Whether this is an IP address (of this version), without a scope."""
    try:
        return "%" not in text and ipaddress.ip_address(text).version == (version or ipaddress.ip_address(text).version)
    except ValueError:
        return False


def split_port(text: str) -> tuple[str, int | None] | None:
    """Return host and port of ``host[:port]``; None if it is not one."""
    match = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[^:\[\]]+)(?::([1-9][0-9]{0,4}))?", text)
    if not match or not is_host(match[1]) or int(match[2] or 1) > 65535:
        return None
    return match[1], int(match[2]) if match[2] else None


def url(value: Value, *, plain_http: bool = False, variables: bool = False, file: bool = False) -> str | None:
    """Return an https URL; report anything else.

    ``plain_http``: its entry allows http, too; ``variables``: ``$releasever`` and so on may stand in its path;
    ``file``: ``file:///path`` will do as well.
    """
    text = value.text()
    if text is None:
        return None
    scheme, separator, rest = text.partition("://")
    authority, slash, path = rest.partition("/")
    if file and scheme == "file" and separator and not authority and PATH.fullmatch(path):
        return text
    if not separator or scheme not in ("https", "http"):
        value.fail(f"must begin with https://{' or file:///' if file else ''}")
    elif "@" in authority:
        value.fail("holds a user name or a password; a URL in an image is no place for one")
    elif split_port(authority) is None:
        value.fail("its host must be a name in lower case or an IP address, with a port from 1 to 65535 or none")
    elif not (PATH_WITH_VARIABLES if variables else PATH).fullmatch(path):
        value.fail("a character in its path is not allowed: letters, digits, . _ ~ + = : @ / - and %xx are")
    elif scheme == "http" and not plain_http:
        value.fail("is plain http; use https" + ("" if file else ", or add allow_plain_http: true to the entry"))
    else:
        return f"{scheme}://{authority}{slash}{path}"
    return None


def registry(value: Value) -> str | None:
    """Return what the name of an image begins with, such as ``registry.internal:5000/kolla``; report anything else."""
    text = value.text()
    if text is None:
        return None
    authority, slash, path = text.partition("/")
    host_port = split_port(authority)
    if "://" in text:
        value.fail("is a URL; write host:port and a path, without https://")
    elif "@" in text:
        value.fail("holds a user name, a password or a digest")
    elif host_port is None or (slash and not REPOSITORY.fullmatch(path)):
        value.fail("must be host[:port][/path] in lower case")
    elif host_port[1] is None and "." not in authority and authority != "localhost":
        value.fail(f"{authority} needs a dot or a port, or tools take it for a part of an image's path")
    else:
        return text
    return None


def matching(value: Value, pattern: re.Pattern[str], what: str) -> str | None:
    """Return text that matches as a whole; report anything else as not being ``what``."""
    text = value.text()
    if text is None or pattern.fullmatch(text):
        return text
    value.fail(f"must be {what}")
    return None


def port(value: Value) -> int | None:
    """Return a port; report anything else."""
    number = value.number()
    if number is None or 1 <= number <= 65535:
        return number
    value.fail("a port is a number from 1 to 65535")
    return None


def image_path(value: Value) -> str | None:
    """Return the absolute path of a file in the image."""
    text = matching(value, re.compile(r"/[A-Za-z0-9._+/-]+"), "an absolute path of plain characters")
    if text is not None and ".." in text.split("/"):
        value.fail("must not hold ..")
        return None
    return text


def pem_file(value: Value, marker: str, what: str, *, without: str) -> str | None:
    """Return the absolute path of a PEM file on the build host that holds ``marker`` and not ``without``."""
    text = value.text()
    if text is None:
        return None
    if not text.startswith("/") or "\n" in text:
        value.fail("must be an absolute path on the build host")
        return None
    try:
        content = Path(text).read_bytes()
    except OSError as error:
        value.fail(f"{text}: {error.strerror}")
        return None
    if not re.search(rb"-----BEGIN [A-Z0-9 ]*" + marker.encode() + rb"-----", content):
        value.fail(f"{text} holds no {what} in PEM form")
    elif re.search(rb"-----BEGIN [A-Z0-9 ]*" + without.encode() + rb"-----", content):
        value.fail(f"{text} holds a {without.lower()} as well; give each in a file of its own")
    else:
        return text
    return None

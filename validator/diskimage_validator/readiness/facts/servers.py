"""Servers by the names under which a factory has them."""

from diskimage_validator.endpoints import Address, parse_address
from diskimage_validator.errors import UsageError
from diskimage_validator.frozen import dataclass


@dataclass(frozen=True)
class ServerAsk:
    """Whom a question goes to: the server at ``url``."""

    url: str

    @property
    def target(self) -> str:
        """The server."""
        return self.url

    @property
    def server_names(self) -> tuple[str, ...]:
        """Whom the URL names."""
        return names_in(self.url)


def server_of(url: str) -> str:
    """Return whom a URL names: NAME or NAME:PORT, perhaps with a user in front."""
    return url.split("/")[2]


def names_in(*urls: str) -> tuple[str, ...]:
    """Return the names of the servers of ``urls``; neither an IP address nor the path of a file is one."""
    return tuple(name for url in urls if "://" in url for name in _names(server_of(url)))


def name_of(address: Address) -> tuple[str, ...]:
    """Return the name of a server, if it is not an IP address."""
    return (address.name,) if address.ip is None else ()


def registry_name(image: str) -> tuple[str, ...]:
    """Return the name of the registry of an image, ``NAME[:PORT]/...``, if it is not an IP address."""
    return _names(image.partition("/")[0])


def _names(server: str) -> tuple[str, ...]:
    try:
        return name_of(parse_address(server.rpartition("@")[2]))
    except UsageError:  # nobody can be asked for that
        return ()

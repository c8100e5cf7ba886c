"""What web servers serve: questions and answers (RFC 9110)."""

from diskimage_validator.frozen import dataclass
from diskimage_validator.readiness.asking import Ask
from diskimage_validator.readiness.facts.servers import names_in, server_of


@dataclass(frozen=True)
class Page:
    """What is at a URL.

    ``said``: the status in words; ``content_type``: without parameters, in lower case; ``encoding``: how the content
    was compressed for the way; ``text``: its beginning, decompressed; ``trouble``: why there is no answer, as a
    sentence, and then nothing else is filled.
    """

    status: int = 0
    said: str = ""
    content_type: str = ""
    encoding: str = ""
    text: str = ""
    trouble: str = ""


@dataclass(frozen=True)
class AskPage(Ask[Page]):
    """What is at ``url``."""

    url: str

    @property
    def target(self) -> str:
        """The server."""
        return server_of(self.url)

    @property
    def server_names(self) -> tuple[str, ...]:
        """Whom the URL names."""
        return names_in(self.url)

    @property
    def what(self) -> str:
        """One request."""
        return f"GET {self.url}"


@dataclass(frozen=True)
class WebPath:
    """Whether a file that was written is served.

    ``seconds``: how long that took, None if it was not; ``trouble``: why not, as a sentence; ``left``: the file that
    could not be removed, and why.
    """

    seconds: float | None = None
    trouble: str = ""
    left: str = ""


@dataclass(frozen=True)
class AskWebPath(Ask[WebPath]):
    """A small new file in the folder ``path`` of ``node``, as it is served below ``url`` within ``seconds``."""

    url: str
    node: str
    path: str
    seconds: float

    @property
    def target(self) -> str:
        """Both ends."""
        return f"{'this host' if self.node == '/' else self.node} and {server_of(self.url)}"

    @property
    def server_names(self) -> tuple[str, ...]:
        """Whom the URL names."""
        return names_in(self.url)

    @property
    def what(self) -> str:
        """It writes: this says so."""
        return f"WRITE a small file into {self.path}, GET it below {self.url} for {self.seconds:g} s, and remove it"

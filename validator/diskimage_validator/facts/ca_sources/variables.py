"""Environment variables that say which CAs a program trusts, or that it verifies nothing."""

from collections.abc import Callable
from typing import Final

from diskimage_validator.facts.ca_sources.noted import Noted
from diskimage_validator.facts.sources.found import is_false, is_true
from diskimage_validator.frozen import dataclass

KIND: Final = "environment"


@dataclass(frozen=True)
class Names:
    """A variable that names CAs: a file, or ``several`` folders; ``adds``: they are trusted besides others.

    ``empty_is_off``: what it does to set it to nothing, if that switches verification off.
    """

    several: bool = False
    adds: bool = False
    empty_is_off: str = ""


@dataclass(frozen=True)
class Switches:
    """A variable that switches verification off if ``when`` says so of its value."""

    when: Callable[[str], bool]
    consequence: str


def _any(_: str) -> bool:
    return True


def _is_set(value: str) -> bool:
    return bool(value)


_FILE: Final = Names()
_REQUESTS: Final = Names(empty_is_off="requests before 2.28 verifies nothing where this is empty")

VARIABLES: Final[dict[str, Names | Switches]] = {
    # OpenSSL: SSL_CTX_set_default_verify_paths(3); Go: crypto/x509 root_unix.go; httpx, uv, rustls-native-certs.
    "SSL_CERT_FILE": _FILE,
    "SSL_CERT_DIR": Names(several=True),
    "REQUESTS_CA_BUNDLE": _REQUESTS,  # requests "SSL Cert Verification"
    "CURL_CA_BUNDLE": _REQUESTS,  # curl(1), and requests after its own
    "PIP_CERT": _FILE,
    "NODE_EXTRA_CA_CERTS": Names(adds=True),  # Node.js "Command-line API"
    "NPM_CONFIG_CAFILE": _FILE,
    "GIT_SSL_CAINFO": _FILE,  # git-config(1), http.sslCAInfo
    "GIT_SSL_CAPATH": Names(several=True),
    "GIT_PROXY_SSL_CAINFO": _FILE,
    "AWS_CA_BUNDLE": _FILE,  # botocore "Configuration"
    "CARGO_HTTP_CAINFO": _FILE,
    "CONDA_SSL_VERIFY": Names(),
    "DENO_CERT": Names(adds=True),
    "HTTPLIB2_CA_CERTS": _FILE,
    "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": _FILE,
    "PERL_LWP_SSL_CA_FILE": _FILE,  # LWP::UserAgent(3pm)
    "PERL_LWP_SSL_CA_PATH": Names(several=True),
    "HTTPS_CA_FILE": _FILE,
    "NIX_SSL_CERT_FILE": _FILE,
    "BUNDLE_SSL_CA_CERT": _FILE,
    "HEX_CACERTS_PATH": _FILE,
    "OS_CACERT": _FILE,  # OpenStackClient "Configuration"
    "VAULT_CACERT": _FILE,
    # git reads no value: http.c asks whether the variable is there.
    "GIT_SSL_NO_VERIFY": Switches(_any, "git accepts any certificate, whatever the value is"),
    "NODE_TLS_REJECT_UNAUTHORIZED": Switches(lambda value: value == "0", "Node.js accepts any certificate"),
    "PYTHONHTTPSVERIFY": Switches(lambda value: value == "0", "Python 2 accepts any certificate (PEP 493)"),
    "PERL_LWP_SSL_VERIFY_HOSTNAME": Switches(lambda value: value in ("", "0"), "LWP accepts any certificate"),
    "PIP_TRUSTED_HOST": Switches(_is_set, "pip takes packages from these hosts with any certificate"),
    "UV_INSECURE_HOST": Switches(_is_set, "uv takes packages from these hosts with any certificate"),
    "NPM_CONFIG_STRICT_SSL": Switches(is_false, "npm accepts any certificate"),
    "YARN_STRICT_SSL": Switches(is_false, "yarn accepts any certificate"),
    "YARN_ENABLE_STRICT_SSL": Switches(is_false, "yarn accepts any certificate"),
    "GOINSECURE": Switches(_is_set, "Go takes these modules without TLS or with any certificate"),
    "VAULT_SKIP_VERIFY": Switches(is_true, "vault accepts any certificate"),
    "ANSIBLE_GALAXY_IGNORE": Switches(is_true, "ansible-galaxy accepts any certificate"),
}
"""By name. npm reads its own in lower case, too."""


def is_about_cas(name: str) -> bool:
    """Whether ``note_variable`` knows the variable."""
    return _known(name) in VARIABLES


def _known(name: str) -> str:
    return name.upper() if name.startswith("npm_") else name


def note_variable(
    noted: Noted, path: str, line: int, name: str, value: str, *, home: str = "", computed: bool = False
) -> None:
    """Note what the variable means, if it is about CAs. ``home`` is whose ``~`` and ``$HOME`` the value may name."""
    meaning = VARIABLES.get(_known(name))
    if isinstance(meaning, Switches):
        if meaning.when is _any or (not computed and meaning.when(value)):
            noted.off(KIND, name, path, line, meaning.consequence)
    elif meaning and not value and not computed:
        if meaning.empty_is_off:
            noted.off(KIND, name, path, line, meaning.empty_is_off)
    elif meaning and name == "CONDA_SSL_VERIFY" and is_false(value):
        noted.off(KIND, name, path, line, "conda accepts any certificate")
    elif meaning and not (name == "CONDA_SSL_VERIFY" and not value.startswith("/")):
        noted.points(
            KIND, name, path, line, value, home=home, adds=meaning.adds, computed=computed, several=meaning.several
        )

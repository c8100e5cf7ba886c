"""The grammar of sshd_config(5): its words, its keywords, and which of them may be where."""

import re
from typing import Final

FLAGS: Final = frozenset(
    """AllowAgentForwarding DebianBanner DisableForwarding ExposeAuthInfo GSSAPIAuthentication GSSAPICleanupCredentials
    GSSAPIKeyExchange GSSAPIStoreCredentialsOnRekey GSSAPIStrictAcceptorCheck HostbasedAuthentication
    HostbasedUsesNameFromPacketOnly IgnoreUserKnownHosts KbdInteractiveAuthentication KerberosAuthentication
    KerberosGetAFSToken KerberosOrLocalPasswd KerberosTicketCleanup PasswordAuthentication PermitEmptyPasswords
    PermitTTY PermitUserRC PrintLastLog PrintMotd PubkeyAuthentication RefuseConnection StreamLocalBindUnlink
    StrictModes
    TCPKeepAlive UseDNS UsePAM X11Forwarding X11UseLocalhost""".lower().split()
)
"""Keywords whose value is ``yes`` or ``no``."""

LISTS: Final = frozenset(
    [
        "acceptenv",
        "allowgroups",
        "allowusers",
        "denygroups",
        "denyusers",
        "hostcertificate",
        "hostkey",
        "listenaddress",
        "logverbose",
        "port",
    ]
)
"""Keywords that may be given several times, each adding to the others."""

IN_MATCH: Final = frozenset(
    """AcceptEnv AllowAgentForwarding AllowGroups AllowStreamLocalForwarding AllowTcpForwarding AllowUsers
    AuthenticationMethods AuthorizedKeysCommand AuthorizedKeysCommandUser AuthorizedKeysFile AuthorizedPrincipalsCommand
    AuthorizedPrincipalsCommandUser AuthorizedPrincipalsFile Banner CASignatureAlgorithms ChannelTimeout ChrootDirectory
    ClientAliveCountMax ClientAliveInterval DenyGroups DenyUsers DisableForwarding ExposeAuthInfo ForceCommand
    GatewayPorts GSSAPIAuthentication HostbasedAcceptedAlgorithms HostbasedAuthentication
    HostbasedUsesNameFromPacketOnly IgnoreRhosts Include IPQoS KbdInteractiveAuthentication KerberosAuthentication
    LogLevel MaxAuthTries MaxSessions PasswordAuthentication PermitEmptyPasswords PermitListen PermitOpen
    PermitRootLogin PermitTTY PermitTunnel PermitUserRC PubkeyAcceptedAlgorithms PubkeyAuthentication PubkeyAuthOptions
    RDomain RefuseConnection RekeyLimit RevokedKeys SetEnv StreamLocalBindMask StreamLocalBindUnlink TrustedUserCAKeys
    UnusedConnectionTimeout X11DisplayOffset X11Forwarding X11MaxDisplays X11UseLocalhost Match Subsystem
    GSSAPIEnablek5users KerberosUseKuserok KerberosTicketCleanup
    KerberosOrLocalPasswd""".lower().split()
)
"""Keywords that may follow a Match, those of distributions' patches included."""

_OTHERS: Final = frozenset(
    """AddressFamily AuthorizedKeysFile2 Ciphers Compression FingerprintHash GSSAPIKexAlgorithms HostCertificate
    HostDSAKey HostKey HostKeyAgent HostKeyAlgorithms KexAlgorithms ListenAddress LoginGraceTime LogVerbose MACs
    MaxStartups ModuliFile PermitUserEnvironment PerSourceMaxStartups PerSourceNetBlockSize PerSourcePenalties
    PerSourcePenaltyExemptList PidFile Port RequiredRSASize RSAMinSize SecurityKeyProvider SshdAuthPath SshdSessionPath
    SyslogFacility VersionAddendum XAuthLocation
    GSSAPIUseSessionCredCache KerberosUniqueCCache KerberosUseKuserok""".lower().split()
)
DEPRECATED: Final = frozenset(
    """AFSTokenPassing CheckMail DSAAuthentication KeyRegenerationInterval KerberosTgtPassing PAMAuthenticationViaKbdInt
    PermitBlacklistedKeys Protocol ReverseMappingCheck RhostsAuthentication RhostsRSAAuthentication RSAAuthentication
    ServerKeyBits UseLogin UsePrivilegeSeparation VerifyReverseMapping KeepAlive""".lower().split()
)
"""Keywords that sshd still accepts, and ignores."""
_DEPRECATED_IN_MATCH: Final = frozenset({"rhostsrsaauthentication", "rsaauthentication"})

SYNONYMS: Final = {
    "challengeresponseauthentication": "kbdinteractiveauthentication",
    "skeyauthentication": "kbdinteractiveauthentication",
    "pubkeyacceptedkeytypes": "pubkeyacceptedalgorithms",
    "hostbasedacceptedkeytypes": "hostbasedacceptedalgorithms",
    "gssapicleanupcreds": "gssapicleanupcredentials",
    "gssusesessionccache": "gssapiusesessioncredcache",
}
KNOWN: Final = FLAGS | LISTS | IN_MATCH | _OTHERS

DEFAULTS: Final = {
    "allowagentforwarding": "yes",
    "allowstreamlocalforwarding": "yes",
    "allowtcpforwarding": "yes",
    "authenticationmethods": "any",
    "authorizedkeyscommand": "none",
    "authorizedkeysfile": ".ssh/authorized_keys .ssh/authorized_keys2",
    "authorizedprincipalsfile": "none",
    "banner": "none",
    "chrootdirectory": "none",
    "clientalivecountmax": "3",
    "clientaliveinterval": "0",
    "disableforwarding": "no",
    "forcecommand": "none",
    "gatewayports": "no",
    "gssapiauthentication": "no",
    "hostbasedauthentication": "no",
    "ignorerhosts": "yes",
    "kbdinteractiveauthentication": "yes",
    "kerberosauthentication": "no",
    "logingracetime": "120",
    "loglevel": "INFO",
    "maxauthtries": "6",
    "maxsessions": "10",
    "passwordauthentication": "yes",
    "permitemptypasswords": "no",
    "permitrootlogin": "prohibit-password",
    "permittty": "yes",
    "permittunnel": "no",
    "permituserenvironment": "no",
    "permituserrc": "yes",
    "port": "22",
    "printlastlog": "yes",
    "printmotd": "yes",
    "pubkeyauthentication": "yes",
    "strictmodes": "yes",
    "syslogfacility": "AUTH",
    "tcpkeepalive": "yes",
    "trustedusercakeys": "none",
    "usedns": "no",
    "usepam": "no",
    "x11displayoffset": "10",
    "x11forwarding": "no",
    "x11uselocalhost": "yes",
}
"""What OpenSSH takes where a file says nothing, as sshd_config(5) documents it."""

_LINE: Final = re.compile(r"\s*([^\s=\"#]+)(?:\s*=\s*|\s+|$)(.*)", re.DOTALL)
# Possessive, because a backslash fits two ways: trying all of them for a quote that is not closed would never end.
_WORD: Final = re.compile(r"""\s*((?:"(?:\\["\\]|[^"])*+"|'(?:\\['\\]|[^'])*+'|\\["'\\ ]|[^\s"'])++)""")
_PART: Final = re.compile(r""""((?:\\["\\]|[^"])*+)"|'((?:\\['\\]|[^'])*+)'|\\(["'\\ ])|([^\s"'])""")
_REST: Final = re.compile(r"\s*(?:#|\Z)")


class BadLineError(Exception):
    """A line that sshd refuses, and so refuses to start."""


def parse_line(line: str) -> tuple[str, list[str]] | None:
    """Return the keyword in lower case and its arguments, None for a line that says nothing. Raises BadLineError."""
    text = line.strip()
    if not text or text.startswith("#"):
        return None
    match = _LINE.fullmatch(text)
    if match is None:
        raise BadLineError("it starts with no keyword")
    keyword = match[1].lower()
    return SYNONYMS.get(keyword, keyword), _words(match[2])


def _words(text: str) -> list[str]:
    words: list[str] = []
    position = 0
    while not _REST.match(text, position):
        match = _WORD.match(text, position)
        if match is None or (match.end() < len(text) and not text[match.end()].isspace()):
            raise BadLineError("a quote is not closed")
        words.append(
            _PART.sub(lambda part: next((group for group in part.groups() if group is not None), ""), match[1])
        )
        position = match.end()
    return words


def fault(keyword: str, arguments: list[str], *, in_match: bool) -> str:
    """Return why sshd does not start with this line, as far as keywords and flags tell; empty if it does."""
    if keyword in DEPRECATED:
        return f"{keyword} is not allowed after a Match" if in_match and keyword not in _DEPRECATED_IN_MATCH else ""
    if keyword not in KNOWN:
        return f"sshd has no keyword {keyword[:60]}"
    if not arguments and keyword not in ("denyusers", "denygroups", "allowusers", "allowgroups", "acceptenv"):
        return f"{keyword} has no value"
    if in_match and keyword not in IN_MATCH:
        return f"{keyword} is not allowed after a Match"
    if keyword in FLAGS and arguments[0].lower() not in ("yes", "no"):
        return f"{keyword} wants yes or no"
    return ""

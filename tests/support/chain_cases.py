"""One chain for every way in which a chain can be right or wrong, and what is to be said of it."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509

from tests.support.chains import CLIENT, Made, authority, server
from tests.support.pki import NOW, YEAR

HOST = "registry.internal"
PAST = (NOW - 2 * YEAR, NOW - YEAR)
FUTURE = (NOW + datetime.timedelta(days=1), NOW + YEAR)
DAYLIGHT = x509.KeyUsage(False, True, False, False, False, False, False, False, False)
KEY_CERT_SIGN = x509.KeyUsage(True, False, False, False, False, True, False, False, False)
UNKNOWN_CRITICAL = (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"), True)


@dataclass(frozen=True)
class Case:
    """What is presented and trusted; ``fault`` is part of the explanation, empty for a chain that is trusted."""

    id: str
    chain: Sequence[Made]
    trusted: Sequence[Made]
    fault: str = ""
    address: str = HOST
    differs: str = ""
    """Why OpenSSL is of another opinion, if it is."""


def cases() -> list[Case]:
    root = authority("Root", cert_sign=True)
    inter = authority("Issuing CA", root, cert_sign=True)
    leaf = server(inter, HOST)
    other = authority("Other Root")
    renewed = authority("Root", key_name="Root, renewed")
    plain = authority("Plain Root", identifiers=False)
    short = authority("Short Root", path_length=0)
    below = authority("Below", short)
    named = authority("Named Root", constraints=x509.NameConstraints([x509.DNSName("internal")], None))
    barred = authority("Barred Root", constraints=x509.NameConstraints(None, [x509.DNSName("registry.internal")]))
    crossed = authority("Issuing CA", other, cert_sign=True)
    old_crossed = authority("Issuing CA", other, cert_sign=True, valid=PAST)
    weak = authority("Weak Root", kind="rsa1024")
    rsa = authority("RSA Root", kind="rsa2048")
    edwards = authority("Edwards Root", kind="ed25519")
    old = authority("Old", valid=PAST)
    own = server(None, HOST)
    own_ca = authority("registry.internal")
    unsure = "OpenSSL knows it, this library does not"
    return [
        Case("good", [leaf, inter], [root]),
        Case("root presented, too", [leaf, inter, root], [other, root]),
        Case("wrong order", [leaf, root, inter], [root]),
        Case("upper case", [leaf, inter], [root], address="Registry.INTERNAL"),
        Case("directly below the root", [server(root, HOST)], [root]),
        Case("RSA", [server(rsa, HOST, kind="rsa2048")], [rsa]),
        Case("intermediate only in the bundle", [leaf], [root, inter]),
        Case("no identifiers, no key usage", [server(plain, HOST, usage=(), identifiers=False)], [plain]),
        Case("wildcard", [server(root, "*.dc.internal")], [root], address="registry.dc.internal"),
        Case("wildcard for a top-level domain", [server(root, "*.internal")], [root], "take no wildcard so short"),
        Case(
            "wildcard of the label above",
            [server(root, "*.dc.internal")],
            [root],
            "is for *.dc.internal, and",
            "a.b.dc.internal",
        ),
        Case(
            "wildcard within a label",
            [server(root, "reg*.dc.internal")],
            [root],
            "is for reg*.dc.internal",
            "registry.dc.internal",
            differs="OpenSSL takes partial wildcards, Python, Go and browsers do not",
        ),
        Case("IP", [server(root, "192.0.2.1")], [root], address="192.0.2.1"),
        Case("IPv6", [server(root, "2001:db8::1")], [root], address="[2001:DB8:0::1]:5000"),
        Case("another IP", [server(root, "192.0.2.1")], [root], "is for 192.0.2.1, and not for", "192.0.2.2"),
        Case("IP as a DNS name", [server(root, "192.0.2.1", as_dns=True)], [root], "as a DNS name", "192.0.2.1"),
        Case(
            "wrong name", [server(root, "web.internal")], [root], "is for web.internal, and not for registry.internal"
        ),
        Case(
            "only a common name",
            [server(root)],
            [root],
            "no subjectAltName",
            differs="OpenSSL falls back to the common name, Python and Go do not",
        ),
        Case("expired server", [server(root, HOST, valid=PAST)], [root], "server's certificate expired on 2025-06-01"),
        Case("future server", [server(root, HOST, valid=FUTURE)], [root], "is not valid before 2026-06-02"),
        Case(
            "expired intermediate",
            [server(inter, HOST), authority("Issuing CA", root, valid=PAST)],
            [root],
            "CN=Issuing CA expired on 2025-06-01",
        ),
        Case("expired root", [server(old, HOST)], [old], "CN=Old, which ends the path, expired on 2025-06-01"),
        Case("missing intermediate", [leaf], [root], "CN=Issuing CA, the issuer of CN=registry.internal, is neither"),
        Case("root not in the bundle", [leaf, inter], [other], "CN=Root, the issuer of CN=Issuing CA, is neither"),
        Case("presented root not in the bundle", [leaf, inter, root], [other], "its root CN=Root, which is not in"),
        Case("nothing is trusted", [leaf, inter], [], "CN=Root, the issuer of CN=Issuing CA, is neither"),
        Case("predecessor of the root", [leaf, inter], [renewed], "signed by another key than that of the CN=Root"),
        Case("predecessor of the presented root", [leaf, inter, root], [renewed], "another certificate of that name"),
        Case(
            "only the intermediate in the bundle", [leaf], [inter], "which the bundle holds without its issuer CN=Root"
        ),
        Case("self-signed, in the bundle", [own], [own]),
        Case(
            "self-signed CA as a server, in the bundle",
            [server(None, HOST, extensions=[(x509.BasicConstraints(ca=True, path_length=None), True)])],
            [],
            "signed by itself and is not in the bundle",
        ),
        Case("self-signed, not in the bundle", [own], [root], "signed by itself and is not in the bundle"),
        Case(
            "CA without a name for hosts",
            [own_ca],
            [own_ca],
            "no subjectAltName",
            differs="OpenSSL falls back to the common name",
        ),
        Case("path too long", [server(below, HOST), below], [short], "allows 0 CAs below it"),
        Case("path just long enough", [server(short, HOST)], [short]),
        Case("no CA in between", [server(leaf, HOST), leaf, inter], [root], "CN=registry.internal is no CA"),
        Case(
            "CA:FALSE in between",
            [server(authority("No", root, ca=False), HOST), authority("No", root, ca=False)],
            [root],
            "basicConstraints say CA:FALSE",
        ),
        Case(
            "keyUsage without keyCertSign",
            [server(authority("Mute", root, cert_sign=False), HOST), authority("Mute", root, cert_sign=False)],
            [root],
            "keyUsage lacks keyCertSign",
        ),
        Case(
            "CA without basicConstraints",
            [
                server(authority("Bare", root, ca=None, cert_sign=True), HOST),
                authority("Bare", root, ca=None, cert_sign=True),
            ],
            [root],
            "has no basicConstraints",
        ),
        Case(
            "CA for clients only",
            [server(authority("Clients", root, usage=[CLIENT]), HOST), authority("Clients", root, usage=[CLIENT])],
            [root],
            "may not sign for servers",
        ),
        Case("certificate for clients", [server(root, HOST, usage=[CLIENT])], [root], "lacks serverAuth"),
        Case("no use for keys", [server(root, HOST, key_usage=DAYLIGHT)], [root], "allows no TLS"),
        Case("server that may sign", [server(root, HOST, key_usage=KEY_CERT_SIGN)], [root]),
        Case("within name constraints", [server(named, HOST)], [named]),
        Case(
            "outside name constraints", [server(named, "registry.example")], [named], "limited to", "registry.example"
        ),
        Case("excluded by name constraints", [server(barred, HOST)], [barred], "limited to"),
        Case("cross-signed", [leaf, crossed], [other]),
        Case(
            "cross-signed, both ways",
            [leaf, inter, crossed],
            [other],
            differs="OpenSSL tries one of two namesakes",
        ),
        Case("cross-signed, one of them expired", [leaf, old_crossed, inter], [root, other]),
        Case("weak RSA root", [server(weak, HOST)], [weak], "key that is too weak: RSA of 1024 bits"),
        Case("weak RSA server", [server(root, HOST, kind="rsa1024")], [root], "server's certificate is too weak"),
        Case("SHA-384 on P-256", [server(root, HOST, hash_name="sha384")], [root]),
        Case("Ed25519", [server(edwards, HOST)], [edwards], "?", differs=unsure),
        Case("an unknown critical extension", [server(root, HOST, extensions=[UNKNOWN_CRITICAL])], [root], "?"),
    ]

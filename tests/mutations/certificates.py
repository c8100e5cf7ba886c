"""Defects of CAs and their stores.

The certificates are made for the test and valid around the present moment, because the suite judges by the clock.
"""

import datetime
import posixpath
from collections.abc import Callable
from typing import Any

from diskimage_validator.engines.base import Engine
from diskimage_validator.facts.trust_store import LAYOUTS
from tests.support.chains import Made, authority
from tests.support.images import hash_of
from tests.support.mutations import Draft, Mutation
from tests.support.stores import make_jks, make_nss

RULES: dict[str, Any] = {
    "certificates": {
        "quality": {"min_rsa_bits": 3072, "min_path_length": 1},
        "min_days_left": 30,
        "private_keys": "client",
        "unique": True,
        "distrusted": [{"sha256": "00" * 32}],
    }
}
HASHED = "/etc/ssl/certs"
EXTRACTED = "/etc/pki/ca-trust/extracted"
SITE = "/opt/venv/lib/python3.11/site-packages"
HOST = "/etc/docker/certs.d/registry.internal:5000"
NOW = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
DAY = datetime.timedelta(days=1)
LASTING = (NOW - DAY, NOW + 3650 * DAY)
FOREIGN = authority("Foreign CA", valid=LASTING, cert_sign=True)
Change = Callable[[Draft], None]


def layout(engine: Engine) -> tuple[str, str]:
    """Return the folder of anchors and the generated bundle of the tree."""
    for family in ("debian", "rhel"):
        if engine.exists(LAYOUTS[family].bundles[0]):
            return LAYOUTS[family].anchors[0], LAYOUTS[family].bundles[0]
    raise AssertionError("no bundle in this tree")


def anchor(engine: Engine) -> tuple[str, bytes]:
    """Return path and content of the CA that the tree was given."""
    folder, _ = layout(engine)
    (name,) = [name for name in engine.listdir(folder) if name.endswith((".crt", ".pem"))]
    return f"{folder}/{name}", engine.read(f"{folder}/{name}")


def link_of(engine: Engine) -> str:
    """Return the hash link to the CA in the hashed folder."""
    return f"{HASHED}/{hash_of(anchor(engine)[1])}.0"


def unlinked(draft: Draft) -> None:
    draft.remove(link_of(draft))


def linked_elsewhere(draft: Draft) -> None:
    wrong = next(name for name in draft.listdir(HASHED) if name.endswith(".pem") and "unctional" not in name)
    draft.link(link_of(draft), wrong)


def numbered_wrongly(draft: Draft) -> None:
    link = link_of(draft)
    text = draft.readlink(link)
    draft.remove(link)
    draft.link(f"{link.removesuffix('.0')}.1", text)


def baked(*made: Made) -> Change:
    """Make CAs anchors, and generate the bundle anew; on Debian with hash links as well."""

    def change(draft: Draft) -> None:
        folder, bundle = layout(draft)
        for number, ca in enumerate(made):
            draft.write(f"{folder}/added{number}.crt", ca.pem)
            draft.append(bundle, ca.pem)
            if bundle.startswith(HASHED):
                draft.write(f"{HASHED}/added{number}.pem", ca.pem)
                twins = [other for other in made[:number] if hash_of(other.pem) == hash_of(ca.pem)]
                draft.link(f"{HASHED}/{hash_of(ca.pem)}.{len(twins)}", f"added{number}.pem")

    return change


def written(path: str, content: bytes | str, *, mode: int = 0o644) -> Change:
    return lambda draft: draft.write(path, content, mode=mode)


def repeated(draft: Draft) -> None:
    """Append the CA to the bundle that has it already."""
    draft.append(layout(draft)[1], anchor(draft)[1])


def with_key(draft: Draft) -> None:
    draft.append(anchor(draft)[0], FOREIGN.key_pem)


def key_in_folder(draft: Draft) -> None:
    draft.write(f"{posixpath.dirname(layout(draft)[1])}/ca.key", FOREIGN.key_pem, mode=0o600)


def distrusted_in_bundle(draft: Draft) -> None:
    draft.append(layout(draft)[1], FOREIGN.pem)


def deselected_on_debian(draft: Draft) -> None:
    """Deselect a CA of the distribution, and forget to generate the stores."""
    name = next(name for name in draft.listdir("/usr/share/ca-certificates/mozilla") if "ISRG_Root_X1" in name)
    draft.replace("/etc/ca-certificates.conf", f"\nmozilla/{name}\n", f"\n!mozilla/{name}\n")


def blocked_on_rhel(draft: Draft) -> None:
    """Block what the bundle holds, and forget to generate it."""
    draft.append(layout(draft)[1], FOREIGN.pem)
    draft.write("/etc/pki/ca-trust/source/blocklist/foreign.pem", FOREIGN.pem)


def rehashed_on_rhel(draft: Draft) -> None:
    """Leave the CA in the folder of hashes without a link."""
    draft.write(f"{EXTRACTED}/pem/directory-hash/internal-ca.pem", anchor(draft)[1])


def nss(draft: Draft) -> None:
    draft.write("/home/zuul/.pki/nssdb/cert9.db", make_nss([(FOREIGN.der, 0xCE534352)]))


def case(name: str, family: str, change: Change, *expected: tuple[str, str], **certificates: Any) -> Mutation:
    rules = {"certificates": certificates} if certificates else {}
    return Mutation(name, family, change, frozenset(expected), rules)


def key_case(name: str, change: Change, path: str) -> Mutation:
    """Return a defect that two checks have to see: that of CAs, and that of keys anywhere."""
    expected = frozenset({("ca-private-keys", path), ("hygiene-private-keys", path)})
    return Mutation(name, "both", change, expected, {"hygiene": {"private_keys": True}})


DISTRUST = {"distrusted": [{"sha256": FOREIGN.sha256}]}
ROOT = authority("Mutant root", valid=LASTING, path_length=0)
ISSUING = authority("Mutant issuing CA", ROOT, valid=LASTING)
RENEWED = authority("Mutant renewed CA", valid=(NOW - DAY, NOW + 3000 * DAY))

MUTATIONS: list[Mutation] = [
    case("ca-hash-link-removed", "deb", unlinked, ("ca-consumers", f"openssl {HASHED}: *")),
    case("ca-hash-link-to-another", "deb", linked_elsewhere, ("ca-consumers", f"openssl {HASHED}: *")),
    case("ca-hash-link-behind-a-gap", "deb", numbered_wrongly, ("ca-consumers", f"openssl {HASHED}: *")),
    case(
        "ca-hash-link-dangling",
        "deb",
        lambda draft: draft.link(f"{HASHED}/0badcafe.0", "gone.pem"),
        ("ca-consumers", f"openssl {HASHED}"),
    ),
    case("ca-not-in-directory-hash", "rpm", rehashed_on_rhel, ("ca-consumers", "openssl */directory-hash: *")),
    case(
        "ca-not-in-certifi-of-a-venv",
        "both",
        written(f"{SITE}/certifi/cacert.pem", FOREIGN.pem),
        ("ca-consumers", f"certifi {SITE}/certifi/cacert.pem: *"),
    ),
    case(
        "ca-not-in-vendored-certifi-of-pip",
        "both",
        written(f"{SITE}/pip/_vendor/certifi/cacert.pem", FOREIGN.pem),
        ("ca-consumers", f"pip {SITE}/pip/_vendor/certifi/cacert.pem: *"),
    ),
    case(
        "ca-not-in-httplib2",
        "both",
        written(f"{SITE}/httplib2/cacerts.txt", FOREIGN.pem),
        ("ca-consumers", f"httplib2 {SITE}/httplib2/cacerts.txt: *"),
    ),
    case(
        "certifi-names-a-file-that-is-not-there",
        "both",
        written(f"{SITE}/certifi/core.py", "def where():\n    return '/etc/ssl/nowhere.pem'\n"),
        ("ca-consumers", f"certifi {SITE}/certifi/core.py: *"),
    ),
    case(
        "ca-not-in-java-of-debian",
        "deb",
        written(f"{HASHED}/java/cacerts", make_jks([FOREIGN.der])),
        ("ca-consumers", f"java {HASHED}/java/cacerts: *"),
    ),
    case(
        "ca-not-in-java-of-p11-kit",
        "rpm",
        written(f"{EXTRACTED}/java/cacerts", make_jks([FOREIGN.der])),
        ("ca-consumers", f"java {EXTRACTED}/java/cacerts: *"),
    ),
    case(
        "ca-not-in-email-bundle",
        "rpm",
        written(f"{EXTRACTED}/pem/email-ca-bundle.pem", FOREIGN.pem),
        ("ca-consumers", f"email {EXTRACTED}/pem/email-ca-bundle.pem: *"),
    ),
    case(
        "ca-not-in-a-jdk",
        "both",
        written("/opt/jdk/lib/security/cacerts", make_jks([FOREIGN.der])),
        ("ca-consumers", "java /opt/jdk/lib/security/cacerts: *"),
    ),
    case(
        "java-keystore-damaged",
        "both",
        written("/opt/jdk/lib/security/cacerts", b"\xfe\xed"),
        ("ca-consumers", "java /opt/jdk/lib/security/cacerts: *"),
        ("ca-duplicates", "java /opt/jdk/lib/security/cacerts"),
        ("ca-distrusted", "java /opt/jdk/lib/security/cacerts"),
    ),
    case("ca-not-in-nss", "both", nss, ("ca-consumers", "nss /home/zuul/.pki/nssdb/cert9.db: *")),
    case(
        "bundle-of-its-own-under-a-usual-name",
        "both",
        written("/etc/pki/tls/cacert.pem", FOREIGN.pem),
        ("ca-consumers", "system /etc/pki/tls/cacert.pem: *"),
    ),
    case(
        "ca-not-in-certs-d",
        "both",
        written(f"{HOST}/ca.crt", FOREIGN.pem),
        ("ca-consumers", f"docker {HOST}: *"),
        consumers=["docker"],
    ),
    case(
        "ca-in-certs-d-expired",
        "both",
        written(f"{HOST}/ca.crt", authority("Mutant expired CA", valid=(NOW - 9 * DAY, NOW - DAY)).pem),
        ("ca-expiry", "CN=Mutant expired CA"),
    ),
    case(
        "ca-expires-soon",
        "both",
        baked(authority("Mutant short CA", valid=(NOW - DAY, NOW + 10 * DAY))),
        ("ca-expiry", "CN=Mutant short CA"),
    ),
    case(
        "ca-with-a-weak-key",
        "both",
        baked(authority("Mutant weak CA", kind="rsa1024", valid=LASTING)),
        ("ca-quality", "CN=Mutant weak CA"),
    ),
    case(
        "ca-that-may-not-sign",
        "both",
        baked(authority("Mutant leaf", cert_sign=False, valid=LASTING)),
        ("ca-quality", "CN=Mutant leaf"),
    ),
    case("ca-without-its-root", "both", baked(ISSUING), ("ca-quality", "CN=Mutant issuing CA")),
    case(
        "ca-below-one-that-allows-none",
        "both",
        baked(ROOT, ISSUING),
        ("ca-quality", "CN=Mutant root"),
        ("ca-quality", "CN=Mutant issuing CA"),
    ),
    case("ca-twice-in-the-bundle", "both", repeated, ("ca-duplicates", "*")),
    case(
        "ca-renewed-with-its-old-key",
        "both",
        baked(RENEWED, authority("Mutant renewed CA", valid=LASTING)),
        ("ca-duplicates", "CN=Mutant renewed CA"),
    ),
    key_case("private-key-behind-the-ca", with_key, "*"),
    key_case("private-key-beside-the-bundle", key_in_folder, "*/ca.key"),
    key_case("client-key-for-everybody", written(f"{HOST}/client.key", FOREIGN.key_pem), f"{HOST}/client.key"),
    case(
        "distrusted-ca-in-the-bundle",
        "both",
        distrusted_in_bundle,
        ("ca-distrusted", "system *: CN=Foreign CA"),
        **DISTRUST,
    ),
    case(
        "distrusted-ca-in-a-venv",
        "both",
        lambda draft: draft.write(f"{SITE}/certifi/cacert.pem", anchor(draft)[1] + FOREIGN.pem),
        ("ca-distrusted", f"certifi {SITE}/certifi/cacert.pem: CN=Foreign CA"),
        **DISTRUST,
    ),
    case(
        "debian-deselected-but-still-there",
        "deb",
        deselected_on_debian,
        ("ca-distrusted", "system *ISRG Root X1*"),
        ("ca-distrusted", "openssl *ISRG Root X1*"),
    ),
    case("p11-kit-blocked-but-still-there", "rpm", blocked_on_rhel, ("ca-distrusted", "system *: CN=Foreign CA")),
    case(
        "more-than-the-listed-cas-on-debian",
        "deb",
        lambda _: None,
        ("ca-only", "system *"),
        ("ca-only", "openssl *"),
        only=True,
    ),
    case(
        "more-than-the-listed-cas-of-p11-kit",
        "rpm",
        lambda _: None,
        ("ca-only", "system *"),
        ("ca-only", "email *"),
        only=True,
    ),
]

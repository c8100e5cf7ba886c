"""No setting points a program to CAs that lack yours, or switches the verification of certificates off.

The system's bundle may be right, and a program still fails: because a variable or an option names another file, which
is not there or does not hold the internal CA. Or it "works", because somebody told it to accept every certificate.
Found are, each by its own tool's grammar, with file and line:

* variables such as ``SSL_CERT_FILE``, ``SSL_CERT_DIR``, ``REQUESTS_CA_BUNDLE``, ``CURL_CA_BUNDLE``, ``PIP_CERT``,
  ``NODE_EXTRA_CA_CERTS``, ``GIT_SSL_CAINFO``, ``AWS_CA_BUNDLE``, ``CARGO_HTTP_CAINFO``, ``DENO_CERT``, ``OS_CACERT``
  and ``GIT_SSL_NO_VERIFY``, ``NODE_TLS_REJECT_UNAUTHORIZED=0``, ``PYTHONHTTPSVERIFY=0``, ``PIP_TRUSTED_HOST``: in
  ``/etc/environment``, ``environment.d``, ``pam_env.conf``, the shells' files of the system and of users,
  ``/etc/default``, ``/etc/sysconfig``, cron's tables, and systemd's ``DefaultEnvironment=``, ``Environment=`` and
  ``EnvironmentFile=`` with all drop-ins;
* git: ``http.sslCAInfo``, ``http.sslCAPath``, ``http.sslVerify``, also for one URL, includes followed;
* ``cacert``, ``capath``, ``insecure`` in ``.curlrc``; ``ca_certificate``, ``ca_directory``, ``check_certificate`` in
  ``wgetrc``; pip's ``cert``, npm's ``cafile``, conda's ``ssl_verify``.

What is named has to be the system's generated bundle, or to hold every CA that the policy or ``--ca`` names and every
one that was added to the system's bundle. A file that is not there fails. So does a switch, whatever else there is;
where the check ``verification`` is asked for and tells of the same line, it is not told twice. A script is not run:
what it sets only under some condition counts, and a value that it computes could not be told: ERROR.

.. rubric:: Example

With ``certificates: {settings: true}`` an image passes whose ``/etc/environment`` says
``REQUESTS_CA_BUNDLE=/etc/ssl/certs/ca-certificates.crt``.

It fails where that line names a copy of certifi's bundle without the internal CA, or where ``/root/.gitconfig`` has
``sslVerify = false`` below ``[http]``.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from diskimage_validator.checks.air_gap_hosts import trouble_finding
from diskimage_validator.checks.base import Question
from diskimage_validator.facts import known
from diskimage_validator.facts.base import Unreadable
from diskimage_validator.facts.ca_settings import OFF, CaPlace, CaSetting, CaSettings
from diskimage_validator.facts.trust_store import TrustStore
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.policy_model import Policy

ID: Final = "ca-settings"
TITLE: Final = "Settings about CAs"
SEVERITY: Final = Severity.CRITICAL
NEEDS: Final = ("ca_settings", "trust", "endpoints")

MAX_NAMED: Final = 3
_HINT: Final = "name the system's generated bundle instead, or remove the setting"


def asked(policy: Policy) -> bool:
    """Whether the policy wants settings in order."""
    return policy.rules.certificates.settings


def check(question: Question) -> Iterator[Finding]:
    """Yield a failure for every setting that is wrong, and one pass for all places that set the same."""
    facts, store = known(question.facts.ca_settings), known(question.facts.trust)
    told = _told_elsewhere(question)
    required = _required(question, store)
    right: dict[tuple[str, str], list[CaSetting]] = {}
    for trouble in facts.troubles:
        if (trouble.path, trouble.line) not in told:
            yield trouble_finding(trouble, "whether it names other CAs cannot be told")
    for setting in facts.settings:
        if setting.effect == OFF:
            if (setting.path, setting.line) not in told:
                yield _failure(setting, setting.consequence, "verified", "switched off", "remove it")
            continue
        finding = _judge(setting, facts, store, required)
        if finding:
            yield finding
        else:
            right.setdefault((setting.subject, setting.value), []).append(setting)
    for (subject, value), settings in right.items():
        yield _pass(subject, value, settings, facts, store)
    if not facts.settings and not facts.troubles:
        message = f"no setting names other CAs or switches verification off; files read: {facts.files}"
        yield Finding("settings", Status.PASS, message)


def _told_elsewhere(question: Question) -> set[tuple[str, int]]:
    """Return (path, line) of what the check ``verification`` tells."""
    facts = question.facts.endpoints
    if isinstance(facts, Unreadable) or not question.rules.air_gap.verification:
        return set()
    switches = {(switch.path, switch.line) for switch in facts.switches}
    return switches | {(trouble.path, trouble.line) for trouble in facts.troubles}


def _required(question: Question, store: TrustStore) -> dict[str, str]:
    """Return sha256 and name of the CAs that everything that is named has to hold."""
    added = {certificate.sha256: str(certificate) for certificate in store.added}
    return {**added, **{ca.sha256: str(ca) for ca in question.policy.trusted}}


def _judge(setting: CaSetting, facts: CaSettings, store: TrustStore, required: dict[str, str]) -> Finding | None:
    """Return what is wrong with a setting that names CAs, None if nothing is."""
    expected = "the system's bundle, or a place with all CAs of the policy and all that were added"
    if setting.unknown:
        message = f"could not tell what {setting.value or 'it'} means: {setting.unknown}"
        return _finding(setting, Status.ERROR, message, expected, setting.unknown, "write the path out")
    places = [facts.places[target] for target in setting.targets]
    if any(place.real == store.bundle_path for place in places):
        return None
    there = [place for place in places if place.kind != "missing"]
    if not there:
        return _failure(setting, f"{setting.value} is not there", expected, "missing", _HINT)
    held = {sha256 for place in there for sha256 in place.certificates}
    missing = [name for sha256, name in required.items() if sha256 not in held]
    unreadable = [place.unreadable for place in there if place.unreadable]
    if unreadable and (missing or not held):
        message = f"could not tell: {setting.value} cannot be read: {unreadable[0]}"
        return _finding(setting, Status.ERROR, message, expected, "unreadable", "")
    if not held:
        return _failure(setting, f"{setting.value} holds no certificate", expected, "empty", _HINT)
    if missing:
        return _failure(setting, f"{setting.value} lacks {_listed(missing)}", expected, _count(there), _HINT)
    return None


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return ", ".join(names[:MAX_NAMED]) + more


def _count(places: Sequence[CaPlace]) -> str:
    return f"certificates: {len({sha256 for place in places for sha256 in place.certificates})}"


def _pass(subject: str, value: str, settings: Sequence[CaSetting], facts: CaSettings, store: TrustStore) -> Finding:
    places = [facts.places[target] for target in settings[0].targets]
    if any(place.real == store.bundle_path for place in places):
        what = "is the system's bundle"
    else:
        what = f"has all CAs that the policy names or somebody added ({_count(places)})"
    where = f"; set in {len(settings)} places" if len(settings) > 1 else ""
    first = settings[0]
    return Finding(subject, Status.PASS, f"{value} {what}{where}", path=first.path, line=first.line)


def _failure(setting: CaSetting, message: str, expected: str, actual: str, hint: str) -> Finding:
    return _finding(setting, Status.FAIL, message, expected, actual, hint)


def _finding(setting: CaSetting, status: Status, message: str, expected: str, actual: str, hint: str) -> Finding:
    return Finding(setting.subject, status, message, expected, actual, hint, setting.path, setting.line)

import io
import json
from pathlib import Path

import pytest

from diskimage_validator.cli import run
from diskimage_validator.errors import ValidatorError
from diskimage_validator.policy_model import TrustedCa
from diskimage_validator.reports.trust import trust_table, write_json, write_text
from tests.support import pki
from tests.support.asking import facts_of
from tests.support.images import ANCHOR, BUNDLE
from tests.support.memory_engine import Broken, Entry, Link

CA = pki.certificate("Internal CA")
OTHER = pki.certificate("Other CA")
CERTIFI = "/usr/lib/python3/dist-packages/certifi"


def text(tree: dict[str, Entry], *asked: TrustedCa) -> str:
    stream = io.StringIO()
    write_text(trust_table(facts_of(tree), asked), stream)
    return stream.getvalue()


def lines(tree: dict[str, Entry], *asked: TrustedCa) -> list[str]:
    return [" ".join(line.split()) for line in text(tree, *asked).splitlines()]


def several(tree: dict[str, Entry]) -> dict[str, Entry]:
    return {
        **tree,
        f"{CERTIFI}/cacert.pem": pki.pem(OTHER),
        f"{CERTIFI}/core.py": "",
        "/etc/docker/certs.d/registry.internal:5000/ca.crt": pki.pem(OTHER),
        "/etc/environment": f"SSL_CERT_FILE={BUNDLE}\nPIP_CERT=/nothing.pem\nGIT_SSL_NO_VERIFY=1\n",
        "/etc/profile.d/ca.sh": f"export SSL_CERT_FILE={BUNDLE}\nexport AWS_CA_BUNDLE=$X\n",
        "/root/.curlrc": "cacert = /broken.pem\n",
        "/broken.pem": Broken(),
    }


def test_the_table_shows_every_store_and_setting(tree: dict[str, Entry]) -> None:
    other = TrustedCa(pki.sha256(OTHER), "CN=Other CA", "test")
    assert (
        text(several(tree), TrustedCa(pki.sha256(CA), "CN=Internal CA", "test"), other)
        == f"""\
CAs that were asked for
   1  CN=Internal CA
      sha256 {pki.sha256(CA)}
      valid 2025-06-01 to 2027-06-01
   2  CN=Other CA
      sha256 {pki.sha256(OTHER)}
      valid 2025-06-01 to 2027-06-01

Who reads which store
           certs  1    2
  system       3  yes  no   {BUNDLE}
  openssl      3  yes  no   /etc/ssl/certs
  docker       1  yes  yes  /etc/docker/certs.d/registry.internal:5000  with the system's bundle
  certifi      1  no   yes  {CERTIFI}/cacert.pem

Settings that name CAs
                     certs  1    2
  SSL_CERT_FILE          3  yes  no   {BUNDLE}  /etc/environment:1 and 1 more
  PIP_CERT               0  no   no   /nothing.pem  /etc/environment:2; not there: /nothing.pem
  GIT_SSL_NO_VERIFY      -  OFF  OFF  /etc/environment:3  git accepts any certificate, whatever the value is
  AWS_CA_BUNDLE          -  ?    ?    $X  /etc/profile.d/ca.sh:2; its value is computed
  curl cacert            -  ?    ?    /broken.pem  /root/.curlrc:1
"""
    )


def test_without_a_ca_those_count_that_were_added(tree: dict[str, Entry]) -> None:
    shown = lines(tree)
    assert shown[:2] == ["CAs that were added to the image", "1 CN=Internal CA"]
    assert f"system 3 yes {BUNDLE}" in shown


def test_an_anchor_that_is_not_in_the_bundle_is_a_no(tree: dict[str, Entry]) -> None:
    tree[BUNDLE] = pki.pem(pki.certificate("Public Root"))
    assert f"system 1 no {BUNDLE}" in lines(tree)


def test_an_image_without_anything(tree: dict[str, Entry]) -> None:
    for path in (ANCHOR, BUNDLE):
        del tree[path]
    assert lines({"/etc/os-release": Link("../usr/lib/os-release"), "/usr/lib/os-release": "ID=debian\n"}) == [
        "CAs that were added to the image",
        "none",
        "",
        "Who reads which store",
        "none",
        "",
        "Settings that name CAs",
        "none",
    ]


def test_what_cannot_be_read_is_said(tree: dict[str, Entry]) -> None:
    tree |= {f"{CERTIFI}/cacert.pem": Broken(), f"{CERTIFI}/core.py": "", "/root/.gitconfig": "[http\n"}
    shown = lines(tree)
    assert any(line.startswith(f"certifi - ? {CERTIFI}/cacert.pem cannot be read: ") for line in shown)
    assert "note /root/.gitconfig: a damaged name of a section" in shown
    with pytest.raises(ValidatorError):
        trust_table(facts_of({**tree, BUNDLE: Broken()}))


def test_many_cas_do_not_make_a_table_that_nobody_can_read(tree: dict[str, Entry]) -> None:
    asked = [TrustedCa(f"{number:064x}", f"CN={number}", "test") for number in range(15)]
    shown = lines(tree, *asked)
    assert "12 CN=11" in shown
    assert "in no store" in shown
    assert "note 3 more CAs are left out: name those that matter" in shown


def test_json_says_the_same(tree: dict[str, Entry]) -> None:
    stream = io.StringIO()
    write_json(trust_table(facts_of(several(tree))), stream)
    found = json.loads(stream.getvalue())
    sha256 = pki.sha256(CA)
    assert found["authorities"][0]["sha256"] == sha256
    assert [(row["consumer"], row["trusts"][sha256]) for row in found["stores"]] == [
        ("system", True),
        ("openssl", True),
        ("docker", True),
        ("certifi", False),
    ]
    assert {row["consumer"]: row["trusts"][sha256] for row in found["settings"]} == {
        "SSL_CERT_FILE": True,
        "PIP_CERT": False,
        "GIT_SSL_NO_VERIFY": None,
        "AWS_CA_BUNDLE": None,
        "curl cacert": None,
    }


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tmp_path / "root"
    (root / "etc/ssl/certs").mkdir(parents=True)
    (root / "etc/ssl/certs/ca-certificates.crt").write_bytes(pki.pem(CA))
    (tmp_path / "ca.pem").write_bytes(pki.pem(CA))
    assert run(["certs", f"dir:{root}", "--ca", str(tmp_path / "ca.pem")]) == 0
    assert "  system       1  yes  /etc/ssl/certs/ca-certificates.crt\n" in capsys.readouterr().out
    target = tmp_path / "out.json"
    assert run(["certs", f"dir:{root}", "--format", "json", "--output", str(target)]) == 0
    assert json.loads(target.read_text())["authorities"][0]["subject"] == "CN=Internal CA"
    assert run(["certs", f"dir:{root}", "--ca", str(tmp_path / "nothing.pem")]) == 2
    assert run(["certs", f"dir:{tmp_path / 'nothing'}"]) == 2

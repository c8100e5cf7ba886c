"""The page: one file, all of it visible without a script, and nothing of an image becomes markup."""

import base64
import hashlib
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

import pytest

from diskimage_validator.model import Finding, Result, Severity, Status
from tests.support.memory_engine import Entry
from tests.support.reports import CASES, broken, hostile, made, sound, waived, written

VOID = {"meta", "input"}


@dataclass
class Page(HTMLParser):
    """What is in a page: its elements with their attributes, the text by element, and whether all are closed."""

    source: str
    elements: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    text: dict[str, list[str]] = field(default_factory=dict)
    stack: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.feed(self.source)
        self.close()
        assert self.stack == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.stack.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.setdefault(self.stack[-1] if self.stack else "", []).append(data)

    def tags(self) -> set[str]:
        return {tag for tag, _ in self.elements}

    def all_text(self) -> str:
        return " ".join("".join(parts) for tag, parts in self.text.items() if tag not in ("style", "script"))


@pytest.mark.parametrize("case", CASES)
def test_a_page_is_well_formed_and_needs_nothing_else(case: str, tree: dict[str, Entry]) -> None:
    page = Page(written(CASES[case](tree), "html"))
    for tag, attributes in page.elements:
        assert tag not in ("link", "img", "iframe", "object", "base", "form", "a")
        assert not [name for name in attributes if name.startswith("on") or name in ("src", "href", "style")]
    assert "url(" not in page.source
    assert "@import" not in page.source


def test_the_policy_allows_this_style_and_this_script_and_nothing_else(tree: dict[str, Entry]) -> None:
    page = Page(written(sound(tree), "html"))
    (policy,) = [values["content"] for _, values in page.elements if "http-equiv" in values]
    hashes = {
        tag: f"'sha256-{base64.b64encode(hashlib.sha256(''.join(page.text[tag]).encode()).digest()).decode()}'"
        for tag in ("style", "script")
    }
    assert policy == (
        f"default-src 'none'; style-src {hashes['style']}; script-src {hashes['script']}; "
        "base-uri 'none'; form-action 'none'"
    )
    assert "innerHTML" not in page.source


def test_nothing_of_an_image_becomes_markup(tree: dict[str, Entry]) -> None:
    allowed = Page(written(waived(tree), "html")).tags() | Page(written(broken(tree), "html")).tags()
    page = Page(written(hostile(tree), "html"))
    assert page.tags() <= allowed
    assert page.all_text().count("</script>{{7*7}}") > 10
    assert "49" not in page.all_text()
    assert re.sub(r"\s", "", page.all_text()).isprintable()


def test_everything_is_there_without_a_script(tree: dict[str, Entry]) -> None:
    report = broken(tree)
    page = Page(written(report, "html"))
    text = page.all_text()
    for result in report.results:
        assert result.finding.subject in text
        assert result.finding.message in text
    assert all("open" in attributes for tag, attributes in page.elements if tag == "details")
    hidden = [attributes["id"] for _, attributes in page.elements if "hidden" in attributes]
    assert hidden == ["filter"]
    assert report.policy_digest in text
    assert "ab" * 32 in text


def test_failures_come_first_with_what_to_do(tree: dict[str, Entry]) -> None:
    source = written(broken(tree), "html")
    assert source.index('<section class="fail">') < source.index('<section class="pass">')
    assert "<dt>what to do</dt>" in source
    text = Page(written(waived(tree), "html")).all_text()
    assert "/usr/local/share/ca-certificates/old.crt:1" in text
    assert "until 2026-09-01: renewed with the next release" in text
    assert "the label is being enlarged" in text
    assert "failures are below the threshold, warning" in text


def test_a_long_text_is_cut() -> None:
    source = written(made(Result("os", Severity.INFO, Finding("s", Status.FAIL, "m" * 100_000))), "html")
    assert len(source) < 50_000

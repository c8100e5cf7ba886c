"""The overview tells what a node does, whom it lets in and whom it would talk to."""

import io

from diskimage_validator.facts import Facts
from diskimage_validator.reports.inspection import write_text
from tests.support import images, node
from tests.support.asking import facts_of
from tests.support.memory_engine import Entry


def page(facts: Facts) -> str:
    stream = io.StringIO()
    write_text(facts, stream)
    return stream.getvalue()


def test_a_node_is_described() -> None:
    tree: dict[str, Entry] = {
        **node.tree(),
        "/etc/apt/sources.list": "deb https://user:secret@mirror.internal:8443/debian bookworm main\n",
    }
    text = page(facts_of(tree, disk=images.disk()))
    assert "mirror.internal:8443" in text
    assert "secret" not in text
    people = text.partition("Who can log in")[2].partition("Hosts in configuration")[0]
    assert "root" in people
    assert "zuul" in people
    assert "1 SSH key" in people
    assert "nobody" not in people
    assert "ssh" in text.partition("enabled")[2].splitlines()[0]


def test_what_cannot_be_read_says_so() -> None:
    text = page(facts_of({}))
    assert text.count("could not be read") >= 3

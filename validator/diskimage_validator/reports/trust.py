"""Who in an image trusts which CAs: a table by consumer, for a person or as JSON.

A row is a store that some program reads, or a setting that leads a program elsewhere; a column is a CA: one that was
added to the image, or one that was asked for.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final, TextIO

from rich.text import Text

from diskimage_validator.consumers import PER_HOST
from diskimage_validator.facts import Facts, known
from diskimage_validator.facts.ca_settings import OFF, CaSetting, CaSettings
from diskimage_validator.facts.ca_stores import CaStore, CaStores
from diskimage_validator.frozen import dataclass
from diskimage_validator.policy_model import TrustedCa
from diskimage_validator.reports.lines import console_for, print_line
from diskimage_validator.reports.styles import plain

YES: Final = "yes"
NO: Final = "no"
UNKNOWN: Final = "?"
DISTRUSTED: Final = "distrusted"
SWITCHED_OFF: Final = "OFF"
STYLES: Final = {YES: "green", NO: "bold red", UNKNOWN: "magenta", DISTRUSTED: "bold red", SWITCHED_OFF: "bold red"}
JSON_ANSWERS: Final = {YES: True, NO: False, DISTRUSTED: False, SWITCHED_OFF: None, UNKNOWN: None}
MAX_COLUMNS: Final = 12


@dataclass(frozen=True)
class Row:
    """A store or a setting. ``answers`` are about the CAs, in their order; ``count``: certificates, None if unknown.

    ``remark``: what there is to say besides.
    """

    consumer: str
    path: str
    count: int | None
    answers: tuple[str, ...]
    remark: str = ""


@dataclass(frozen=True)
class TrustTable:
    """The whole.

    ``authorities``: sha256, name and validity of the columns; ``added``: they are those that were added to the image,
    and not those that were asked for; ``troubles``: what could not be read or shown.
    """

    target: str
    authorities: tuple[tuple[str, str, str], ...]
    added: bool
    stores: tuple[Row, ...]
    settings: tuple[Row, ...]
    troubles: tuple[str, ...]


def trust_table(facts: Facts, asked: Sequence[TrustedCa] = ()) -> TrustTable:
    """Return the table for the CAs that are ``asked`` for, or for all that were added to the image.

    ``facts`` need ``trust``, ``ca_stores`` and ``ca_settings``. Raises a ValidatorError if one could not be read.
    """
    trust, stores, settings = known(facts.trust), known(facts.ca_stores), known(facts.ca_settings)
    anchored = (certificate for anchor in trust.anchors for certificate in anchor.certificates)
    local = {certificate.sha256: str(certificate) for certificate in (*anchored, *trust.added)}
    names = {ca.sha256: str(ca) for ca in asked} or local
    wanted = list(names)[:MAX_COLUMNS]
    left_out = [f"{len(names) - MAX_COLUMNS} more CAs are left out: name those that matter"] * (
        len(names) > MAX_COLUMNS
    )
    return TrustTable(
        facts.target.name,
        tuple((sha256, names[sha256], _validity(stores, sha256)) for sha256 in wanted),
        not asked,
        tuple(_store_row(store, stores, wanted) for store in stores.stores),
        tuple(_setting_rows(settings, wanted)),
        (*left_out, *(f"{trouble.path}: {trouble.reason}" for trouble in settings.troubles)),
    )


def _validity(stores: CaStores, sha256: str) -> str:
    found = stores.certificates.get(sha256)
    return f"valid {found.not_before:%Y-%m-%d} to {found.not_after:%Y-%m-%d}" if found else "in no store"


def _store_row(store: CaStore, stores: CaStores, wanted: Sequence[str]) -> Row:
    trusted = set(stores.trusted_by(store))
    if store.consumer in PER_HOST and stores.system:
        trusted |= set(stores.system.certificates)
    remarks = []
    if store.host:
        remarks.append(
            "with the system's bundle" if store.host in store.path else f"{store.host}, with the system's bundle"
        )
    if store.real != store.path:
        remarks.append(f"-> {store.real}")
    if store.missing:
        remarks.append(f"not there: {', '.join(store.missing[:3])}")
    if store.unreadable:
        remarks.append(f"cannot be read: {store.unreadable}")
    answers = tuple(_answer(store, trusted, sha256) for sha256 in wanted)
    return Row(store.consumer, store.path, _count(store), answers, "; ".join(remarks))


def _count(store: CaStore) -> int | None:
    return None if store.unreadable and not store.certificates else len(set(store.certificates))


def _answer(store: CaStore, trusted: set[str], sha256: str) -> str:
    if sha256 in store.distrusted:
        return DISTRUSTED
    if sha256 in trusted:
        return YES
    return UNKNOWN if store.unreadable or sha256 in store.unknown else NO


def _setting_rows(settings: CaSettings, wanted: Sequence[str]) -> Iterator[Row]:
    """Yield a row for all places that set the same."""
    same: dict[tuple[str, str, str], list[CaSetting]] = {}
    for setting in settings.settings:
        same.setdefault((setting.subject, setting.effect, setting.value), []).append(setting)
    for (subject, effect, value), group in same.items():
        first = group[0]
        more = f" and {len(group) - 1} more" if len(group) > 1 else ""
        where = f"{first.path}:{first.line}{more}"
        if effect == OFF:
            yield Row(subject, where, None, (SWITCHED_OFF,) * len(wanted), first.consequence)
            continue
        places = [settings.places[target] for target in first.targets]
        held = {sha256 for place in places for sha256 in place.certificates}
        sure = not first.unknown and not any(place.unreadable for place in places)
        answers = tuple(YES if sha256 in held else NO if sure else UNKNOWN for sha256 in wanted)
        missing = [place.path for place in places if place.kind == "missing"]
        remark = f"not there: {', '.join(missing)}" if missing else first.unknown
        yield Row(subject, value, len(held) if sure else None, answers, f"{where}{f'; {remark}' if remark else ''}")


def write_json(table: TrustTable, stream: TextIO) -> None:
    """Write the table as one JSON object. A CA that nobody can tell about is null."""
    json.dump(_as_dict(table), stream, indent=2)
    stream.write("\n")


def _as_dict(table: TrustTable) -> dict[str, Any]:
    def rows(found: Sequence[Row]) -> list[dict[str, Any]]:
        return [
            {
                "consumer": row.consumer,
                "path": row.path,
                "certificates": row.count,
                "trusts": {
                    ca[0]: JSON_ANSWERS[answer] for ca, answer in zip(table.authorities, row.answers, strict=True)
                },
                "remark": row.remark,
            }
            for row in found
        ]

    return {
        "target": table.target,
        "authorities": [{"sha256": ca[0], "subject": ca[1], "validity": ca[2]} for ca in table.authorities],
        "stores": rows(table.stores),
        "settings": rows(table.settings),
        "troubles": list(table.troubles),
    }


def write_text(table: TrustTable, stream: TextIO) -> None:
    """Write the table for a person. What is long comes last in a line, so that the columns stay in line."""
    console = console_for(stream)
    title = "CAs that were added to the image" if table.added else "CAs that were asked for"
    console.print(Text(title, style="bold"))
    for number, (sha256, name, validity) in enumerate(table.authorities, start=1):
        print_line(console, Text(f"  {number:>2}  "), Text(plain(name)))
        for line in (f"sha256 {sha256}", validity):
            print_line(console, Text("      "), Text(line, style="dim"))
    if not table.authorities:
        console.print("  none")
    for heading, rows in (("Who reads which store", table.stores), ("Settings that name CAs", table.settings)):
        console.print()
        console.print(Text(heading, style="bold"))
        _write_rows(table, rows, stream)
    for trouble in table.troubles:
        print_line(console, Text("note  ", style="magenta"), Text(plain(trouble)))


def _write_rows(table: TrustTable, rows: Sequence[Row], stream: TextIO) -> None:
    console = console_for(stream)
    if not rows:
        console.print("  none")
        return
    width = max(len(plain(row.consumer)) for row in rows)
    columns = [
        max(len(str(number)), *(len(row.answers[number - 1]) for row in rows))
        for number in range(1, len(table.authorities) + 1)
    ]
    head = "".join(f"  {number:<{column}}" for number, column in enumerate(columns, start=1))
    console.print(Text(f"  {'':{width}}  certs{head}".rstrip(), style="dim"))
    for row in rows:
        count = "-" if row.count is None else str(row.count)
        label = Text(f"  {plain(row.consumer):{width}}  {count:>5}")
        for answer, column in zip(row.answers, columns, strict=True):
            label.append("  ").append(f"{answer:<{column}}", style=STYLES[answer])
        text = Text(plain(row.path))
        if row.remark:
            text.append(f"  {plain(row.remark)}", style="dim")
        print_line(console, label.append("  "), text)


TRUST_WRITERS: Final = {"text": write_text, "json": write_json}

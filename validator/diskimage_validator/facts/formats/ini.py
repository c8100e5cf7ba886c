"""Files with sections as libdnf and libzypp read them (dnf.conf(5), repository files, zypp.conf).

Both are close to each other and further from Python's configparser: ``=`` is the only separator, keys keep their case,
comments take whole lines, and a line that begins with a blank goes on with the value before it. libdnf refuses what it
does not understand (libdnf's ``utils/iniparser``); libzypp passes over it (libzypp's ``parser/IniParser``).
"""

from diskimage_validator.facts.formats.base import Malformed, Setting


def parse_ini(text: str, *, strict: bool = True) -> list[Setting]:
    """Return the settings in the order of the file; values of several lines have line feeds inside.

    ``strict``: as libdnf; otherwise as libzypp. Raises Malformed only if strict.
    """
    found: list[Setting] = []
    section = ""
    for number, line in enumerate(text.split("\n"), start=1):
        stripped = line.strip()
        if not stripped or stripped[0] in "#;":
            continue
        if stripped[0] == "[" and (line[0] == "[" or not strict):
            section = _section(stripped, number, strict=strict)
        elif strict and not section:
            raise Malformed(number, "a setting before the first section")
        elif line[0] in " \t" and (strict or "=" not in stripped):
            _continue(found, section, stripped, number, strict=strict)
        elif "=" in stripped.lstrip("="):
            key, _, value = stripped.partition("=")
            found.append(Setting(section, key.strip(), value.strip(), number))
        elif strict:
            raise Malformed(number, "neither a section nor a setting")
    return found


def _section(line: str, number: int, *, strict: bool) -> str:
    name, closed, rest = line[1:].partition("]")
    rest = rest.strip()
    if strict and (not closed or not name or (rest and rest[0] not in "#;")):
        raise Malformed(number, "a damaged name of a section")
    return name


def _continue(found: list[Setting], section: str, text: str, number: int, *, strict: bool) -> None:
    if found and found[-1].section == section:
        last = found[-1]
        found[-1] = Setting(section, last.key, f"{last.value}\n{text}".strip("\n"), last.line)
    elif strict:
        raise Malformed(number, "a continuation of nothing")

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
    found: list[tuple[str, str, list[str], int]] = []
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
            if found and found[-1][0] == section:
                found[-1][2].append(stripped)
            elif strict:
                raise Malformed(number, "a continuation of nothing")
        elif "=" in stripped.lstrip("="):
            key, _, value = stripped.partition("=")
            found.append((section, key.strip(), [value.strip()], number))
        elif strict:
            raise Malformed(number, "neither a section nor a setting")
    return [Setting(section, key, "\n".join(values), line) for section, key, values, line in found]


def _section(line: str, number: int, *, strict: bool) -> str:
    name, closed, rest = line[1:].partition("]")
    rest = rest.strip()
    if strict and (not closed or not name or (rest and rest[0] not in "#;")):
        raise Malformed(number, "a damaged name of a section")
    return name

"""npm and yarn: npmrc(5), ``.yarnrc`` (yarn 1), ``.yarnrc.yml`` (yarn 2 and later)."""

import re
from typing import Final

from diskimage_validator.facts.sources.found import Found, is_false
from diskimage_validator.policy_lines import Document, DocumentError, parse_document

KIND: Final = "npm"
SYSTEM: Final = ("/etc/npmrc", "/usr/etc/npmrc", "/usr/local/etc/npmrc")
BUILT_IN: Final = ("/usr/lib/node_modules/npm/npmrc", "/usr/share/nodejs/npm/npmrc", "/usr/share/npm/npmrc")
PROXIES: Final = ("proxy", "https-proxy", "http-proxy")
_EFFECT: Final = "any certificate of the registry is accepted"
_REMEDY: Final = "let npm trust the registry's CA (cafile, NODE_EXTRA_CA_CERTS) and remove the setting"


def read_npm(found: Found) -> None:
    """Collect the registries, proxies and switches of npm and yarn."""
    homes = found.homes()
    for path in (*BUILT_IN, *SYSTEM, *(f"{home}/.npmrc" for home in homes)):
        text = found.text(KIND, path)
        for number, line in enumerate((text or "").split("\n"), start=1):
            key, equals, value = line.strip().partition("=")
            if equals and key[:1] not in (";", "#"):
                note_npm_option(found, path, number, _unquoted(key), _unquoted(value))
    for home in homes:
        for number, line in enumerate((found.text(KIND, f"{home}/.yarnrc") or "").split("\n"), start=1):
            match = re.match(r'\s*("[^"]*"|[^\s"#:]\S*?):?\s+(.+)', line)
            if match:
                note_npm_option(found, f"{home}/.yarnrc", number, _unquoted(match[1]), _unquoted(match[2]))
        _read_yarn(found, f"{home}/.yarnrc.yml")


def note_npm_option(found: Found, path: str, line: int, name: str, value: str) -> None:
    """Note what an option of npm means; ``name`` is ``registry``, ``@scope:registry``, ``strict-ssl``, ..."""
    if value in ("", "null", "false") and name != "strict-ssl":
        return
    if name == "registry" or name.endswith(":registry"):
        found.endpoint(KIND, "packages", path, line, value)
    elif name in PROXIES:
        found.endpoint(KIND, "proxy", path, line, value)
    elif name == "strict-ssl" and is_false(value):
        found.switch(KIND, path, line, name, value, _EFFECT, _REMEDY)


def _unquoted(text: str) -> str:
    text = text.strip()
    if text[:1] in ("'", '"') and text[-1:] == text[:1] and len(text) > 1:
        return text[1:-1]
    return re.split(r"(?<!\\)[;#]", text, maxsplit=1)[0].strip() if text[:1] != "@" else text


def _read_yarn(found: Found, path: str) -> None:
    text = found.text(KIND, path)
    if text is None or not text.strip():
        return
    try:
        document = parse_document(text)
    except DocumentError as error:
        problem = error.problems[0]
        found.trouble(KIND, path, problem.line, problem.message, refused=True)
        return
    if isinstance(document.data, dict):
        _yarn_options(found, path, document, document.data)


def _yarn_options(found: Found, path: str, document: Document, data: dict[object, object]) -> None:
    for key, value in data.items():
        line = document.line((str(key),))
        if key == "npmRegistryServer":
            found.endpoint(KIND, "packages", path, line, str(value))
        elif key in ("httpProxy", "httpsProxy"):
            found.endpoint(KIND, "proxy", path, line, str(value))
        elif key == "enableStrictSsl" and (value is False or is_false(str(value))):
            found.switch(KIND, path, line, str(key), str(value).lower(), _EFFECT, _REMEDY)
        elif key == "npmScopes" and isinstance(value, dict):
            for scope, options in value.items():
                server = options.get("npmRegistryServer") if isinstance(options, dict) else None
                if server:
                    where = ("npmScopes", str(scope), "npmRegistryServer")
                    found.endpoint(KIND, "packages", path, document.line(where), str(server))

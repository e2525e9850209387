"""What a docstring says of a function and of its parameters."""

from __future__ import annotations

import inspect
import re

# Google's and NumPy's headings; what follows one is not for the description.
HEADINGS = [
    "args",
    "arguments",
    "parameters",
    "params",
    "keyword-args",
    "keyword-arguments",
    "other-parameters",
    "returns",
    "return",
    "yields",
    "yield",
    "raises",
    "warns",
    "examples",
    "example",
    "notes",
    "note",
    "references",
    "see-also",
    "todo",
    "attributes",
]
OF_PARAMETERS = (
    "args",
    "arguments",
    "parameters",
    "params",
    "keyword-args",
    "keyword-arguments",
    "other-parameters",
)

# Of a parameter's first line in Google's style.
INDENT_MAX = 4

GOOGLE = re.compile(r"^\*{0,2}(\w+)\s*(?:\([^)]*\))?\s*:\s*(.*)$")
NUMPY = re.compile(r"^\*{0,2}(\w+(?:\s*,\s*\*{0,2}\w+)*)\s*(?::.*)?$")
SPHINX = re.compile(r"^:param\s+(?:[^:]*\s)?\*{0,2}(\w+)\s*:\s*(.*)$")
SPHINX_OTHER = re.compile(r"^:(?:returns?|rtype|raises?|type|yields?)\b[^:]*:")


def parsed(docstring: str | None) -> tuple[str, dict[str, str]]:
    """The description, and what is said of each parameter."""
    lines = inspect.cleandoc(docstring or "").splitlines()
    description: list[str] = []
    parameters: dict[str, list[str]] = {}
    section, is_numpy = "", False
    into: list[str] | None = description
    place = 0
    while place < len(lines):
        line = lines[place]
        heading = _heading(lines, place)
        if heading:
            section, is_numpy = heading
            into = None
            place += 2 if is_numpy else 1
            continue
        place += 1
        word = line.strip()
        if sphinx := SPHINX.match(word):
            into = parameters.setdefault(sphinx[1], [])
            into.append(sphinx[2])
        elif SPHINX_OTHER.match(word):
            into = None
        elif not section:
            if into is not None:
                into.append(word if into is not description else line.rstrip())
        elif section in OF_PARAMETERS:
            begun = _parameter(line, parameters, is_numpy=is_numpy)
            if begun is not None:
                into = begun
            elif into is not None and word:
                into.append(word)
    words = {name: " ".join(part for part in parts if part) for name, parts in parameters.items()}
    return "\n".join(description).strip(), words


def _heading(lines: list[str], place: int) -> tuple[str, bool] | None:
    """A section's heading: NumPy's is underlined, Google's ends with a colon."""
    line = lines[place]
    if not line or line[0].isspace():
        return None
    following = lines[place + 1].strip() if place + 1 < len(lines) else ""
    is_numpy = len(following) > 2 and set(following) == {"-"}  # noqa: PLR2004
    if not is_numpy and not line.rstrip().endswith(":"):
        return None
    name = line.strip().rstrip(":").lower().replace(" ", "-")
    return (name, is_numpy) if name in HEADINGS else None


def _parameter(line: str, parameters: dict[str, list[str]], *, is_numpy: bool) -> list[str] | None:
    """Where a parameter begins: a list for its words."""
    indent = len(line) - len(line.lstrip())
    if is_numpy:
        found = NUMPY.match(line) if indent == 0 and line.strip() else None
        if found is None:
            return None
        words: list[str] = []
        for name in found[1].split(","):
            parameters[name.strip(" *")] = words
        return words
    found = GOOGLE.match(line.strip())
    # Deeper lines go on with what was begun.
    if found is None or not 0 < indent <= INDENT_MAX:
        return None
    return parameters.setdefault(found[1], [found[2]])

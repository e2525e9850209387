"""Reads manifests and validates them, many in one process.

    look.py FOLDER

Prints JSON: `documents`, what each file holds, and `faults`, a line for everything that
no cluster would take: what is no YAML, has a key twice, or breaks the schema of a
Kubernetes version, from the oldest that knows all of it to the newest known here. Kinds
of somebody's own are left out, and named in `unknown`.
"""

from __future__ import annotations

import functools
import json
import sys
from pathlib import Path

import jsonschema
import kubernetes_validate
import yaml
from kubernetes_validate import utils

# It would read its files again for each document and version.
utils.all_versions = functools.cache(utils.all_versions)
utils.schema_contents = functools.cache(utils.schema_contents)

# What a version has been seen to take as an object of some kind of its own: hundreds of
# pods differ in one part each, and their other parts are looked at once.
taken: set[tuple[int, str, str]] = set()
asking = 0
follow = jsonschema.Draft202012Validator.VALIDATORS["$ref"]


def follow_once(validator, ref: str, instance: object, schema: dict):
    """The schema's `$ref`, not gone into again for what had no fault."""
    key = (asking, ref, json.dumps(instance, sort_keys=True))
    if key in taken:
        return
    faults = list(follow(validator, ref, instance, schema))
    if not faults:
        taken.add(key)
    yield from faults


jsonschema.Draft202012Validator.VALIDATORS["$ref"] = follow_once

NATIVE_SINCE = 28
VERSIONS = sorted({int(version.split(".")[1]) for version in utils.all_versions()})


class Loader(yaml.CSafeLoader):
    """YAML as Kubernetes reads it, but for a key that is there twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        seen = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.YAMLError(f"line {key.start_mark.line + 1}: {key.value!r} is there twice")
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def has_native(thing: object) -> bool:
    """Whether there is a native sidecar in it."""
    if isinstance(thing, list):
        return any(map(has_native, thing))
    if isinstance(thing, dict):
        inits = thing.get("initContainers") or []
        return any("restartPolicy" in init for init in inits) or has_native(list(thing.values()))
    return False


class Look:
    """What was seen, each document once however many files have it."""

    def __init__(self) -> None:
        self.documents: dict[str, list] = {}
        self.faults: list[str] = []
        self.unknown: set[str] = set()
        self.seen: dict[str, list[str]] = {}

    def file(self, name: str, text: str) -> None:
        try:
            documents = [d for d in yaml.load_all(text, Loader=Loader) if d is not None]
        except yaml.YAMLError as error:
            self.faults.append(f"{name}: {error}")
            return
        self.documents[name] = documents
        for document in documents:
            key = json.dumps(document, sort_keys=True)
            if key not in self.seen:
                self.seen[key] = list(self.faults_of(document))
            self.faults += [f"{name}: {fault}" for fault in self.seen[key]]

    def faults_of(self, document: dict):
        global asking
        kind = document.get("kind", "nothing")
        name = document.get("metadata", {}).get("name", "without a name")
        oldest = NATIVE_SINCE if has_native(document) else VERSIONS[0]
        for minor in VERSIONS:
            if minor < oldest:
                continue
            asking = minor
            try:
                kubernetes_validate.validate(document, f"1.{minor}", strict=True)
            except kubernetes_validate.SchemaNotFoundError:
                self.unknown.add(f"{document.get('apiVersion')} {kind}")
            except kubernetes_validate.ValidationError as error:
                yield f"{kind} {name} at 1.{minor}: {error.message}"[:400]


def main(folder: str) -> None:
    look = Look()
    for path in sorted(Path(folder).glob("*.yaml")):
        look.file(path.stem, path.read_text())
    json.dump(
        {
            "documents": look.documents,
            "faults": look.faults,
            "unknown": sorted(look.unknown),
            "versions": VERSIONS,
        },
        sys.stdout,
    )


main(sys.argv[1])

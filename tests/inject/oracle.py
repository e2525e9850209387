"""Reads manifests with another parser than the program's, and says what is wrong.

    oracle.py ORIGINALS INJECTED UNINJECTED [VERSION…]

Of each file in ORIGINALS the other folders have the same name. What was injected must be the
original and a whole sidecar, nothing else; what was uninjected must be the original. With
versions, what was injected is validated against the schemas of these versions of Kubernetes.
Prints a line for each fault, and at the end how many objects were compared.
"""

from __future__ import annotations

import copy
import json
import sys
from pathlib import Path

import yaml

ADDRESS = {"name": "SIDECALL_ADDRESS", "value": "unix:///run/sidecall/sidecall.sock"}
MOUNT = {"name": "sidecall-socket", "mountPath": "/run/sidecall"}
NOTHING = {"": None, "~": None, "null": None, "[]": [], "{}": {}}


def values(text: str):
    """Each of what may be several values of JSON one after the other."""
    while text := text.lstrip():
        value, end = json.JSONDecoder().raw_decode(text)
        yield value
        text = text[end:]


def documents(path: Path) -> list:
    """Each on its own: what two share through an alias is changed in one of them only."""
    if path.suffix == ".json":
        return list(values(path.read_text()))
    found = list(yaml.load_all(path.read_bytes(), Loader=yaml.CSafeLoader))
    return json.loads(json.dumps(found, default=str))


def objects(document: object, given: tuple = (None, None)):
    """The objects of a document and of lists in it."""
    if not isinstance(document, dict):
        return
    kind = document.get("kind", given[0])
    version = document.get("apiVersion", given[1])
    if isinstance(kind, str) and kind.endswith("List") and "items" in document:
        for item in document["items"]:
            yield from objects(item, (kind[:-4] or None, version))
    elif kind:
        yield {**document, "kind": kind, "apiVersion": version}, document


def templates(thing: object):
    """Everything that was injected."""
    if isinstance(thing, list):
        for item in thing:
            yield from templates(item)
    elif isinstance(thing, dict):
        metadata = thing.get("metadata")
        annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
        if isinstance(annotations, dict) and "sidecall.dev/injected" in annotations:
            yield thing
        for value in thing.values():
            yield from templates(value)


class Fault(Exception):
    """Something is not as it must be."""


def must(fact: bool, what: str) -> None:
    if not fact:
        raise Fault(what)


def take(items: list, is_ours) -> list:
    """Takes what is ours out of a list."""
    ours = [item for item in items if is_ours(item)]
    items[:] = [item for item in items if not is_ours(item)]
    return ours


def strip(template: dict) -> None:
    """Takes a sidecar out, all of which must be there."""
    annotations = template["metadata"]["annotations"]
    annotations.pop("sidecall.dev/injected")
    record = json.loads(annotations.pop("sidecall.dev/restore", "{}"))
    spec = template["spec"]
    ours = []
    for key in ("initContainers", "containers"):
        ours += take(spec.get(key) or [], lambda item: item.get("name") == "sidecall")
    must(len(ours) == 1, "not one sidecar")
    (sidecar,) = ours
    is_native = any("restartPolicy" in item for item in ours)
    must(sidecar["args"] == ["serve", "--config", "/etc/sidecall/sidecall.yaml"], "other arguments")
    must(sidecar["securityContext"]["capabilities"] == {"drop": ["ALL"]}, "other capabilities")
    must(sidecar["livenessProbe"]["grpc"] == {"port": 9464, "service": "liveness"}, "other probes")
    volumes = take(spec["volumes"], lambda item: item["name"].startswith("sidecall-"))
    mounts = {mount["name"] for mount in sidecar["volumeMounts"]}
    must({volume["name"] for volume in volumes} == mounts, "other volumes than mounts")
    must(spec["securityContext"]["fsGroup"] is not None, "no fsGroup")
    if "fsGroup" in record.get("absent", []):
        must(spec["securityContext"].pop("fsGroup") == 65532, "another fsGroup")
    reached = 0
    for key in ("initContainers", "containers"):
        for container in spec.get(key) or []:
            mounted = take(container.get("volumeMounts") or [], lambda item: item == MOUNT)
            must(len(mounted) <= 1, "mounted twice")
            reached += len(mounted)
            if mounted and container["name"] not in record.get("kept", []):
                told = take(container["env"], lambda item: item == ADDRESS)
                must(len(told) == 1, "no address")
    must(reached > 0, "no container reaches it")
    must(is_native or spec["containers"], "no containers")
    restore(template, record)


def restore(template: dict, record: dict) -> None:
    """Gives back what was not there, or was nothing."""
    metadata, spec = template["metadata"], template["spec"]
    places = {"metadata": template, "annotations": metadata}
    names = [container["name"] for key in ("initContainers", "containers") for container in spec.get(key) or []]
    containers = {c["name"]: c for key in ("initContainers", "containers") for c in spec.get(key) or []}
    must(len(names) == len(containers), "two containers of a name")
    for place, was in [(place, None) for place in record.get("absent", [])] + list(record.get("was", {}).items()):
        if place == "fsGroup":
            continue
        name, _, key = place.rpartition(".")
        holder = containers[name] if name else places.get(place, spec)
        if place in record.get("absent", []):
            must(holder.pop(key) in ([], {}, {"annotations": {}}), f"{place} is not empty")
        else:
            holder[key] = NOTHING["".join(was.split())]


def compare(original: Path, injected: Path, uninjected: Path) -> int:
    before, after = documents(original), documents(injected)
    must(documents(uninjected) == before, "uninjected is another")
    bare = copy.deepcopy(after)
    count = 0
    for template in list(templates(bare)):
        strip(template)
        count += 1
    must(bare == before, "injected is more than the original and a sidecar")
    return count


def validate(injected: Path, versions: list[str]):
    import kubernetes_validate

    for document in documents(injected):
        for whole, part in objects(document):
            if not any(True for _ in templates(part)):
                continue
            for version in versions:
                try:
                    kubernetes_validate.validate(whole, version, strict=True)
                except kubernetes_validate.ValidationError as error:
                    yield f"{whole['kind']} at {version}: {error.message}"[:400]


def main() -> None:
    originals, injected, uninjected = map(Path, sys.argv[1:4])
    count = 0
    for original in sorted(originals.iterdir()):
        name = original.name
        try:
            count += compare(original, injected / name, uninjected / name)
            for fault in validate(injected / name, sys.argv[4:]) if sys.argv[4:] else ():
                print(f"{name}: {fault}")
        except (Fault, KeyError, TypeError, yaml.YAMLError) as fault:
            print(f"{name}: {type(fault).__name__}: {fault}")
    print(f"{count} sidecars")


main()

#!/usr/bin/env python3
"""What the image holds beside the program, made of what Cargo.lock pins.

    contents.py TARGET ROOTS SBOM

ROOTS are Mozilla's certificate authorities in PEM, taken from the very crate that the
program has them of: for what reads the usual file. SBOM is a list of all crates in the
program, as CycloneDX 1.5.
"""

from __future__ import annotations

import ast
import base64
import datetime
import json
import os
import re
import subprocess
import sys
import textwrap
import tomllib
import uuid
from pathlib import Path

Json = dict


def metadata(target: str) -> Json:
    """What cargo knows of the program for this target."""
    command = ["cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", target]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def shipped(known: Json) -> dict[str, list[str]]:
    """The packages in the binary, each with those that it needs: no build and no test."""
    needs = {
        node["id"]: sorted(
            dependency["pkg"]
            for dependency in node["deps"]
            if any(kind["kind"] is None for kind in dependency["dep_kinds"])
        )
        for node in known["resolve"]["nodes"]
    }
    found: dict[str, list[str]] = {}
    waiting = [known["resolve"]["root"]]
    while waiting:
        package = waiting.pop()
        if package not in found:
            found[package] = needs[package]
            waiting += needs[package]
    return found


def purl(package: Json) -> str:
    """The package's address among all packages."""
    return f"pkg:cargo/{package['name']}@{package['version']}"


def component(package: Json, checksums: dict[tuple[str, str], str]) -> Json:
    """An entry of the list."""
    entry: Json = {
        "type": "library",
        "bom-ref": purl(package),
        "name": package["name"],
        "version": package["version"],
        "purl": purl(package),
    }
    if package.get("license"):
        expression = package["license"].replace("/", " OR ")
        entry["licenses"] = [{"expression": expression}]
    if checksum := checksums.get((package["name"], package["version"])):
        entry["hashes"] = [{"alg": "SHA-256", "content": checksum}]
    return entry


def sbom(known: Json) -> Json:
    """The list."""
    lock = Path("Cargo.lock").read_text()
    checksums = {
        (package["name"], package["version"]): package["checksum"]
        for package in tomllib.loads(lock)["package"]
        if "checksum" in package
    }
    packages = {package["id"]: package for package in known["packages"]}
    graph = shipped(known)
    root = packages[known["resolve"]["root"]]
    moment = datetime.datetime.fromtimestamp(
        int(os.environ.get("SOURCE_DATE_EPOCH", "0")), datetime.timezone.utc
    )
    libraries = sorted(
        (packages[one] for one in graph if one != root["id"]), key=lambda package: purl(package)
    )
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, lock)}",
        "version": 1,
        "metadata": {
            "timestamp": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": component(root, checksums) | {"type": "application"},
        },
        "components": [component(package, checksums) for package in libraries],
        "dependencies": [
            {"ref": ref, "dependsOn": sorted(needs)}
            for ref, needs in sorted(
                (purl(packages[one]), {purl(packages[need]) for need in graph[one]}) for one in graph
            )
        ],
    }


def roots(known: Json) -> str:
    """The authorities in PEM."""
    manifest = next(
        package["manifest_path"]
        for package in known["packages"]
        if package["name"] == "webpki-root-certs"
    )
    source = (Path(manifest).parent / "src" / "lib.rs").read_text()
    found = re.findall(r'// ("(?:[^"\\]|\\.)*")\s+CertificateDer::from_slice\((b".*?")\)', source)
    if len(found) < 50:
        raise SystemExit(f"contents: webpki-root-certs is written otherwise now: {len(found)} roots")
    blocks = []
    for label, der in found:
        body = "\n".join(textwrap.wrap(base64.b64encode(ast.literal_eval(der)).decode(), 64))
        blocks.append(f"# {label}\n-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n")
    return "\n".join(blocks)


def main(target: str, roots_path: str, sbom_path: str) -> None:
    """Writes both."""
    known = metadata(target)
    Path(roots_path).write_text(roots(known))
    Path(sbom_path).write_text(json.dumps(sbom(known), indent=1, ensure_ascii=False) + "\n")


main(*sys.argv[1:])

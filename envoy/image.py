#!/usr/bin/env python3
"""Packs the module as Istio and Envoy Gateway fetch it: envoy/image.py MODULE DIRECTORY VERSION (`make image`).

DIRECTORY becomes an OCI image layout with two images, in both of the forms that the Wasm image specification has
(github.com/solo-io/wasm, spec):

  VERSION            "compat": an image of one layer with the file plugin.wasm, which every registry and tool takes
  VERSION-artifact   "oci": an artefact whose layer is the module itself

No engine is needed, and the same module makes the same bytes on every machine: there are no times in them, and the layer is not
compressed, since what a compressor makes depends on its version. Then, for example

  skopeo copy oci:dist/image:0.1.0 docker://registry.example.com/larder:0.1.0
"""

import hashlib
import io
import json
import pathlib
import shutil
import struct
import sys
import tarfile
import zlib

MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def tar(name, content):
    """An archive of one file, of nobody's and of no time."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode = len(content), 0o644
        archive.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def gzip(content):
    """RFC 1952 around RFC 1951's stored blocks."""
    out = [b"\x1f\x8b\x08\0\0\0\0\0\0\xff"]
    for start in range(0, len(content), 0xFFFF):
        block = content[start : start + 0xFFFF]
        is_last = start + 0xFFFF >= len(content)
        out.append(struct.pack("<BHH", is_last, len(block), len(block) ^ 0xFFFF) + block)
    out.append(struct.pack("<II", zlib.crc32(content), len(content) & 0xFFFFFFFF))
    return b"".join(out)


def digest(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


class Layout:
    def __init__(self, directory):
        self.directory = directory
        self.manifests = []
        shutil.rmtree(directory, ignore_errors=True)
        (directory / "blobs/sha256").mkdir(parents=True)

    def blob(self, kind, content, **members):
        if not isinstance(content, bytes):
            content = json.dumps(content, separators=(",", ":"), sort_keys=True).encode()
        name = digest(content)
        (self.directory / "blobs" / name.replace(":", "/")).write_bytes(content)
        return {"mediaType": kind, "digest": name, "size": len(content), **members}

    def image(self, tag, config, layers, version):
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": config,
            "layers": layers,
            "annotations": {
                "org.opencontainers.image.title": "larder",
                "org.opencontainers.image.description": "The HTTP cache for Envoy and Istio, as one proxy-wasm filter",
                "org.opencontainers.image.licenses": "Apache-2.0",
                "org.opencontainers.image.version": version,
            },
        }
        names = {"org.opencontainers.image.ref.name": tag}
        entry = self.blob(MANIFEST, manifest, annotations=names)
        self.manifests.append(entry)
        print(f"{tag:20} {entry['digest']}")

    def finish(self):
        index = {"schemaVersion": 2, "manifests": self.manifests}
        (self.directory / "index.json").write_text(json.dumps(index, indent=1) + "\n")
        (self.directory / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}\n')


def main(module, directory, version):
    module = pathlib.Path(module).read_bytes()
    if module[:4] != b"\0asm":
        sys.exit("image: that is no WebAssembly module")
    layout = Layout(pathlib.Path(directory))

    archive = tar("plugin.wasm", module)
    layer = layout.blob("application/vnd.oci.image.layer.v1.tar+gzip", gzip(archive))
    # As a Docker would have made it: tools unpack no other system's, and nothing in it runs.
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [digest(archive)]},
    }
    config = layout.blob("application/vnd.oci.image.config.v1+json", config)
    layout.image(version, config, [layer], version)

    about = {"type": "envoy_proxy", "abiVersions": ["v0-2-1"], "config": {"rootIds": ["larder"]}}
    about = layout.blob("application/vnd.module.wasm.config.v1+json", about)
    content = layout.blob("application/vnd.module.wasm.content.layer.v1+wasm", module)
    layout.image(f"{version}-artifact", about, [about, content], version)
    layout.finish()


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])

//! What `make image` packs, read as Istio reads it (`pkg/wasm/imagefetcher.go` in istio/istio): needs Python 3, tar and sha256sum.
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failing assertion is the report"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use larder_harness::{Scratch, tools};
use serde_json::Value;

/// No module that does anything, but one.
const MODULE: &[u8] = b"\0asm\x01\0\0\0";

/// Packs what is in `module` into `directory`.
fn pack(module: &[u8], directory: &Path) -> bool {
    let file = directory.with_extension("wasm");
    fs::write(&file, module).unwrap();
    let script = tools::checkout().join("envoy/image.py");
    let mut command = Command::new("python3");
    command.arg(script).args([&file, directory]).arg("1.2.3");
    command.output().unwrap().status.success()
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// What a program says of a file.
fn said(program: &str, arguments: &[&str], file: &Path) -> Vec<u8> {
    let output = Command::new(program)
        .args(arguments)
        .arg(file)
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program}: {error}");
    output.stdout
}

/// The file that a descriptor names; digest and size are right.
fn blob(layout: &Path, descriptor: &Value) -> PathBuf {
    let digest = descriptor["digest"].as_str().unwrap();
    let path = layout.join("blobs").join(digest.replace(':', "/"));
    let sum = String::from_utf8(said("sha256sum", &[], &path)).unwrap();
    assert_eq!(format!("sha256:{}", sum.split(' ').next().unwrap()), digest);
    assert_eq!(descriptor["size"], fs::metadata(&path).unwrap().len());
    path
}

/// The manifest of this tag.
fn manifest(layout: &Path, tag: &str) -> Value {
    let index = json(&layout.join("index.json"));
    let name = |entry: &&Value| entry["annotations"]["org.opencontainers.image.ref.name"] == tag;
    let entry = index["manifests"].as_array().unwrap().iter().find(name);
    json(&blob(layout, entry.unwrap()))
}

#[test]
fn the_compatible_image_has_the_module_in_one_layer() {
    let scratch = Scratch::new("image").unwrap();
    let layout = scratch.path().join("layout");
    let module: Vec<u8> = MODULE
        .iter()
        .copied()
        .chain((0..200_000).map(|n: u32| n.to_le_bytes()[0]))
        .collect();
    assert!(pack(&module, &layout));
    assert_eq!(
        json(&layout.join("oci-layout"))["imageLayoutVersion"],
        "1.0.0"
    );
    let manifest = manifest(&layout, "1.2.3");
    // One that is Docker's would be read otherwise.
    assert_eq!(
        manifest["mediaType"],
        "application/vnd.oci.image.manifest.v1+json"
    );
    let layers = manifest["layers"].as_array().unwrap();
    assert_eq!(layers.len(), 1);
    assert_eq!(
        layers[0]["mediaType"],
        "application/vnd.oci.image.layer.v1.tar+gzip"
    );
    let layer = blob(&layout, &layers[0]);
    let names = String::from_utf8(said("tar", &["-tzf"], &layer)).unwrap();
    assert_eq!(names, "plugin.wasm\n");
    assert_eq!(said("tar", &["-xzO", "plugin.wasm", "-f"], &layer), module);
    // What a runtime unpacks is what the configuration names.
    let archive = scratch.path().join("archive");
    fs::write(&archive, said("gzip", &["-dc"], &layer)).unwrap();
    let sum = String::from_utf8(said("sha256sum", &[], &archive)).unwrap();
    let config = json(&blob(&layout, &manifest["config"]));
    assert_eq!(
        config["rootfs"]["diff_ids"][0],
        format!("sha256:{}", sum.split(' ').next().unwrap())
    );
}

#[test]
fn the_artefact_has_the_module_as_it_is() {
    let scratch = Scratch::new("image").unwrap();
    let layout = scratch.path().join("layout");
    assert!(pack(MODULE, &layout));
    let manifest = manifest(&layout, "1.2.3-artifact");
    let layers = manifest["layers"].as_array().unwrap();
    assert_eq!(layers.len(), 2, "that is how it is told from others");
    let is_module =
        |layer: &&Value| layer["mediaType"] == "application/vnd.module.wasm.content.layer.v1+wasm";
    let layer = layers.iter().find(is_module).unwrap();
    assert_eq!(fs::read(blob(&layout, layer)).unwrap(), MODULE);
    blob(&layout, &manifest["config"]);
}

#[test]
fn the_same_module_makes_the_same_image() {
    let scratch = Scratch::new("image").unwrap();
    let [first, second, other] = ["first", "second", "other"].map(|name| scratch.path().join(name));
    assert!(pack(MODULE, &first) && pack(MODULE, &second));
    // Over an older one too.
    assert!(pack(MODULE, &other));
    assert!(pack(&[MODULE, &[0, 1, 0]].concat(), &other));
    let index = |layout: &Path| fs::read_to_string(layout.join("index.json")).unwrap();
    assert_eq!(index(&first), index(&second));
    assert_ne!(index(&first), index(&other));
    let blobs = |layout: &Path| fs::read_dir(layout.join("blobs/sha256")).unwrap().count();
    assert_eq!(
        blobs(&first),
        blobs(&other),
        "nothing is left of the one before"
    );
}

#[test]
fn what_is_no_module_is_not_packed() {
    let scratch = Scratch::new("image").unwrap();
    assert!(!pack(b"<html>", &scratch.path().join("layout")));
}

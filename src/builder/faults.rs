//! What faults leave of models: each operation of building one fails, is cut short, or is where the
//! process is killed.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{MetaGraphBuilder, SavedModelBuilder};
use crate::bundle::Durability;
use crate::error::Result;
use crate::graph::GraphBuilder;
use crate::model::Signature;
use crate::store::faults::{Done, Fault, Faults, STOPPED};
use crate::store::platform::TestDirectory;
use crate::tensor::{DType, PartialShape, Shape, Tensor};

const BOTH: [Durability; 2] = [Durability::Sync, Durability::None];

/// A model with variables, an asset and an extra asset.
fn build(directory: &Path, durability: Durability) -> Result<PathBuf> {
    let mut graph = GraphBuilder::new();
    let x = graph.placeholder("x", DType::FLOAT, PartialShape::UNKNOWN)?;
    let w = graph.variable("w", DType::FLOAT, Shape::SCALAR)?;
    let value = graph.read(&w)?;
    let y = graph.op("Mul").input(&x).input(&value).output()?;
    graph.asset(directory.join("words.txt"))?;
    let signature = Signature::predict([("x", &x)], [("y", &y)])?;
    let meta_graph =
        MetaGraphBuilder::new(graph, ["serve"]).signature("serving_default", signature);
    let options = SavedModelBuilder::options()
        .durability(durability)
        .uuid("1");
    let mut builder = options.create(directory.join("models/1"))?;
    builder.add_meta_graph_and_variables(meta_graph, [("w", Tensor::scalar(2f32))])?;
    builder.add_extra_asset("notes/extra.txt", directory.join("words.txt"))?;
    builder.save()
}

fn directory() -> TestDirectory {
    let directory = TestDirectory::new("builder-faults");
    fs::write(directory.path().join("words.txt"), "one\ntwo\n").unwrap();
    directory
}

/// Returns all files below a directory.
fn files(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![directory.to_owned()];
    while let Some(current) = open.pop() {
        for entry in fs::read_dir(&current).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => open.push(path),
                false => {
                    let name = path.strip_prefix(directory).unwrap().to_owned();
                    found.insert(name, fs::read(&path).unwrap());
                }
            }
        }
    }
    found
}

fn complete() -> BTreeMap<PathBuf, Vec<u8>> {
    let directory = directory();
    let model = build(directory.path(), Durability::None).unwrap();
    let files = files(&model);
    assert_eq!(files.len(), 6, "{:?}", files.keys());
    files
}

/// Says what there is of the model: nothing, or all. No directory has a program and not all the rest.
#[track_caller]
fn is_there(directory: &Path, complete: &BTreeMap<PathBuf, Vec<u8>>) -> bool {
    let models = directory.join("models");
    for entry in fs::read_dir(&models).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.join("saved_model.pb").exists() {
            assert_eq!(files(&path), *complete, "{}", path.display());
        }
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        assert!(name == "1" || name.starts_with("temp-1."), "{name}");
        if name == "1" {
            assert!(path.join("saved_model.pb").exists());
        }
    }
    models.join("1").exists()
}

#[test]
fn an_operation_that_fails_leaves_no_model_and_nothing_else() {
    let complete = complete();
    for durability in BOTH {
        for at in 0.. {
            let directory = directory();
            let fault = Fault::Fail(at, io::ErrorKind::StorageFull);
            let faults = Faults::below(directory.path(), fault);
            let result = build(directory.path(), durability);
            let (tried, done) = (faults.tried(), faults.done());
            drop(faults);
            if tried <= at {
                assert!(at > 20, "{at}");
                assert!(is_there(directory.path(), &complete));
                break;
            }
            let error = result.expect_err(&format!("{at}: {done:?}"));
            assert!(error.path().is_some(), "{error}");
            // What failed after the model came to its place was to make it last.
            let is_late = done
                .iter()
                .any(|done| matches!(done, Done::Rename { to, .. } if to.ends_with("models/1")));
            assert_eq!(is_there(directory.path(), &complete), is_late, "{at}");
            let models = directory.path().join("models");
            let left = fs::read_dir(models).map_or(0, |entries| entries.count());
            assert_eq!(left, usize::from(is_late), "{at}: {done:?}");
        }
    }
}

#[test]
fn writes_cut_short_go_on_and_a_full_disk_leaves_nothing() {
    let complete = complete();
    let mut full = 0;
    for at in 0.. {
        let run = |fault: Fault| {
            let directory = directory();
            let faults = Faults::below(directory.path(), fault);
            let result = build(directory.path(), Durability::None);
            (directory, result, faults.tried())
        };
        let (directory, result, tried) = run(Fault::Short(at));
        if tried <= at {
            break;
        }
        result.unwrap();
        assert!(is_there(directory.path(), &complete));
        let (directory, result, _) = run(Fault::Full(at));
        full += usize::from(result.is_err());
        assert_eq!(is_there(directory.path(), &complete), result.is_ok());
    }
    assert!(full > 5, "{full}");
}

#[test]
fn a_killed_process_leaves_no_model_or_the_whole_one() {
    let complete = complete();
    for durability in BOTH {
        let mut outcomes = [0, 0];
        for within in [false, true] {
            for at in 0.. {
                let directory = directory();
                if !is_killed(directory.path(), durability, at, within) {
                    assert!(is_there(directory.path(), &complete));
                    break;
                }
                outcomes[usize::from(is_there(directory.path(), &complete))] += 1;
                // Who comes after is not hindered by what was left.
                if !directory.path().join("models/1").exists() {
                    build(directory.path(), Durability::None).unwrap();
                    assert!(is_there(directory.path(), &complete));
                }
            }
        }
        assert!(outcomes[0] > 20, "{outcomes:?}");
    }
}

fn is_killed(directory: &Path, durability: Durability, at: usize, within: bool) -> bool {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "builder::faults::child", "--nocapture"])
        .env("SAVEDMODEL_BUILDER_DIRECTORY", directory)
        .env("SAVEDMODEL_BUILDER_SYNC", format!("{durability:?}"))
        .env("SAVEDMODEL_BUILDER_AT", at.to_string())
        .env("SAVEDMODEL_BUILDER_WITHIN", within.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let is_stopped = lines.any(|line| line.unwrap().contains(STOPPED));
    if is_stopped {
        child.kill().unwrap();
    }
    assert_eq!(child.wait().unwrap().success(), !is_stopped);
    is_stopped
}

/// Does nothing, but for [`is_killed`].
#[test]
fn child() {
    let Some(directory) = std::env::var_os("SAVEDMODEL_BUILDER_DIRECTORY") else {
        return;
    };
    let set = |name: &str| std::env::var(format!("SAVEDMODEL_BUILDER_{name}")).unwrap();
    let at = set("AT").parse().unwrap();
    let fault = match set("WITHIN") == "true" {
        true => Fault::StopWithin(at),
        false => Fault::Stop(at),
    };
    let _faults = Faults::below(Path::new(&directory), fault);
    let durability = BOTH.into_iter().find(|it| format!("{it:?}") == set("SYNC"));
    build(Path::new(&directory), durability.unwrap()).unwrap();
}

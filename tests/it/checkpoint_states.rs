//! The file `checkpoint`, compared with what TensorFlow reads from ours and writes itself.

use std::fs;
use std::path::{Path, PathBuf};

use savedmodel::ErrorKind;
use savedmodel::bundle::{CheckpointPaths, CheckpointState, latest_checkpoint};
use serde_json::{Value, json};

use crate::tensorflow;

/// An empty directory for one test's files. It stays until the next run, to look at.
fn work_directory(test: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).unwrap();
    directory
}

/// What [`CheckpointState::update`] is told.
struct Case {
    save_dir: PathBuf,
    state: CheckpointState,
    paths: CheckpointPaths,
}

impl Case {
    fn new(save_dir: &Path, paths: CheckpointPaths, latest: &str, all: &[&str]) -> Self {
        let mut state = CheckpointState::new(latest);
        state.all_model_checkpoint_paths = all.iter().map(|path| path.to_string()).collect();
        Case {
            save_dir: save_dir.to_owned(),
            state,
            paths,
        }
    }

    fn with_times(mut self, timestamps: &[f64], last_preserved: f64) -> Self {
        self.state.all_model_checkpoint_timestamps = timestamps.to_vec();
        self.state.last_preserved_timestamp = Some(last_preserved);
        self
    }

    fn json(&self) -> Value {
        json!({
            "save_dir": self.save_dir,
            "model_checkpoint_path": self.state.model_checkpoint_path,
            "all_model_checkpoint_paths": self.state.all_model_checkpoint_paths,
            "timestamps": self.state.all_model_checkpoint_timestamps,
            "last_preserved": self.state.last_preserved_timestamp,
            "relative": self.paths == CheckpointPaths::Relative,
        })
    }
}

/// Finite numbers of all magnitudes.
fn numbers(count: usize) -> Vec<f64> {
    let mut bits = 0x9e37_79b9_7f4a_7c15u64;
    let numbers = std::iter::repeat_with(move || {
        bits ^= bits << 13;
        bits ^= bits >> 7;
        bits ^= bits << 17;
        f64::from_bits(bits)
    });
    let near_now = (0..count / 2).map(|i| 1_785_200_000.0 + i as f64 * 0.123_456_789);
    let any = numbers.filter(|number| number.is_finite());
    near_now.chain(any).take(count).collect()
}

/// The path to a directory from where this program runs.
fn from_here(directory: &Path) -> PathBuf {
    let here = std::env::current_dir().unwrap();
    let up = here.components().skip(1).map(|_| Path::new(".."));
    up.collect::<PathBuf>()
        .join(directory.strip_prefix("/").unwrap())
}

#[test]
fn interop_lists_of_checkpoints_are_those_of_tensorflow() {
    use CheckpointPaths::{AsGiven, Relative};

    let root = work_directory("checkpoint_states");
    let mut count = 0;
    let mut directory = || {
        let directory = root.join(count.to_string());
        fs::create_dir(&directory).unwrap();
        count += 1;
        directory
    };
    let inside = |directory: &Path, name: &str| directory.join(name).to_str().unwrap().to_owned();
    let mut cases = Vec::new();

    for paths in [Relative, AsGiven] {
        let here = directory();
        let (one, two) = (inside(&here, "ckpt-1"), inside(&here, "ckpt-2"));
        cases.push(
            Case::new(&here, paths, &two, &[&one, &two])
                .with_times(&[1785200000.25, 1785200001.0], 1785199999.0),
        );
        // Not the last of all, relative to the directory already, or to where the program runs.
        let here = directory();
        cases.push(Case::new(&here, paths, &inside(&here, "c/d"), &[]));
        let here = directory();
        cases.push(Case::new(&here, paths, "ckpt-1", &["ckpt-0"]));
        let here = directory();
        cases.push(Case::new(&here, paths, &inside(&here, "x"), &["x"]));
        let here = from_here(&directory());
        let (one, two) = (inside(&here, "ckpt-1"), inside(&here, "./a/../ckpt-2"));
        cases.push(Case::new(&here, paths, &two, &[&one, &two]));
        // Outside, and names that need escapes.
        let here = directory();
        cases.push(Case::new(&here, paths, &inside(&root, "beside"), &[]));
        let here = directory();
        let odd = inside(&here, "größe \"a\"\t'b'\\ \u{1}\u{7f}模型");
        cases.push(Case::new(&here, paths, &odd, &[]));
        // What both refuse.
        let here = directory();
        cases.push(Case::new(&here, paths, "b", &["a"]).with_times(&[1.0], 0.0));
    }
    let here = directory();
    cases.push(Case::new(&here, AsGiven, &inside(&here, "checkpoint"), &[]));
    let here = directory();
    let numbers = numbers(400);
    let names: Vec<String> = (0..numbers.len()).map(|i| format!("ckpt-{i}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    cases.push(
        Case::new(&here, Relative, names.last().unwrap(), &names).with_times(&numbers, -1.5e-9),
    );

    let mut ours = Vec::new();
    for case in &cases {
        let result = case.state.clone().update(&case.save_dir, case.paths);
        ours.push(match result {
            Ok(()) => Some(fs::read_to_string(case.save_dir.join("checkpoint")).unwrap()),
            Err(error) => {
                assert!(matches!(error.kind(), ErrorKind::InvalidArgument { .. }));
                None
            }
        });
        if ours.last().unwrap().is_some() {
            let state = CheckpointState::read(&case.save_dir).unwrap().unwrap();
            let index = format!("{}.index", state.model_checkpoint_path);
            let index = case.save_dir.join(index);
            fs::create_dir_all(index.parent().unwrap()).unwrap();
            fs::write(index, "").unwrap();
        }
    }
    assert_eq!(ours.iter().filter(|text| text.is_none()).count(), 3);

    let file = root.join("cases.json");
    let json: Vec<Value> = cases.iter().map(Case::json).collect();
    fs::write(&file, serde_json::to_vec(&json).unwrap()).unwrap();
    let Some(theirs) = tensorflow::run("update_checkpoint_states.py", &[&file]) else {
        return;
    };
    let theirs: Vec<Value> = serde_json::from_slice(&theirs).unwrap();
    assert_eq!(theirs.len(), cases.len());
    for ((case, ours), theirs) in cases.iter().zip(&ours).zip(&theirs) {
        assert_eq!(theirs["written"], json!(ours), "{}", case.json());
        if ours.is_some() {
            assert_eq!(theirs["read"], theirs["read_own"]);
            // It looks for the index by a pattern, in which a backslash is none.
            if !case.state.model_checkpoint_path.contains('\\') {
                assert_eq!(theirs["latest"], theirs["read"]["latest"]);
            }
        }
    }
}

#[test]
fn an_absolute_path_becomes_relative_once() {
    let root = work_directory("checkpoint_states_once");
    let here = from_here(&root);
    let path = root.join("ckpt-1").to_str().unwrap().to_owned();
    CheckpointState::new(path)
        .update(&here, CheckpointPaths::Relative)
        .unwrap();
    let state = CheckpointState::read(&root).unwrap().unwrap();
    assert_eq!(state.model_checkpoint_path, "ckpt-1");
    assert_eq!(latest_checkpoint(&root).unwrap(), Some(root.join("ckpt-1")));
}

#[test]
fn what_is_not_understood_is_not_overwritten() {
    let root = work_directory("checkpoint_states_unknown");
    let file = root.join("checkpoint");
    let text = "model_checkpoint_path: \"a\"\nnewer_than_this_crate: 1\n";
    fs::write(&file, text).unwrap();
    let error = CheckpointState::new("b")
        .update(&root, CheckpointPaths::Relative)
        .unwrap_err();
    assert!(
        error.to_string().contains("newer_than_this_crate"),
        "{error}"
    );
    assert_eq!(error.path(), Some(&*file));
    assert_eq!(fs::read_to_string(&file).unwrap(), text);
    assert_eq!(fs::read_dir(&root).unwrap().count(), 1);
}

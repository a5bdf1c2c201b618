use std::fs;
use std::path::Path;

use super::bundle::{BundleReport, Contents, is_object_based};
use super::files;
use super::oddity::{self, Oddity, OddityCode};
use super::parameters::{ParametersReport, is_parameter, is_save_counter};
use crate::bundle::{BundleReader, CheckpointState, Endianness};
use crate::error::Result;
use crate::object_graph::CheckpointGraph;

/// A checkpoint at a glance.
///
/// ```
/// use savedmodel::BundleReader;
/// use savedmodel::inspect::CheckpointOverview;
///
/// let bundle = BundleReader::open("tests/fixtures/ckpt_manager/ckpt-2")?;
/// let overview = CheckpointOverview::of(&bundle)?;
/// assert!(overview.is_object_based);
/// assert_eq!(overview.latest.as_deref(), Some("ckpt-2"));
/// # Ok::<(), savedmodel::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct CheckpointOverview {
    /// The prefix, as errors show it.
    pub path: String,
    /// Whether it was saved from objects, as tf.train.Checkpoint does; else from names, as
    /// tf.compat.v1.train.Saver does.
    pub is_object_based: bool,
    /// How many objects there are; `None` if it is not object-based.
    pub objects: Option<u64>,
    /// How many variables optimizers keep for others.
    pub slot_variables: u64,
    /// Whether the numbers are in little-endian order, as nearly all are.
    pub is_little_endian: bool,
    /// How often the object was saved before, the value of its `save_counter`.
    pub save_counter: Option<i64>,
    /// The numbers in its variables.
    pub parameters: ParametersReport,
    /// Its tensors.
    pub tensors: BundleReport,
    /// The bytes of the index and of all data files.
    pub file_bytes: u64,
    /// What the file `checkpoint` beside it calls the latest; `None` without such a file.
    pub latest: Option<String>,
    /// How many checkpoints that file lists.
    pub kept: u64,
    /// Whether there is a `.meta` file with the graph beside it, as TensorFlow 1 writes.
    pub has_meta: bool,
    /// What is odd, the worst first.
    pub oddities: Vec<Oddity>,
}

impl CheckpointOverview {
    /// Looks at a checkpoint: at its index and the files beside it. Of the tensors only the
    /// description of objects and the counter are read.
    ///
    /// # Errors
    ///
    /// `Malformed` if there is no telling whether it is object-based.
    pub fn of(bundle: &BundleReader) -> Result<CheckpointOverview> {
        let index = bundle.index_path();
        let prefix = index.to_string_lossy();
        let prefix = prefix.trim_end_matches(".index").to_owned();
        let directory = match index.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        let names = names_in(directory);
        let contents = Contents::read(bundle);
        let mut oddities = contents.oddities(bundle, &names);
        let left = files::leftovers(&names).cloned().collect();
        oddities.extend(files::of_leftovers(left));
        let is_object_based = is_object_based(bundle)?;
        let objects = match is_object_based.then(|| CheckpointGraph::read(bundle)) {
            Some(Ok(objects)) => Some(objects),
            Some(Err(error)) => {
                oddities.push(Oddity::of_all(
                    OddityCode::ObjectGraphFault,
                    format!("the objects cannot be read: {error}"),
                    "copy the checkpoint again from where it was saved",
                ));
                None
            }
            None => None,
        };
        let mut parameters = ParametersReport::default();
        for stored in contents
            .tensors
            .iter()
            .filter(|stored| is_parameter(stored))
        {
            let key = stored.key.as_bytes();
            if !is_save_counter(key) {
                parameters.add(&contents, stored);
            }
        }
        let state = CheckpointState::read(directory).ok().flatten();
        let own = Path::new(&prefix).file_name().unwrap_or_default();
        let own = own.to_string_lossy();
        let file_bytes = names
            .iter()
            .filter(|name| {
                name.strip_prefix(&*own)
                    .is_some_and(|rest| rest == ".index" || rest.starts_with(".data-"))
            })
            .filter_map(|name| fs::metadata(directory.join(name)).ok())
            .map(|metadata| metadata.len())
            .sum();
        oddity::sort(&mut oddities);
        Ok(CheckpointOverview {
            is_object_based,
            objects: objects.as_ref().map(|objects| objects.len() as u64),
            slot_variables: objects
                .as_ref()
                .map_or(0, |objects| objects.slot_variables().count() as u64),
            is_little_endian: bundle.endianness() == Endianness::Little,
            save_counter: save_counter(bundle),
            parameters,
            tensors: contents.report(bundle),
            file_bytes,
            kept: state
                .as_ref()
                .map_or(0, |state| state.all_model_checkpoint_paths.len() as u64),
            latest: state.map(|state| state.model_checkpoint_path),
            has_meta: names.iter().any(|name| *name == format!("{own}.meta")),
            path: prefix,
            oddities,
        })
    }
}

fn names_in(directory: &Path) -> Vec<String> {
    let files = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut names: Vec<String> = files
        .filter_map(|file| file.file_name().into_string().ok())
        .collect();
    names.sort_unstable();
    names
}

fn save_counter(bundle: &BundleReader) -> Option<i64> {
    const KEY: &str = "save_counter/.ATTRIBUTES/VARIABLE_VALUE";
    let entry = bundle.entry(KEY).ok()?;
    if entry.shape().elements() != 1 {
        return None;
    }
    let tensor = bundle.tensor(KEY).ok()?;
    tensor.values::<i64>().ok()?.first().copied()
}

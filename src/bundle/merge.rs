use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::header::Header;
use super::index_file;
use super::index_merge::{self, EntrySource, IndexEntries, ShardNumbers};
use super::publication::Publication;
use super::raw_entry::RawEntry;
use super::reader::BundleReader;
use super::writer_options::{BLOCK_SIZE, Durability, Existing};
use crate::error::{Error, ErrorKind, Result};
use crate::store::{PendingFile, disk};
use crate::wire::{Message, Value, varint};

/// Says what becomes of bundles that were merged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Inputs {
    /// They are removed when the merged bundle is in place, and so are directories that this leaves
    /// empty. What cannot be removed stays.
    #[default]
    Remove,
    /// They stay. Where the file system can give a file two names, the data files of both bundles
    /// are the same, which no writer that puts new files in place of old ones minds.
    Keep,
}

/// How bundles are merged by [`merge_bundles`].
///
/// ```
/// use savedmodel::bundle::{Durability, Inputs, MergeOptions};
///
/// let options = MergeOptions::default()
///     .allow_missing_files(true)
///     .inputs(Inputs::Keep)
///     .durability(Durability::None);
/// ```
#[derive(Clone, Debug)]
pub struct MergeOptions {
    allow_missing_files: bool,
    inputs: Inputs,
    existing: Existing,
    durability: Durability,
    block_size: usize,
}

impl Default for MergeOptions {
    fn default() -> Self {
        MergeOptions {
            allow_missing_files: false,
            inputs: Inputs::default(),
            existing: Existing::default(),
            durability: Durability::default(),
            block_size: BLOCK_SIZE,
        }
    }
}

impl MergeOptions {
    /// Sets whether prefixes without an index are passed over, as long as there is one that has one.
    /// Default: `false`, they are an error.
    pub fn allow_missing_files(mut self, allow: bool) -> Self {
        self.allow_missing_files = allow;
        self
    }

    /// Sets what becomes of the bundles that were merged. Default: [`Inputs::Remove`].
    pub fn inputs(mut self, inputs: Inputs) -> Self {
        self.inputs = inputs;
        self
    }

    /// Sets what happens to a bundle that is there, one of those that are merged included. Default:
    /// [`Existing::Refuse`].
    pub fn existing(mut self, existing: Existing) -> Self {
        self.existing = existing;
        self
    }

    /// Sets whether the merged bundle survives a crash. Default: [`Durability::Sync`].
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Sets how many bytes a block of the index has at least, as
    /// [`BundleWriterOptions::block_size`](super::BundleWriterOptions::block_size) does.
    pub fn block_size(mut self, bytes: usize) -> Self {
        self.block_size = bytes;
        self
    }
}

/// Returns the prefix at which a process writes its shard of a bundle, as TensorFlow's savers do:
/// `ckpt-1_temp/part-00000-of-00002`. No reader takes it for a checkpoint.
///
/// ```
/// use savedmodel::bundle::part_prefix;
///
/// let part = part_prefix("checkpoints/ckpt-1", 0, 2);
/// assert_eq!(part, std::path::Path::new("checkpoints/ckpt-1_temp/part-00000-of-00002"));
/// ```
pub fn part_prefix(prefix: impl AsRef<Path>, shard: usize, shards: usize) -> PathBuf {
    let mut directory = prefix.as_ref().as_os_str().to_owned();
    directory.push("_temp");
    Path::new(&directory).join(format!("part-{shard:05}-of-{shards:05}"))
}

/// Makes one bundle of several: the shards of all, with one index.
///
/// This is how a bundle is written by several processes: each writes one of its own at a
/// [temporary prefix](part_prefix), and when all are done one of them merges. Pieces of a
/// partitioned tensor may be in any of them.
///
/// Data files are not read: they get a name of the merged bundle, where the file system can give a
/// file two names, and are copied otherwise. Everything is checked before, and the inputs are whole
/// until the merged bundle is in place, so that no failure and no crash loses any of them.
///
/// Files are those of TensorFlow's `MergeBundles`
/// (`tensorflow/core/util/tensor_bundle/tensor_bundle.cc`), byte for byte, but where it leaves a
/// bundle that cannot be read: an input without tensors makes no shard here, and the merged bundle
/// may have the prefix of one of the inputs if it is to be [replaced](MergeOptions::existing).
///
/// ```
/// use savedmodel::bundle::{MergeOptions, merge_bundles, part_prefix};
/// use savedmodel::{BundleReader, BundleWriter, Tensor};
///
/// # let directory = std::env::temp_dir().join(format!("savedmodel-merge-{}", std::process::id()));
/// let prefix = directory.join("ckpt-1");
/// for i in 0..2 {
///     let mut part = BundleWriter::create(part_prefix(&prefix, i, 2))?;
///     part.add(format!("layer_{i}/bias"), &Tensor::scalar(i as f32))?;
///     part.finish()?;
/// }
/// let parts = [0, 1].map(|i| part_prefix(&prefix, i, 2));
/// merge_bundles(parts, &prefix, &MergeOptions::default())?;
/// assert_eq!(BundleReader::open(&prefix)?.num_shards(), 2);
/// # std::fs::remove_dir_all(directory)?;
/// # Ok::<(), savedmodel::Error>(())
/// ```
///
/// # Errors
///
/// `NotFound` for an input without an index, unless [allowed](MergeOptions::allow_missing_files),
/// or without a data file that it needs; `InvalidArgument` if there is no input, if two of them are
/// the same, have a tensor under the same key, pieces of a partitioned tensor that overlap or
/// disagree about its dtype or full shape, or differ in byte order or version, and if there is a
/// bundle already; `Malformed` or `ChecksumMismatch` for a damaged index; `Io` as the system has it.
pub fn merge_bundles(
    prefixes: impl IntoIterator<Item = impl AsRef<Path>>,
    merged_prefix: impl AsRef<Path>,
    options: &MergeOptions,
) -> Result<()> {
    let inputs = open_all(prefixes, options)?;
    let merged_prefix = merged_prefix.as_ref();
    let mut publication = Publication::new(merged_prefix, options.existing, options.durability)?;
    let used = number_shards(&inputs)?;

    let index_path = publication.index_path();
    let file = PendingFile::create(&index_path)
        .map_err(|error| Error::from(error).in_file(&index_path))?;
    let header = merged_header(&inputs, used.files.len().max(1))?;
    let index = index_file::write(file, options.block_size, &header, |table| {
        let entries = inputs.iter().map(Input::entries);
        let mut entries = entries.collect::<Result<Vec<_>>>()?;
        index_merge::merge(&mut entries, &used.numbers, |key, entry| {
            table
                .add(key, entry)
                .map_err(|error| error.in_file(&index_path))
        })
    })?;
    let count = used.files.len();
    for (shard, (input, id)) in used.files.iter().enumerate() {
        let path = inputs[*input].shard_path(*id as u32);
        let file = PendingFile::link(&path, &publication.shard_path(shard, count));
        publication.shard(file.map_err(|error| {
            Error::from(error)
                .in_file(&path)
                .remedy("copy the data files along with the index")
        })?);
    }
    if count == 0 {
        let path = publication.shard_path(0, 1);
        let file = PendingFile::create(&path).map_err(|error| Error::from(error).in_file(&path))?;
        publication.shard(file);
    }
    let mut merged: HashSet<PathBuf> = (0..count.max(1))
        .map(|shard| same_name(&publication.shard_path(shard, count.max(1))))
        .collect();
    merged.insert(same_name(&index_path));
    publication.publish(index)?;
    if options.inputs == Inputs::Remove {
        remove_all(&inputs, &used, &merged);
    }
    Ok(())
}

/// One of the bundles that are merged.
struct Input {
    prefix: PathBuf,
    reader: BundleReader,
}

impl Input {
    fn entries(&self) -> Result<IndexEntries<'_>> {
        IndexEntries::new(self.reader.table(), self.reader.index_path())
    }

    fn index_path(&self) -> PathBuf {
        self.with_suffix(".index")
    }

    fn shard_path(&self, shard: u32) -> PathBuf {
        let count = self.reader.num_shards();
        self.with_suffix(&format!(".data-{shard:05}-of-{count:05}"))
    }

    fn with_suffix(&self, suffix: &str) -> PathBuf {
        let mut path = self.prefix.as_os_str().to_owned();
        path.push(suffix);
        path.into()
    }
}

fn open_all(
    prefixes: impl IntoIterator<Item = impl AsRef<Path>>,
    options: &MergeOptions,
) -> Result<Vec<Input>> {
    let mut inputs: Vec<Input> = Vec::new();
    let mut names = HashSet::new();
    for prefix in prefixes {
        let prefix = prefix.as_ref();
        let reader = match BundleReader::open(prefix) {
            Ok(reader) => reader,
            Err(error) if matches!(error.kind(), ErrorKind::NotFound { .. }) => {
                if options.allow_missing_files {
                    continue;
                }
                return Err(
                    error.remedy("to merge those that there are, use `allow_missing_files`")
                );
            }
            Err(error) => return Err(error),
        };
        let input = Input {
            prefix: prefix.to_owned(),
            reader,
        };
        let path = input.index_path();
        if !names.insert(same_name(&path)) {
            return Err(
                Error::invalid_argument("the bundle is to be merged with itself").in_file(path),
            );
        }
        inputs.push(input);
    }
    match inputs.is_empty() {
        true => Err(Error::invalid_argument(
            "there is no bundle under any of the prefixes that are to be merged",
        )),
        false => Ok(inputs),
    }
}

/// The shards that have a tensor.
struct Used {
    /// In the order of their new numbers: the input, and the number there.
    files: Vec<(usize, i32)>,
    /// For each input.
    numbers: Vec<ShardNumbers>,
}

/// Gives shards their new numbers: input by input, in the order in which the keys of one need them.
fn number_shards(inputs: &[Input]) -> Result<Used> {
    let mut files = Vec::new();
    let mut numbers = Vec::new();
    for (i, input) in inputs.iter().enumerate() {
        let mut seen = HashMap::new();
        let mut entries = input.entries()?;
        while let Some((key, entry)) = entries.current() {
            let entry = RawEntry::read(entry)
                .and_then(|entry| check_shard(&entry, input).map(|()| entry))
                .map_err(|error| entries.in_source(error).for_key(key))?;
            // The entry of a tensor in pieces goes with that of an earlier input.
            if !entry.is_partitioned() || !is_in(key, &inputs[..i])? {
                seen.entry(entry.shard_id()).or_insert_with(|| {
                    files.push((i, entry.shard_id()));
                    files.len() as u32 - 1
                });
            }
            // With one shard, the first entry says all.
            if input.reader.num_shards() == 1 && !seen.is_empty() {
                break;
            }
            entries.advance()?;
        }
        numbers.push(ShardNumbers::new(seen.into_iter().collect()));
    }
    Ok(Used { files, numbers })
}

fn check_shard(entry: &RawEntry<'_>, input: &Input) -> Result<()> {
    let (shard, count) = (entry.shard_id(), input.reader.num_shards());
    match u32::try_from(shard) {
        Ok(id) if id < count => Ok(()),
        _ => Err(Error::malformed(format!(
            "the entry is in shard {shard}, but the shards are 0 to {}",
            count - 1
        ))),
    }
}

fn is_in(key: &[u8], inputs: &[Input]) -> Result<bool> {
    for input in inputs {
        if input.reader.contains(key)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Returns the header of the merged bundle: the first one's, with another number of shards.
fn merged_header(inputs: &[Input], num_shards: usize) -> Result<Vec<u8>> {
    let mut first: Option<(Vec<u8>, &Input)> = None;
    for input in inputs {
        let in_index = |error: Error| error.in_file(input.reader.index_path());
        let header = input.reader.table().get(b"").map_err(in_index)?;
        let rest = without_shards(&header.unwrap_or_default()).map_err(in_index)?;
        match &first {
            Some((version, other)) if *version != rest => {
                return Err(Error::invalid_argument(format!(
                    "the bundle has another byte order or version than {}",
                    other.index_path().display()
                ))
                .in_file(input.index_path()));
            }
            Some(_) => {}
            None => first = Some((rest, input)),
        }
    }
    let mut header = vec![Header::NUM_SHARDS_TAG];
    varint::write_u64(&mut header, num_shards as u64);
    header.extend(first.map(|(rest, _)| rest).unwrap_or_default());
    Ok(header)
}

/// Returns a header without the number of shards, which is its first field.
fn without_shards(header: &[u8]) -> Result<Vec<u8>> {
    let mut rest = Vec::new();
    for field in Message::new(header).fields() {
        let field = field?;
        match (field.number(), field.value()) {
            (1, Value::Varint(_)) => {}
            _ => rest.extend_from_slice(field.raw()),
        }
    }
    Ok(rest)
}

/// From so many shards on, those of an input that have no tensor are left where they are: to look for
/// them would take as long as a damaged header likes.
const MAX_UNUSED: u32 = 1 << 16;

/// Removes the inputs, their indexes first: data files without one are left over, and nothing else.
fn remove_all(inputs: &[Input], used: &Used, merged: &HashSet<PathBuf>) {
    let remove = |path: PathBuf| {
        if !merged.contains(&same_name(&path)) {
            let _ = disk::remove(&path);
        }
    };
    for input in inputs {
        remove(input.index_path());
    }
    for &(input, shard) in &used.files {
        remove(inputs[input].shard_path(shard as u32));
    }
    for input in inputs {
        let count = input.reader.num_shards();
        if count <= MAX_UNUSED {
            (0..count).for_each(|shard| remove(input.shard_path(shard)));
        }
        let index = same_name(&input.index_path());
        if let Some(directory) = index.parent()
            && !merged.iter().any(|path| path.parent() == Some(directory))
        {
            // Refused unless it is empty.
            let _ = disk::remove_directory(directory);
        }
    }
}

/// Returns a path that is the same for all spellings of the directory.
fn same_name(path: &Path) -> PathBuf {
    let directory = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    match (fs::canonicalize(directory), path.file_name()) {
        (Ok(directory), Some(name)) => directory.join(name),
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::bundle::BundleWriter;
    use crate::store::faults::{Fault, Faults};
    use crate::store::platform::TestDirectory;
    use crate::tensor::Tensor;

    fn value(key: usize) -> Tensor {
        Tensor::scalar(key as i64)
    }

    /// Says whether a prefix has a bundle with these and nothing else.
    fn has(prefix: &Path, keys: &[usize]) -> bool {
        let Ok(reader) = BundleReader::open(prefix) else {
            return false;
        };
        assert_eq!(reader.entries().count(), keys.len());
        for &key in keys {
            assert_eq!(reader.tensor(key.to_string()).unwrap(), value(key));
        }
        true
    }

    #[test]
    fn whichever_operation_fails_no_tensor_is_lost() {
        let kind = io::ErrorKind::Other;
        // Into a prefix of its own, and into that of the first input.
        for merged in ["merged", "part0"] {
            let (mut failed, mut left) = (0, 0);
            for at in 0.. {
                let mut over = true;
                for fault in [Fault::Fail(at, kind), Fault::FailFrom(at, kind)] {
                    let directory = TestDirectory::in_memory("merge");
                    let path = |name: &str| directory.path().join(name);
                    let parts = [path("part0"), path("part1")];
                    for (key, part) in parts.iter().enumerate() {
                        let mut writer = BundleWriter::create(part).unwrap();
                        writer.add(key.to_string(), &value(key)).unwrap();
                        writer.finish().unwrap();
                    }
                    let faults = Faults::below(directory.path(), fault);
                    let options = MergeOptions::default().existing(Existing::Replace);
                    let result = merge_bundles(&parts, path(merged), &options);
                    over &= faults.tried() <= at;
                    drop(faults);
                    if merged == "part0" {
                        let _ = super::super::recover(&parts[0]);
                    }
                    let is_merged = has_two(&path(merged));
                    let parts_are_there =
                        !is_merged && has(&parts[0], &[0]) && has(&parts[1], &[1]);
                    assert!(is_merged || parts_are_there, "{merged}, {fault:?}");
                    // Said where it could not be taken back.
                    let says = |error: &Error| {
                        let error = error.to_string();
                        error.contains("in place") || error.contains("back to")
                    };
                    match &result {
                        Ok(()) => assert!(is_merged),
                        Err(error) => assert!(parts_are_there || says(error), "{error}"),
                    }
                    failed += usize::from(result.is_err());
                    left += usize::from(result.is_ok() && path("part1.index").exists());
                }
                if over {
                    break;
                }
            }
            assert!(failed > 20 && left > 0, "{failed} {left}");
        }
    }

    fn has_two(prefix: &Path) -> bool {
        let is_merged = |reader: BundleReader| reader.entries().count() == 2;
        BundleReader::open(prefix).is_ok_and(is_merged) && has(prefix, &[0, 1])
    }
}

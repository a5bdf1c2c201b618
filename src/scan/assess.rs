use super::argument::{Argument, Arguments};
use super::call_graph::Suspect;
use super::{Capability, Severity};
use crate::error::Result;
use crate::model::Node;
use crate::op;
use crate::proto::attr_value::Value;

/// What a node amounts to, once its attrs and arguments were looked at.
pub(super) struct Assessment {
    pub(super) capability: Capability,
    pub(super) severity: Severity,
    pub(super) message: String,
    pub(super) arguments: Vec<String>,
    /// Its path is that of a remote file system.
    pub(super) remote: bool,
}

/// Looks at a node; `None` if it turns out to be harmless.
pub(super) fn assess<'m>(
    suspect: &Suspect<'m>,
    arguments: &mut Arguments<'_, 'm>,
) -> Result<Option<Assessment>> {
    let (node, op) = (suspect.node, suspect.node.op());
    let (mut capability, mut severity) = (suspect.capability, suspect.severity);
    let argument = match path_input(op) {
        Some(input) => arguments.of(node, suspect.vertex, input)?,
        None => path_attrs(node)?,
    };
    let mut argument = argument;
    if op == "GenerateVocabRemapping" {
        let old = arguments.of(node, suspect.vertex, 1)?;
        argument.is_open |= old.is_open;
        argument.texts.extend(old.texts);
        argument.assets.extend(old.assets);
    }
    let is_given = argument.texts.iter().any(|text| !text.is_empty());
    let mut what = String::new();
    match capability {
        Capability::VocabularyRead => {
            let is_local = |text: &String| {
                text.is_empty() || text == "local://" || text.starts_with("bytes://")
            };
            if op == "DecodeProtoV2" || op == "EncodeProto" {
                if argument.texts.iter().all(is_local) {
                    capability = Capability::UntrustedDecoding;
                    severity = Severity::Info;
                }
            } else if is_given {
            } else if !argument.is_open {
                severity = Severity::Info;
            } else {
                severity = Severity::Medium;
                what = "from a path that is computed".to_owned();
            }
        }
        // A file that is the model's own.
        Capability::FileRead if !is_given && !argument.is_open && !argument.assets.is_empty() => {
            severity = Severity::Low;
        }
        Capability::FileWrite if matches!(op, "CacheDataset" | "CacheDatasetV2") => {
            if !is_given && !argument.is_open {
                // It caches in memory.
                return Ok(None);
            }
            if !is_given {
                severity = Severity::Medium;
            }
        }
        Capability::FileWrite if op == "CreateSummaryDbWriter" => severity = Severity::Medium,
        Capability::Print => {
            if let Some(stream) = text_attr(node, "output_stream")?
                && stream.starts_with("file://")
            {
                capability = Capability::FileWrite;
                severity = Severity::High;
            }
        }
        Capability::Debug => {
            let urls = &argument.texts;
            if urls.iter().any(|url| url.starts_with("grpc://")) {
                (capability, severity) = (Capability::Network, Severity::High);
            } else if urls.iter().any(|url| url.starts_with("file://")) {
                (capability, severity) = (Capability::FileWrite, Severity::High);
            } else if is_given {
                (capability, severity) = (Capability::Network, Severity::High);
            }
        }
        Capability::CustomOp if op::find(op).is_none() => {
            what = "which TensorFlow 2.21 does not have".to_owned();
        }
        _ => {}
    }
    let remote = is_file(capability) && argument.texts.iter().any(|text| is_remote(text));
    Ok(Some(Assessment {
        capability,
        severity,
        message: message(capability, op, &what, &argument),
        arguments: listed(&argument),
        remote,
    }))
}

fn is_file(capability: Capability) -> bool {
    matches!(
        capability,
        Capability::FileRead
            | Capability::FileWrite
            | Capability::VocabularyRead
            | Capability::CheckpointIo
            | Capability::DirectoryList
    )
}

fn is_remote(path: &str) -> bool {
    match path.split_once("://") {
        Some((scheme, _)) => !matches!(scheme, "file" | "ram" | "bytes" | "local"),
        None => false,
    }
}

fn message(capability: Capability, op: &str, what: &str, argument: &Argument) -> String {
    let verb = match capability {
        Capability::FileRead | Capability::VocabularyRead => "reads a file",
        Capability::FileWrite => "writes a file",
        Capability::CheckpointIo => match op {
            "SaveV2" | "Save" | "SaveSlices" => "writes a checkpoint",
            "MergeV2Checkpoints" => "moves and deletes checkpoint files",
            "ShardedFilename" | "ShardedFilespec" => "makes the name of a checkpoint file",
            _ => "reads a checkpoint",
        },
        Capability::DirectoryList => "lists a directory",
        Capability::Network => "sends to other processes, or receives",
        Capability::PythonCallback => "calls a Python function, if its process has it",
        Capability::CustomOp => "is an op of another library",
        Capability::EmbeddedProgram => "runs a stored program",
        Capability::KillOrStall => match op {
            "Abort" => "ends the process",
            _ => "waits",
        },
        Capability::ProcessConfiguration => "configures a file system",
        Capability::Debug => "shows a tensor to a debugger",
        Capability::Print => "prints",
        Capability::UntrustedDecoding => "decodes",
        _ => "is denied",
    };
    // The texts themselves are for the list of arguments: they are whatever the file has.
    let of = match (argument.texts.is_empty(), argument.assets.is_empty()) {
        (true, false) if is_file(capability) => ", an asset of the model",
        _ => "",
    };
    match what {
        "" => format!("{op} {verb}{of}"),
        what if capability == Capability::CustomOp => format!("{op} {verb}, {what}"),
        what => format!("{op} {verb} {what}"),
    }
}

fn listed(argument: &Argument) -> Vec<String> {
    const LISTED: usize = 10;
    let assets = argument.assets.iter().map(|asset| format!("asset {asset}"));
    let texts = argument.texts.iter().cloned().chain(assets);
    texts
        .map(|text| super::reach::cut(&text))
        .take(LISTED)
        .collect()
}

/// Returns which input of an op is the path, or another text worth knowing.
fn path_input(op: &str) -> Option<usize> {
    Some(match op {
        "ReadFile"
        | "WriteFile"
        | "MatchingFiles"
        | "MatchingFilesDataset"
        | "ExperimentalMatchingFilesDataset"
        | "TextLineDataset"
        | "TFRecordDataset"
        | "TFRecordDatasetV2"
        | "FixedLengthRecordDataset"
        | "FixedLengthRecordDatasetV2"
        | "CSVDataset"
        | "CSVDatasetV2"
        | "ExperimentalCSVDataset"
        | "LMDBDataset"
        | "ExperimentalLMDBDataset"
        | "LoadDataset"
        | "SaveV2"
        | "RestoreV2"
        | "Restore"
        | "RestoreSlice"
        | "Save"
        | "SaveSlices"
        | "MergeV2Checkpoints"
        | "ShardedFilename"
        | "ShardedFilespec"
        | "LoadAndRemapMatrix"
        | "GenerateVocabRemapping"
        | "SnapshotChunkDataset"
        | "SnapshotDatasetReader"
        | "RpcClient"
        | "RpcServer" => 0,
        "InitializeTableFromTextFile"
        | "InitializeTableFromTextFileV2"
        | "CacheDataset"
        | "CacheDatasetV2"
        | "SaveDataset"
        | "SaveDatasetV2"
        | "DatasetToTFRecord"
        | "ExperimentalDatasetToTFRecord"
        | "SnapshotDataset"
        | "SnapshotDatasetV2"
        | "DistributedSave"
        | "CreateSummaryFileWriter"
        | "CreateSummaryDbWriter"
        | "SqlDataset"
        | "ExperimentalSqlDataset"
        | "RegisterDataset"
        | "RegisterDatasetV2" => 1,
        "DataServiceDataset"
        | "DataServiceDatasetV2"
        | "DataServiceDatasetV3"
        | "DataServiceDatasetV4" => 2,
        _ => return None,
    })
}

/// The attrs that hold paths and addresses.
const PATH_ATTRS: [&str; 11] = [
    "debug_urls",
    "descriptor_source",
    "error_msg",
    "file_pattern",
    "filename",
    "gated_grpc",
    "log_dir_path",
    "memory_region_name",
    "output_file_path",
    "output_stream",
    "vocab_file",
];

fn path_attrs(node: Node<'_>) -> Result<Argument> {
    let mut found = Argument::default();
    for name in PATH_ATTRS {
        let texts = match node.attr(name)?.and_then(|attr| attr.value) {
            Some(Value::S(text)) => vec![text],
            Some(Value::List(list)) => list.s,
            _ => continue,
        };
        let texts = texts.iter().take(100);
        let texts = texts.map(|text| String::from_utf8_lossy(text).into_owned());
        found.texts.extend(texts.filter(|text| !text.is_empty()));
    }
    Ok(found)
}

fn text_attr(node: Node<'_>, name: &str) -> Result<Option<String>> {
    Ok(match node.attr(name)?.and_then(|attr| attr.value) {
        Some(Value::S(text)) => Some(String::from_utf8_lossy(&text).into_owned()),
        _ => None,
    })
}

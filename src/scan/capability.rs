use std::fmt;

use super::Severity;

/// What a finding lets a model do. Their names, as `file-write`, do not change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum Capability {
    /// Reads any file that the process may read.
    FileRead,
    /// Reads a file as honest models read vocabularies and descriptors.
    VocabularyRead,
    /// Reads or writes checkpoints outside of what loads and saves the model's own variables.
    CheckpointIo,
    /// Writes files.
    FileWrite,
    /// Lists directories.
    DirectoryList,
    /// Sends to other machines, or receives.
    Network,
    /// Calls back into Python.
    PythonCallback,
    /// An op that TensorFlow does not have: a library must be loaded, and nobody knows what it does.
    CustomOp,
    /// Runs a program that is stored in an attr or a tensor, which the scan does not look into.
    EmbeddedProgram,
    /// Ends the process, or keeps it waiting.
    KillOrStall,
    /// Changes how the process reaches file systems.
    ProcessConfiguration,
    /// Shows tensors to a debugger.
    Debug,
    /// Prints.
    Print,
    /// Decodes data of complicated formats, which decoders get wrong now and then.
    UntrustedDecoding,
    /// Python code in the metadata of Keras, which Keras runs as it loads the model.
    KerasLambda,
    /// An asset whose name leads out of the model's directory.
    AssetEscape,
    /// A part of the model could not be read, so that it was not looked through.
    Unreadable,
    /// An op of no other capability that the policy denies.
    DeniedOp,
}

impl Capability {
    /// All capabilities.
    pub const ALL: &'static [Capability] = &[
        Capability::FileRead,
        Capability::VocabularyRead,
        Capability::CheckpointIo,
        Capability::FileWrite,
        Capability::DirectoryList,
        Capability::Network,
        Capability::PythonCallback,
        Capability::CustomOp,
        Capability::EmbeddedProgram,
        Capability::KillOrStall,
        Capability::ProcessConfiguration,
        Capability::Debug,
        Capability::Print,
        Capability::UntrustedDecoding,
        Capability::KerasLambda,
        Capability::AssetEscape,
        Capability::Unreadable,
        Capability::DeniedOp,
    ];

    /// Returns the name, as `file-write`: the code of findings and the id of SARIF rules.
    pub fn name(self) -> &'static str {
        match self {
            Capability::FileRead => "file-read",
            Capability::VocabularyRead => "vocabulary-read",
            Capability::CheckpointIo => "checkpoint-io",
            Capability::FileWrite => "file-write",
            Capability::DirectoryList => "directory-list",
            Capability::Network => "network",
            Capability::PythonCallback => "python-callback",
            Capability::CustomOp => "custom-op",
            Capability::EmbeddedProgram => "embedded-program",
            Capability::KillOrStall => "kill-or-stall",
            Capability::ProcessConfiguration => "process-configuration",
            Capability::Debug => "debug",
            Capability::Print => "print",
            Capability::UntrustedDecoding => "untrusted-decoding",
            Capability::KerasLambda => "keras-lambda",
            Capability::AssetEscape => "asset-escape",
            Capability::Unreadable => "unreadable",
            Capability::DeniedOp => "denied-op",
        }
    }

    /// Says what it is, in one sentence.
    pub fn description(self) -> &'static str {
        match self {
            Capability::FileRead => "The model reads any file that the process may read.",
            Capability::VocabularyRead => {
                "The model reads a file as honest models read vocabularies and descriptors."
            }
            Capability::CheckpointIo => {
                "The model reads or writes checkpoints beside loading and saving its own variables."
            }
            Capability::FileWrite => "The model writes files.",
            Capability::DirectoryList => "The model lists directories.",
            Capability::Network => "The model sends to other machines or receives from them.",
            Capability::PythonCallback => {
                "The model calls a Python function of the process it runs in."
            }
            Capability::CustomOp => {
                "The model needs an op that TensorFlow does not have, so a library must be loaded."
            }
            Capability::EmbeddedProgram => {
                "The model runs a stored program that this scan does not look into."
            }
            Capability::KillOrStall => "The model ends the process or keeps it waiting.",
            Capability::ProcessConfiguration => {
                "The model changes how the process reaches file systems."
            }
            Capability::Debug => "The model shows tensors to a debugger.",
            Capability::Print => "The model prints.",
            Capability::UntrustedDecoding => {
                "The model decodes images, sound or messages, whose decoders need trusted input."
            }
            Capability::KerasLambda => {
                "The Keras metadata holds Python code, which Keras runs as it loads the model."
            }
            Capability::AssetEscape => "The name of an asset leads out of the model's directory.",
            Capability::Unreadable => "A part of the model could not be read, and was not scanned.",
            Capability::DeniedOp => "The model has an op that the policy denies.",
        }
    }

    /// Returns how bad it is where nothing more is known; findings can be better or worse.
    pub fn severity(self) -> Severity {
        match self {
            Capability::FileRead
            | Capability::VocabularyRead
            | Capability::FileWrite
            | Capability::DirectoryList
            | Capability::Network
            | Capability::KillOrStall
            | Capability::KerasLambda
            | Capability::AssetEscape => Severity::High,
            Capability::CheckpointIo
            | Capability::PythonCallback
            | Capability::CustomOp
            | Capability::ProcessConfiguration
            | Capability::Unreadable => Severity::Medium,
            Capability::Print | Capability::Debug => Severity::Low,
            Capability::EmbeddedProgram | Capability::UntrustedDecoding => Severity::Info,
            Capability::DeniedOp => Severity::Critical,
        }
    }

    /// Returns the capability of that name.
    pub fn find(name: &str) -> Option<Capability> {
        let all = Capability::ALL.iter();
        all.copied().find(|capability| capability.name() == name)
    }

    /// Returns what an op of TensorFlow lets a model do, and how bad that is at first sight; `None`
    /// for the many that only compute.
    pub fn of_op(op: &str) -> Option<(Capability, Severity)> {
        let capability = match op {
            "ReadFile"
            | "WholeFileReader"
            | "WholeFileReaderV2"
            | "TextLineReader"
            | "TextLineReaderV2"
            | "FixedLengthRecordReader"
            | "FixedLengthRecordReaderV2"
            | "TFRecordReader"
            | "TFRecordReaderV2"
            | "LMDBReader"
            | "RecordInput"
            | "ImmutableConst"
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
            | "SqlDataset"
            | "ExperimentalSqlDataset"
            | "LoadDataset"
            | "SnapshotDatasetReader"
            | "SnapshotNestedDatasetReader"
            | "SnapshotChunkDataset" => Capability::FileRead,
            "InitializeTableFromTextFile"
            | "InitializeTableFromTextFileV2"
            | "LoadAndRemapMatrix"
            | "GenerateVocabRemapping"
            | "FixedUnigramCandidateSampler"
            | "Skipgram"
            | "DecodeProtoV2"
            | "EncodeProto" => Capability::VocabularyRead,
            "RestoreV2" | "SaveV2" | "MergeV2Checkpoints" | "Restore" | "RestoreSlice"
            | "ShardedFilename" | "ShardedFilespec" => Capability::CheckpointIo,
            "Save" | "SaveSlices" => return Some((Capability::CheckpointIo, Severity::High)),
            "WriteFile"
            | "SaveDataset"
            | "SaveDatasetV2"
            | "DatasetToTFRecord"
            | "ExperimentalDatasetToTFRecord"
            | "CacheDataset"
            | "CacheDatasetV2"
            | "SnapshotDataset"
            | "SnapshotDatasetV2"
            | "DistributedSave"
            | "DumpTensor"
            | "CalibrationStatisticsSaver" => Capability::FileWrite,
            "CreateSummaryFileWriter"
            | "CreateSummaryDbWriter"
            | "WriteSummary"
            | "WriteScalarSummary"
            | "WriteHistogramSummary"
            | "WriteImageSummary"
            | "WriteAudioSummary"
            | "WriteGraphSummary"
            | "WriteRawProtoSummary"
            | "ImportEvent" => return Some((Capability::FileWrite, Severity::Medium)),
            "Print" | "PrintV2" => Capability::Print,
            "MatchingFiles" | "MatchingFilesDataset" | "ExperimentalMatchingFilesDataset" => {
                Capability::DirectoryList
            }
            "DataServiceDataset"
            | "DataServiceDatasetV2"
            | "DataServiceDatasetV3"
            | "DataServiceDatasetV4"
            | "RegisterDataset"
            | "RegisterDatasetV2"
            | "RpcCall"
            | "RpcCheckStatus"
            | "RpcClient"
            | "RpcGetValue"
            | "RpcServer"
            | "RpcServerRegister"
            | "RpcServerStart"
            | "RemoteCall" => Capability::Network,
            "Send" | "Recv" | "_Send" | "_Recv" | "_HostSend" | "_HostRecv" | "XlaSend"
            | "XlaRecv" | "XlaSendToHost" | "XlaRecvFromHost" | "XlaHostCompute" => {
                return Some((Capability::Network, Severity::Medium));
            }
            _ if op.starts_with("Collective") => {
                return Some((Capability::Network, Severity::Medium));
            }
            "DebugIdentity"
            | "DebugIdentityV2"
            | "DebugIdentityV3"
            | "DebugNanCount"
            | "DebugNumericSummary" => Capability::Debug,
            "PyFunc" | "PyFuncStateless" | "EagerPyFunc" => Capability::PythonCallback,
            "TRTEngineOp" => Capability::CustomOp,
            "XlaCallModule" | "XlaCustomCall" | "XlaCustomCallV2" | "XlaLaunch" | "XlaLaunchV2" => {
                Capability::EmbeddedProgram
            }
            "DatasetFromGraph" | "MlirPassthroughOp" | "RemoteFusedGraphExecute" => {
                return Some((Capability::EmbeddedProgram, Severity::Medium));
            }
            "Abort" => Capability::KillOrStall,
            "SleepOp" | "SleepIdentityOp" | "SleepDataset" | "ExperimentalSleepDataset" => {
                return Some((Capability::KillOrStall, Severity::Low));
            }
            "FileSystemSetConfiguration" => Capability::ProcessConfiguration,
            "ParseTensor" | "DecodeCompressed" | "DecodeImage" | "DecodeJpeg"
            | "DecodeAndCropJpeg" | "DecodePng" | "DecodeGif" | "DecodeBmp" | "DecodeWebP"
            | "DecodeJxl" | "DecodeWav" | "DecodeJSONExample" => Capability::UntrustedDecoding,
            _ => return None,
        };
        Some((capability, capability.severity()))
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::op;

    #[test]
    fn all_capabilities_are_found_by_their_names() {
        for capability in Capability::ALL {
            assert_eq!(Capability::find(capability.name()), Some(*capability));
            let spelled = format!("{capability:?}").to_lowercase();
            assert_eq!(capability.name().replace('-', ""), spelled);
        }
    }

    /// A typing error in the table would make the scan blind.
    #[test]
    fn as_many_ops_of_tensorflow_have_a_capability_as_the_table_names() {
        let source = include_str!("capability.rs");
        let table = source.split("let capability = match op").nth(1).unwrap();
        let table = table.split("Some((capability, capability").next().unwrap();
        let mut unknown = Vec::new();
        for op in table.split('"').skip(1).step_by(2) {
            assert!(
                op == "Collective" || Capability::of_op(op).is_some(),
                "{op}"
            );
            if op::find(op).is_none() {
                unknown.push(op);
            }
        }
        // A prefix, an op of another library, and one that only old releases have.
        assert_eq!(
            unknown,
            ["Collective", "TRTEngineOp", "RemoteFusedGraphExecute"]
        );
    }
}

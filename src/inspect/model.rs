use std::collections::{BTreeMap, BTreeSet};
use std::thread;

use super::bundle::{BundleReport, Contents};
use super::files::{Files, FilesReport};
use super::look::{Look, is_mark, of_unread};
use super::oddity::{self, Oddity, OddityCode};
use super::parameters::{ParametersReport, doubled, of_doubled, of_optimizer, parameters};
use super::program::Program;
use super::signature::SignatureReport;
use super::writer::{self, WriterReport};
use crate::error::Result;
use crate::fingerprint::Fingerprint;
use crate::model::{Format, MetaGraph, SavedModel};
use crate::object_graph::ObjectGraph;

/// A model at a glance: who wrote it, what it offers, how large it is, and what is odd.
///
/// ```
/// use savedmodel::SavedModel;
/// use savedmodel::inspect::{ModelOverview, OddityCode};
///
/// let model = SavedModel::open("tests/fixtures/keras3_saved")?;
/// let overview = ModelOverview::of(&model)?;
/// assert_eq!(overview.writer.as_ref().unwrap().tensorflow_version, "2.21.0");
/// assert_eq!(overview.parameters.as_ref().unwrap().trainable, Some(63));
/// let codes: Vec<OddityCode> = overview.oddities.iter().map(|oddity| oddity.code).collect();
/// assert!(codes.contains(&OddityCode::UnrestoredVariables));
/// # Ok::<(), savedmodel::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ModelOverview {
    /// The model's directory, as errors show it.
    pub path: String,
    /// The model file that was read, as errors show it.
    pub model_file: String,
    /// Whether it is a text.
    pub is_text: bool,
    /// Who wrote it; `None` without a meta graph.
    pub writer: Option<WriterReport>,
    /// The meta graphs in the order of the file.
    pub meta_graphs: Vec<MetaGraphReport>,
    /// The numbers in the variables; `None` without variables that can be read.
    pub parameters: Option<ParametersReport>,
    /// The variables; `None` without `variables/variables.index`.
    pub variables: Option<BundleReport>,
    /// The sizes of files.
    pub files: FilesReport,
    /// What `fingerprint.pb` has, if it is there.
    pub fingerprint: Option<FingerprintReport>,
    /// What is odd, the worst first.
    pub oddities: Vec<Oddity>,
}

/// A meta graph in numbers, and its signatures.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct MetaGraphReport {
    /// The tags, in the order of the file.
    pub tags: Vec<String>,
    /// The signatures, ascending by key, without those that mark an op.
    pub signatures: Vec<SignatureReport>,
    /// How many nodes there are outside of functions.
    pub nodes: u64,
    /// How many functions the library has.
    pub functions: u64,
    /// How many nodes there are in functions.
    pub function_nodes: u64,
    /// How many different ops the nodes have.
    pub ops: u64,
    /// How many bytes of the program are constants.
    pub constant_bytes: u64,
    /// How many objects there are; `None` without an object graph.
    pub objects: Option<u64>,
}

/// The hashes in `fingerprint.pb` as they are stored. They are texts of decimal digits, for many
/// programs cannot hold integers of 64 bits.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct FingerprintReport {
    /// Of the model file.
    pub saved_model_checksum: String,
    /// Of the graph, without what differs from save to save.
    pub graph_def_program_hash: String,
    /// Of the signatures.
    pub signature_def_hash: String,
    /// Of the concrete functions.
    pub saved_object_graph_hash: String,
    /// Of the index of the variables.
    pub checkpoint_hash: String,
    /// A number that is drawn at each save; empty if there is none.
    pub uuid: String,
    /// The version of the rules by which the hashes are made.
    pub producer: i32,
}

impl FingerprintReport {
    /// Makes the report of a fingerprint.
    pub fn of(fingerprint: &Fingerprint) -> Self {
        FingerprintReport {
            saved_model_checksum: fingerprint.saved_model_checksum.to_string(),
            graph_def_program_hash: fingerprint.graph_def_program_hash.to_string(),
            signature_def_hash: fingerprint.signature_def_hash.to_string(),
            saved_object_graph_hash: fingerprint.saved_object_graph_hash.to_string(),
            checkpoint_hash: fingerprint.checkpoint_hash.to_string(),
            uuid: fingerprint.uuid.clone(),
            producer: fingerprint.producer,
        }
    }
}

/// From so many bytes of a program on a thread for the objects is worth its start.
const WORTH_A_THREAD: usize = 1 << 20;

impl ModelOverview {
    /// Looks at a model: at the whole of its program, the index of its variables and the names of its
    /// files. No value of a variable is read.
    ///
    /// What is damaged in the variables, the object graph or the fingerprint is an oddity.
    ///
    /// # Errors
    ///
    /// `Malformed` if the program is damaged, `Io`.
    pub fn of(model: &SavedModel) -> Result<ModelOverview> {
        let meta_graphs: Vec<MetaGraph<'_>> = model.meta_graphs().collect::<Result<_>>()?;
        let files = Files::of(model);
        let mut names = files.list("")?;
        let mut oddities = files.oddities(model)?;
        let bundle = match model.has_variables()? {
            true => Some(model.variables()),
            false => None,
        };
        let (programs, objects) = match model.bytes()?.len() < WORTH_A_THREAD {
            true => (read_all(&meta_graphs)?, model.object_graph()),
            false => thread::scope(|scope| {
                let objects = thread::Builder::new().spawn_scoped(scope, || model.object_graph());
                let programs = read_all(&meta_graphs);
                let objects = match objects.map(thread::ScopedJoinHandle::join) {
                    Ok(Ok(objects)) => objects,
                    Ok(Err(panic)) => std::panic::resume_unwind(panic),
                    Err(_) => model.object_graph(),
                };
                programs.map(|programs| (programs, objects))
            })?,
        };
        let objects = match objects {
            Ok(objects) => objects,
            Err(error) => {
                oddities.push(Oddity::of_all(
                    OddityCode::ObjectGraphFault,
                    format!("the objects cannot be read: {error}"),
                    "copy the model again from where it was saved",
                ));
                None
            }
        };
        let mut reports = Vec::new();
        for (meta_graph, program) in meta_graphs.iter().zip(&programs) {
            reports.push(report(meta_graph, program, objects.as_ref())?);
        }
        let contents = match bundle {
            Some(Ok(bundle)) => Some((bundle, Contents::read(bundle))),
            Some(Err(error)) => {
                oddities.push(Oddity::of_all(
                    OddityCode::VariablesUnreadable,
                    format!("the variables cannot be opened: {error}"),
                    "copy the files again from their source",
                ));
                None
            }
            None => None,
        };
        if let Some((bundle, contents)) = &contents {
            oddities.extend(contents.oddities(bundle, &files.list("variables")?));
        }
        oddities.extend(of_meta_graphs(model, &reports));
        let mut read = BTreeSet::new();
        for (meta_graph, program) in meta_graphs.iter().zip(&programs) {
            let look = Look {
                meta_graph,
                program,
                objects: objects.as_ref(),
                contents: contents.as_ref().map(|(_, contents)| contents),
                has_variables: model.has_variables()?,
            };
            read.extend(look.collect(&mut oddities)?);
        }
        oddities.extend(files.asset_oddities(&meta_graphs)?);
        let parameters = match &contents {
            Some((_, contents)) => {
                let doubled = doubled(contents, objects.as_ref());
                oddities.extend(of_doubled(contents, &doubled));
                let first = meta_graphs.first();
                let parameters = parameters(contents, objects.as_ref(), first, &doubled)?;
                oddities.extend(of_optimizer(contents));
                oddities.extend(of_unread(contents, &read));
                Some(parameters)
            }
            None => None,
        };
        let fingerprint = model.fingerprint().unwrap_or_else(|error| {
            oddities.push(Oddity::of_all(
                OddityCode::FingerprintUnreadable,
                format!("the fingerprint cannot be read: {error}"),
                "delete `fingerprint.pb`: TensorFlow does without",
            ));
            None
        });
        if files.len(writer::KERAS_1_JSON).is_some() {
            names.push(writer::KERAS_1_JSON.to_owned());
        }
        let writer = match (meta_graphs.first(), programs.first()) {
            (Some(first), Some(program)) => Some(writer::report(
                model,
                first,
                program,
                objects.as_ref(),
                &names,
            )?),
            _ => None,
        };
        let mut oddities = merged(oddities);
        oddity::sort(&mut oddities);
        Ok(ModelOverview {
            path: model.path().to_string_lossy().into_owned(),
            model_file: model.model_path().to_string_lossy().into_owned(),
            is_text: model.format() == Format::Text,
            writer,
            meta_graphs: reports,
            parameters,
            variables: contents.as_ref().map(|(bundle, it)| it.report(bundle)),
            files: files.report(model)?,
            fingerprint: fingerprint.as_ref().map(FingerprintReport::of),
            oddities,
        })
    }
}

fn read_all<'m>(meta_graphs: &[MetaGraph<'m>]) -> Result<Vec<Program<'m>>> {
    let graphs = meta_graphs.iter().map(MetaGraph::graph);
    graphs.map(Program::with_nodes).collect()
}

/// The same of several meta graphs is told once.
fn merged(oddities: Vec<Oddity>) -> Vec<Oddity> {
    let mut merged: Vec<Oddity> = Vec::new();
    for oddity in oddities {
        if !merged.contains(&oddity) {
            merged.push(oddity);
        }
    }
    merged
}

fn report(
    meta_graph: &MetaGraph<'_>,
    program: &Program<'_>,
    objects: Option<&ObjectGraph>,
) -> Result<MetaGraphReport> {
    Ok(MetaGraphReport {
        tags: owned(meta_graph.tags()?),
        signatures: meta_graph
            .signatures()?
            .iter()
            .filter(|(key, _)| !is_mark(key))
            .map(|(key, signature)| SignatureReport::of(key, signature))
            .collect(),
        nodes: program.main.nodes,
        functions: program.functions.len() as u64,
        function_nodes: program.function_nodes(),
        ops: program.ops.len() as u64,
        constant_bytes: program.constant_bytes,
        objects: objects.map(|objects| objects.len() as u64),
    })
}

fn owned(texts: Vec<&str>) -> Vec<String> {
    texts.into_iter().map(str::to_owned).collect()
}

/// Looks at what shows without the graphs.
fn of_meta_graphs(model: &SavedModel, reports: &[MetaGraphReport]) -> Vec<Oddity> {
    let mut oddities = Vec::new();
    if let Some(kind) = model.seems_to_be() {
        oddities.push(Oddity::of_all(
            OddityCode::ForeignMessage,
            format!("the file is no SavedModel: {kind}"),
            "wrap the graph into a model with TensorFlow's SavedModelBuilder",
        ));
    } else if reports.is_empty() {
        oddities.push(Oddity::of_all(
            OddityCode::NoMetaGraphs,
            "the model has no meta graphs: there is nothing to load".to_owned(),
            "save it again; an empty file is what a full disk leaves",
        ));
    }
    let unsigned: Vec<String> = reports
        .iter()
        .filter(|report| report.signatures.is_empty())
        .map(|report| report.tags.join(","))
        .collect();
    if !unsigned.is_empty() {
        oddities.push(Oddity::about(
            OddityCode::NoSignatures,
            unsigned,
            |_| {
                "there is no signature: servers and other languages have nothing to call".to_owned()
            },
            "save it again with `signatures=` and a tf.function that has an input signature",
        ));
    }
    let mut seen = BTreeMap::<BTreeSet<&str>, u64>::new();
    for report in reports {
        let tags = report.tags.iter().map(String::as_str).collect();
        *seen.entry(tags).or_default() += 1;
    }
    let twice: Vec<String> = seen
        .into_iter()
        .filter(|(_, count)| *count > 1)
        .map(|(tags, _)| tags.into_iter().collect::<Vec<_>>().join(","))
        .collect();
    if !twice.is_empty() {
        oddities.push(Oddity::about(
            OddityCode::DuplicateTags,
            twice,
            |_| "several meta graphs have the same tags: only the first can be loaded".to_owned(),
            "give each meta graph tags of its own",
        ));
    }
    oddities
}

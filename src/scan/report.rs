use super::argument::Arguments;
use super::assess::assess;
use super::call_graph::{CallGraph, How, NONE, Suspect};
use super::finding::{CallPath, Finding, PathStep};
use super::keras;
use super::reach::{self, Entry, EntryKind, Reached, cut};
use super::{Capability, Policy, Severity, Verdict};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{MetaGraph, SavedModel};
use crate::object_graph::{ObjectGraph, ObjectKind};

/// What a model can do besides computing: files, network, other code.
///
/// A model is a program, and loading it can be enough to run a part of it. The scan looks at every node
/// of every meta graph, those of all functions included, at the assets and at the metadata of Keras. It
/// runs nothing, and needs no TensorFlow. What it finds honest models have now and then; what it does
/// not find may still be wrong: to run a model of a stranger, use a sandbox.
///
/// ```
/// use savedmodel::SavedModel;
/// use savedmodel::scan::{Policy, ScanReport, Severity};
///
/// let model = SavedModel::open("tests/cli-goldens/models/hidden_ops_only")?;
/// let report = ScanReport::of(&model, &Policy::default())?;
/// let worst = &report.findings[0];
/// assert_eq!((worst.capability.name(), worst.severity), ("file-write", Severity::High));
/// assert!(worst.place().starts_with("signature hidden → "));
/// assert!(worst.place().contains(" → body "));
/// # Ok::<(), savedmodel::Error>(())
/// ```
///
/// In TensorFlow: `scan_meta_graph_def` in `tensorflow/python/tools/saved_model_cli.py`, which looks for
/// three ops where signatures lead directly.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ScanReport {
    /// From which severity on the policy refuses a model; `None` for never.
    pub fail_on: Option<Severity>,
    /// Whether the policy refuses the model.
    pub refused: bool,
    /// How many findings there are of each severity, [`Severity::Info`] first; those that are allowed
    /// are not counted.
    pub counts: [u64; 5],
    /// How many findings are allowed.
    pub allowed: u64,
    /// How many nodes were looked at.
    pub nodes: u64,
    /// How many findings are not in the list, which is limited to [`ScanReport::MAX_FINDINGS`].
    pub omitted: u64,
    /// The findings, the worst first.
    pub findings: Vec<Finding>,
}

impl ScanReport {
    /// So many findings are listed.
    pub const MAX_FINDINGS: usize = 10_000;

    /// Scans all meta graphs of a model, and the files beside them.
    ///
    /// # Errors
    ///
    /// `Malformed` if a graph or the Keras metadata is damaged; `Io`.
    pub fn of(model: &SavedModel, policy: &Policy) -> Result<ScanReport> {
        let meta_graphs = model.meta_graphs().collect::<Result<Vec<_>>>()?;
        ScanReport::of_meta_graphs(model, meta_graphs, policy)
    }

    /// Scans these meta graphs of a model, and the files beside them.
    ///
    /// # Errors
    ///
    /// As for [`of`](Self::of).
    pub fn of_meta_graphs<'m>(
        model: &'m SavedModel,
        meta_graphs: impl IntoIterator<Item = MetaGraph<'m>>,
        policy: &Policy,
    ) -> Result<ScanReport> {
        let mut scan = Scan {
            policy,
            report: ScanReport {
                fail_on: policy.fail_on(),
                refused: false,
                counts: [0; 5],
                allowed: 0,
                nodes: 0,
                omitted: 0,
                findings: Vec::new(),
            },
        };
        for meta_graph in meta_graphs {
            scan.meta_graph(meta_graph)?;
        }
        scan.keras(model)?;
        let mut report = scan.report;
        sort(&mut report.findings);
        Ok(report)
    }
}

/// The worst first, what is allowed last of all; else in the order of the file.
fn sort(findings: &mut [Finding]) {
    let is_allowed = |finding: &Finding| finding.verdict == Verdict::Allowed;
    findings.sort_by_key(|finding| {
        (
            is_allowed(finding),
            std::cmp::Reverse(finding.severity),
            finding.capability,
        )
    });
}

struct Scan<'p> {
    policy: &'p Policy,
    report: ScanReport,
}

impl Scan<'_> {
    /// Adds a finding, as the policy sees it.
    fn add(&mut self, mut finding: Finding) {
        let verdict = self
            .policy
            .verdict(finding.op.as_deref(), finding.capability);
        finding.verdict = verdict;
        let report = &mut self.report;
        match verdict {
            Verdict::Allowed => report.allowed += 1,
            Verdict::Denied => finding.severity = Severity::Critical,
            Verdict::Open => {}
        }
        if verdict != Verdict::Allowed {
            let count = report.counts.get_mut(finding.severity as usize);
            count.into_iter().for_each(|count| *count += 1);
            report.refused |= verdict == Verdict::Denied
                || report.fail_on.is_some_and(|from| finding.severity >= from);
        }
        report.findings.push(finding);
        // What is kept are the worst, so that nobody hides one behind many others.
        if report.findings.len() >= ScanReport::MAX_FINDINGS * 2 {
            self.shorten();
        }
    }

    fn shorten(&mut self) {
        let findings = &mut self.report.findings;
        sort(findings);
        let more = findings.len().saturating_sub(ScanReport::MAX_FINDINGS);
        findings.truncate(ScanReport::MAX_FINDINGS);
        self.report.omitted += more as u64;
    }

    fn meta_graph(&mut self, meta_graph: MetaGraph<'_>) -> Result<()> {
        let tags: Vec<String> = meta_graph.tags()?.into_iter().map(cut).collect();
        // TensorFlow Serving loads models whose object graph is damaged.
        let objects = match meta_graph.object_graph() {
            Ok(objects) => objects,
            Err(error) => {
                self.unreadable(&tags, "object graph", &error)?;
                None
            }
        };
        let graph = CallGraph::read(meta_graph, |op| self.policy.denies_op(op))?;
        let entries = reach::entries(meta_graph, objects.as_ref(), &graph)?;
        let reached = Reached::all(&entries, &graph);
        let assets = match meta_graph.assets() {
            Ok(assets) => assets,
            Err(error) => {
                self.unreadable(&tags, "assets", &error)?;
                Vec::new()
            }
        };
        let mut arguments = Arguments::new(&graph, objects.as_ref(), &assets)?;
        let place = Place {
            tags: &tags,
            graph: &graph,
            entries: &entries,
            reached: &reached,
        };
        self.report.nodes += graph.count;
        for suspect in &graph.suspects {
            let reached_from = place.reached_from(suspect);
            let Some(found) = assess(suspect, &mut arguments)? else {
                continue;
            };
            let Some(severity) = place.severity(found.capability, found.severity, &reached_from)
            else {
                continue;
            };
            let mut finding = place.finding(suspect, reached_from);
            finding.capability = found.capability;
            finding.severity = severity;
            finding.message = found.message;
            finding.arguments = found.arguments;
            if found.remote {
                let mut remote = finding.clone();
                remote.capability = Capability::Network;
                remote.message = format!("{} of a remote file system", finding.message);
                self.add(remote);
            }
            self.add(finding);
        }
        for asset in &assets {
            if asset.path().is_err() {
                self.add(Finding {
                    message:
                        "an asset leads out of the model's directory, and TensorFlow follows it"
                            .to_owned(),
                    ..about(Capability::AssetEscape, Some(&tags), &asset.filename)
                });
            }
        }
        if let Some(objects) = &objects {
            self.keras_objects(&tags, objects);
        }
        if self.report.findings.len() > ScanReport::MAX_FINDINGS {
            self.shorten();
        }
        Ok(())
    }

    /// Notes that a part is damaged; other errors end the scan.
    fn unreadable(&mut self, tags: &[String], part: &str, error: &Error) -> Result<()> {
        match error.kind() {
            ErrorKind::Io { .. } => Err(Error::malformed(error.to_string())),
            _ => {
                self.add(Finding {
                    message: format!("the {part} cannot be read, so it was not scanned: {error}"),
                    ..about(Capability::Unreadable, Some(tags), part)
                });
                Ok(())
            }
        }
    }

    /// The metadata of Keras up to TensorFlow 2.4.
    fn keras_objects(&mut self, tags: &[String], objects: &ObjectGraph) {
        let mut found = Vec::new();
        for object in objects.objects() {
            if let ObjectKind::User(user) = object.kind()
                && !user.metadata().is_empty()
            {
                let lambdas = keras::lambdas(user.metadata());
                if lambdas.count > 0 || lambdas.with_code {
                    let path = object.path().map(|path| path.to_string());
                    let path = path.unwrap_or_else(|| format!("object {}", object.id()));
                    found.push((cut(&path), lambdas));
                }
            }
        }
        self.keras_layers(Some(tags), found);
    }

    /// The metadata of Keras 2 since.
    fn keras(&mut self, model: &SavedModel) -> Result<()> {
        let metadata = match model.keras_metadata() {
            Ok(metadata) => metadata,
            Err(error) => return self.unreadable(&[], "Keras metadata", &error),
        };
        let nodes = metadata.into_iter().flat_map(|metadata| metadata.nodes);
        let found = nodes.map(|node| (cut(&node.node_path), keras::lambdas(&node.metadata)));
        let found = found.filter(|(_, lambdas)| lambdas.count > 0 || lambdas.with_code);
        let found = found.collect();
        self.keras_layers(None, found);
        Ok(())
    }

    fn keras_layers(&mut self, tags: Option<&[String]>, found: Vec<(String, keras::Lambdas)>) {
        // A model's metadata has that of its layers in it.
        let mut inner = std::collections::HashSet::new();
        for (path, _) in &found {
            for (end, _) in path.match_indices('.') {
                inner.insert(path[..end].to_owned());
            }
        }
        for (path, lambdas) in found {
            if inner.contains(&path) {
                continue;
            }
            let severity = match lambdas.with_code {
                true => Severity::High,
                false => Severity::Medium,
            };
            let message = match lambdas.with_code {
                true => {
                    "a Lambda layer holds Python code, which Keras runs as it loads the model; TensorFlow Serving does not"
                }
                false => {
                    "a Lambda layer names a Python function, which Keras looks up as it loads the model"
                }
            };
            self.add(Finding {
                severity,
                message: message.to_owned(),
                ..about(Capability::KerasLambda, tags, &path)
            });
        }
    }
}

/// Begins a finding that is not about a node.
fn about(capability: Capability, tags: Option<&[String]>, name: &str) -> Finding {
    Finding {
        capability,
        severity: capability.severity(),
        verdict: Verdict::Open,
        message: String::new(),
        tags: tags.filter(|tags| !tags.is_empty()).map(<[String]>::to_vec),
        op: None,
        name: cut(name),
        function: None,
        path: None,
        reached_from: Vec::new(),
        arguments: Vec::new(),
    }
}

/// What there is to say of where a node is.
struct Place<'p, 'm> {
    tags: &'p [String],
    graph: &'p CallGraph<'m>,
    entries: &'p [Entry],
    /// In the order in which they are told of.
    reached: &'p [Reached],
}

impl Place<'_, '_> {
    /// So many functions of a path are told of.
    const MAX_STEPS: usize = 32;

    fn reached_from(&self, suspect: &Suspect<'_>) -> Vec<EntryKind> {
        let reached = self.reached.iter();
        let reached = reached.filter(|reached| reached.reaches(suspect.vertex));
        reached.map(|reached| reached.kind).collect()
    }

    /// Weighs a severity by what leads to the node; `None` if it is what loaders need.
    fn severity(
        &self,
        capability: Capability,
        severity: Severity,
        reached_from: &[EntryKind],
    ) -> Option<Severity> {
        let is_saver = |kind: &EntryKind| matches!(kind, EntryKind::Restore | EntryKind::Save);
        let is_dead = reached_from.iter().all(|kind| *kind == EntryKind::Graph);
        if capability == Capability::CheckpointIo {
            let others = reached_from.iter().filter(|kind| !is_saver(kind));
            if others.clone().all(|kind| *kind == EntryKind::Graph) {
                // Unused savers are in many a graph.
                let is_saved = reached_from.iter().any(is_saver);
                return (!is_saved).then_some(Severity::Info);
            }
        }
        let is_loading = reached_from.iter().any(|kind| kind.is_loading());
        Some(match severity {
            severity if is_dead => severity.lowered(),
            Severity::High if is_loading => Severity::Critical,
            severity => severity,
        })
    }

    fn finding(&self, suspect: &Suspect<'_>, reached_from: Vec<EntryKind>) -> Finding {
        let function = self.graph.function(suspect.vertex);
        Finding {
            op: Some(cut(suspect.node.op())),
            function: function.map(|function| cut(function.name())),
            path: self.path(suspect, &reached_from),
            reached_from,
            ..about(suspect.capability, Some(self.tags), suspect.node.name())
        }
    }

    fn path(&self, suspect: &Suspect<'_>, reached_from: &[EntryKind]) -> Option<CallPath> {
        // Checkpoints are read and written for the saver anyhow: what counts is who does so besides.
        let besides = reached_from.iter().find(|kind| {
            suspect.capability != Capability::CheckpointIo
                || !matches!(kind, EntryKind::Restore | EntryKind::Save)
        });
        let kind = *besides.or(reached_from.first())?;
        let reached = self.reached.iter().find(|reached| reached.kind == kind)?;
        let (mut steps, mut vertex) = (Vec::new(), suspect.vertex);
        let mut omitted = 0;
        loop {
            let edge = reached.edge(vertex, self.graph);
            let Some(function) = self.graph.function(vertex) else {
                break;
            };
            if steps.len() == Self::MAX_STEPS {
                omitted = reached.depth(vertex, self.graph);
                break;
            }
            let edge = edge.map(|edge| self.graph.edges[edge as usize]);
            let call = match edge {
                Some(edge) if edge.call != NONE => self.graph.calls.get(edge.call as usize),
                _ => None,
            };
            steps.push(PathStep {
                how: match (edge, call) {
                    (_, Some(call)) => call.how,
                    (Some(_), None) => How::Gradient,
                    (None, None) => How::Function,
                },
                function: cut(function.name()),
                called_by: call.map(|call| cut(call.node.name())),
            });
            match edge {
                Some(edge) => vertex = edge.from,
                None => break,
            }
        }
        steps.reverse();
        let entry = reached.entry(suspect.vertex, self.entries);
        Some(CallPath {
            entry: kind,
            entry_name: entry.map(|entry| cut(&entry.name)).unwrap_or_default(),
            omitted,
            steps,
        })
    }
}

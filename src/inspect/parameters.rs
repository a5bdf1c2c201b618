use std::collections::{BTreeSet, HashSet};

use super::bundle::{Contents, Stored};
use super::look::text;
use super::oddity::{Oddity, OddityCode, counted};
use crate::error::{Error, ErrorKind, Result};
use crate::model::MetaGraph;
use crate::object_graph::ObjectGraph;
use crate::proto::VariableDef;
use crate::proto::collection_def::Kind;

/// Counts the numbers that training makes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ParametersReport {
    /// Elements of all variables that hold numbers, without those of optimizers and metrics, each
    /// counted once if it is stored twice.
    pub total: u64,
    /// Elements of those that training changes; `None` if the files do not say.
    pub trainable: Option<u64>,
    /// Elements of the variables in which optimizers keep their state.
    pub optimizer: u64,
    /// Elements of the variables in which metrics of Keras 2 gather what they tell.
    pub metrics: u64,
}

impl ParametersReport {
    /// Adds the elements of a variable where they belong.
    pub(super) fn add(&mut self, contents: &Contents, stored: &Stored) {
        let sum = match Purpose::of(contents, stored) {
            Purpose::Model => &mut self.total,
            Purpose::Optimizer => &mut self.optimizer,
            Purpose::Metrics => &mut self.metrics,
        };
        *sum = sum.saturating_add(stored.elements);
    }
}

/// What the numbers of a variable are for, as far as its name tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Model,
    Optimizer,
    Metrics,
}

impl Purpose {
    pub(super) fn of(contents: &Contents, stored: &Stored) -> Self {
        match is_slot_by_name(contents, stored) {
            true => Purpose::Optimizer,
            false => Purpose::of_key(stored.key.as_bytes()),
        }
    }

    fn of_key(key: &[u8]) -> Self {
        if is_of_optimizer(key) {
            return Purpose::Optimizer;
        }
        match key.starts_with(b"keras_api/metrics/") {
            true => Purpose::Metrics,
            false => Purpose::Model,
        }
    }
}

/// Says whether a key is that of an optimizer's variable: of a slot, or below an object that is
/// called so. What an optimizer of Keras 3 trains is below it too, and the model's.
fn is_of_optimizer(key: &[u8]) -> bool {
    const SLOT: &[u8] = b"/.OPTIMIZER_SLOT/";
    if key.windows(SLOT.len()).any(|part| part == SLOT) {
        return true;
    }
    let mut names = key.split(|byte| *byte == b'/');
    let found = names.any(|name| matches!(name, b"optimizer" | b"_optimizer"));
    let below = names.next();
    found && !matches!(below, None | Some(b".ATTRIBUTES" | b"_trainable_variables"))
}

/// Says whether a tensor is what an optimizer of TensorFlow 1 keeps for a variable: `w/Adam` and
/// `w/Adam_1` beside a `w` of the same size, `beta1_power`. The names are those of the classes in
/// `tensorflow/python/training`, and of the optimizer that BERT was trained with.
fn is_slot_by_name(contents: &Contents, stored: &Stored) -> bool {
    let key = stored.key.as_bytes();
    let (variable, name) = match key.iter().rposition(|byte| *byte == b'/') {
        Some(slash) => (&key[..slash], &key[slash + 1..]),
        None => (&b""[..], key),
    };
    if matches!(name, b"beta1_power" | b"beta2_power") {
        return stored.elements == 1;
    }
    let class = match name {
        [class @ .., b'_', digit] if digit.is_ascii_digit() => class,
        name => name,
    };
    let is_known = matches!(
        class,
        b"Adam" | b"Momentum" | b"RMSProp" | b"Adagrad" | b"Adadelta" | b"Ftrl"
    ) || matches!(name, b"adam_m" | b"adam_v");
    is_known
        && contents
            .get(variable)
            .is_some_and(|it| it.elements == stored.elements && it.dtype == stored.dtype)
}

/// Says whether a tensor is a variable of numbers. What tables keep has other attributes, and numbers
/// too.
pub(super) fn is_parameter(stored: &Stored) -> bool {
    const ATTRIBUTE: &[u8] = b"/.ATTRIBUTES/";
    let key = stored.key.as_bytes();
    let of_table = key.windows(ATTRIBUTE.len()).any(|part| part == ATTRIBUTE)
        && !key.ends_with(b"/VARIABLE_VALUE");
    stored.dtype.size().is_some() && !of_table
}

/// Says whether a key is that of the counter of a `tf.train.Checkpoint`.
pub(super) fn is_save_counter(key: &[u8]) -> bool {
    key == b"save_counter/.ATTRIBUTES/VARIABLE_VALUE"
}

/// Returns the keys of variables that `model.export` of Keras 3 stored under another key too: of one
/// name, type and checksum. Elsewhere variables that are alike so, as those that are called
/// `Variable` and hold zeros, are different ones.
pub(super) fn doubled<'c>(
    contents: &'c Contents,
    objects: Option<&ObjectGraph>,
) -> BTreeSet<&'c [u8]> {
    let mut doubled = BTreeSet::new();
    let Some(objects) = objects else {
        return doubled;
    };
    let (mut first, mut second) = (HashSet::new(), Vec::new());
    for variable in objects.variables() {
        let Some(stored) = variable
            .checkpoint_key()
            .and_then(|key| contents.get(key.as_bytes()))
        else {
            continue;
        };
        let Some(crc32c) = stored.crc32c else {
            continue;
        };
        let kind = (variable.name(), stored.dtype, stored.elements, crc32c);
        let key = stored.key.as_bytes();
        match key.starts_with(b"_all_variables/") {
            true => second.push((kind, key)),
            false => {
                first.insert(kind);
            }
        }
    }
    let twice = second.into_iter().filter(|(kind, _)| first.contains(kind));
    doubled.extend(twice.map(|(_, key)| key));
    doubled
}

pub(super) fn of_doubled(contents: &Contents, doubled: &BTreeSet<&[u8]>) -> Option<Oddity> {
    let bytes = doubled
        .iter()
        .filter_map(|key| contents.get(key))
        .fold(0u64, |sum, stored| sum.saturating_add(stored.bytes));
    (!doubled.is_empty()).then(|| {
        Oddity::about(
            OddityCode::DoubledVariables,
            doubled.iter().map(|key| text(key)),
            |count| {
                format!(
                    "{} {} stored a second time: {bytes} bytes",
                    counted(count, "variable"),
                    if count == 1 { "is" } else { "are" }
                )
            },
            "`model.export` of Keras 3 does that; the model is right, and larger than it need be",
        )
    })
}

/// Tells of an optimizer that Keras stored. In models of TensorFlow 1 it belongs to the program, which
/// says by its tags whether it trains.
pub(super) fn of_optimizer(contents: &Contents) -> Option<Oddity> {
    let of = contents
        .tensors
        .iter()
        .filter(|stored| Purpose::of_key(stored.key.as_bytes()) == Purpose::Optimizer);
    let bytes = of
        .clone()
        .fold(0u64, |sum, it| sum.saturating_add(it.bytes));
    let mut keys = of.map(|stored| stored.key.to_string()).peekable();
    keys.peek()?;
    Some(Oddity::about(
        OddityCode::OptimizerState,
        keys,
        |count| {
            format!(
                "{} of an optimizer, {bytes} bytes, {} stored with the model",
                counted(count, "variable"),
                if count == 1 { "is" } else { "are" }
            )
        },
        "for serving alone save without it: by `model.export` of Keras 3, in Keras 2 with \
         `include_optimizer=False`",
    ))
}

pub(super) fn parameters(
    contents: &Contents,
    objects: Option<&ObjectGraph>,
    meta_graph: Option<&MetaGraph<'_>>,
    doubled: &BTreeSet<&[u8]>,
) -> Result<ParametersReport> {
    let mut report = ParametersReport::default();
    for stored in contents
        .tensors
        .iter()
        .filter(|stored| is_parameter(stored))
    {
        let key = stored.key.as_bytes();
        if !doubled.contains(key) {
            report.add(contents, stored);
        }
    }
    let keys: Option<BTreeSet<String>> = match (objects, meta_graph) {
        (Some(objects), _) => Some(
            objects
                .trainable_variables()
                .iter()
                .filter_map(|variable| variable.checkpoint_key())
                .map(str::to_owned)
                .collect(),
        ),
        // The collection has names of the graph, which need not be keys: those of a checkpoint of
        // objects are paths.
        (None, Some(meta_graph)) => trainable_of_collection(meta_graph)?.filter(|keys| {
            keys.iter()
                .all(|key| contents.get(key.as_bytes()).is_some())
        }),
        (None, None) => None,
    };
    report.trainable = keys.map(|keys| {
        keys.iter()
            .filter_map(|key| contents.get(key.as_bytes()))
            .filter(|stored| is_parameter(stored))
            .filter(|stored| Purpose::of(contents, stored) == Purpose::Model)
            .fold(0u64, |sum, stored| sum.saturating_add(stored.elements))
    });
    Ok(report)
}

/// Returns the keys of the variables in the collection `trainable_variables` of TensorFlow 1.
fn trainable_of_collection(meta_graph: &MetaGraph<'_>) -> Result<Option<BTreeSet<String>>> {
    let collection = match meta_graph.collection("trainable_variables") {
        Ok(Some(collection)) => collection,
        Err(error) if matches!(error.kind(), ErrorKind::Malformed { .. }) => return Ok(None),
        Err(error) => return Err(error),
        Ok(None) => return Ok(None),
    };
    let Some(Kind::BytesList(list)) = collection.kind else {
        return Ok(None);
    };
    let fault = |error: prost::DecodeError| {
        meta_graph
            .view
            .fault(Error::malformed(format!("VariableDef: {error}")))
    };
    let mut keys = BTreeSet::new();
    for bytes in list.value {
        let def: VariableDef = prost::Message::decode(bytes).map_err(fault)?;
        let slice = def.save_slice_info_def.map(|slice| slice.full_name);
        let name = match slice.filter(|name| !name.is_empty()) {
            Some(name) => name,
            None => def.variable_name.trim_end_matches(":0").to_owned(),
        };
        keys.insert(name);
    }
    Ok(Some(keys))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_variable_is_for_is_told_by_its_key() {
        for (key, purpose) in [
            (
                "w/.OPTIMIZER_SLOT/optimizer/m/.ATTRIBUTES/VARIABLE_VALUE",
                Purpose::Optimizer,
            ),
            (
                "optimizer/_variables/2/.ATTRIBUTES/VARIABLE_VALUE",
                Purpose::Optimizer,
            ),
            (
                "model/optimizer/_iterations/.ATTRIBUTES/VARIABLE_VALUE",
                Purpose::Optimizer,
            ),
            (
                "optimizer/_trainable_variables/0/.ATTRIBUTES/VARIABLE_VALUE",
                Purpose::Model,
            ),
            (
                "keras_api/metrics/0/total/.ATTRIBUTES/VARIABLE_VALUE",
                Purpose::Metrics,
            ),
            ("optimizer", Purpose::Model),
            ("optimizers/x", Purpose::Model),
            ("layers/0/kernel", Purpose::Model),
        ] {
            assert_eq!(Purpose::of_key(key.as_bytes()), purpose, "{key}");
        }
    }
}

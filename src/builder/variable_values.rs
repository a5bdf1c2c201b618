//! Values beside the variables that they are for: compared, then written.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Read};

use super::declared_variable::DeclaredVariable;
use super::variable_value::{Source, VariableValue, made};
use crate::bundle::{BundleWriter, Key};
use crate::error::{Error, Result};
use crate::object_graph::{CheckpointGraph, ObjectTree, Trackable, TreeValue, TreeValues};
use crate::tensor::{Shape, Tensor, TensorSlice};

/// Refuses values that are not those of the variables; without variables, only one of two for one name.
pub(super) fn check_values(
    variables: Option<&[DeclaredVariable]>,
    values: &[(String, VariableValue<'_>)],
) -> Result<()> {
    let mut by_key = BTreeMap::new();
    for (key, value) in values {
        if by_key.insert(key.as_str(), value).is_some() {
            return Err(two_values(key.as_bytes()));
        }
    }
    let Some(variables) = variables else {
        return Ok(());
    };
    for variable in variables {
        let refuse =
            |what: String| Err(Error::invalid_argument(what).for_key(variable.key.as_bytes()));
        let Some(value) = by_key.remove(variable.key.as_str()) else {
            return refuse("the variable has no value".to_owned());
        };
        if (value.dtype(), value.shape()) != (variable.dtype, &variable.shape) {
            return refuse(format!(
                "the variable is {} {}, and the value {} {}",
                variable.dtype,
                variable.shape,
                value.dtype(),
                value.shape()
            ));
        }
    }
    match by_key.first_key_value() {
        None => Ok(()),
        Some((key, _)) => {
            let names = variables.iter().map(|it| it.key.clone());
            Err(Error::not_found_among("variable for the value", key, names)
                .for_key(key.as_bytes()))
        }
    }
}

fn two_values(key: &[u8]) -> Error {
    Error::invalid_argument("the variable has two values").for_key(key)
}

impl VariableValue<'_> {
    /// Adds the value to a bundle.
    pub(super) fn write_into(self, bundle: &mut BundleWriter, key: &[u8]) -> Result<()> {
        let (dtype, shape) = (self.dtype(), self.shape().clone());
        match self.source {
            Source::Tensor(tensor) => bundle.add(key, &tensor),
            Source::Function(make) => {
                let tensor = made(make, dtype, &shape).map_err(|error| error.for_key(key))?;
                bundle.add(key, &tensor)
            }
            Source::Reader(reader) => bundle.add_from_reader(key, dtype, shape, reader),
            Source::Writer(write) => bundle.add_with(key, dtype, shape, write),
            Source::Bundle(source, source_key, entry) => {
                bundle.copy_entry(key, source, &source_key, &entry)
            }
        }
    }

    /// Adds the value of a partitioned variable to a bundle, in its slices where they can be had one
    /// by one. Readers take slices of what is stored as a whole, or in others, too.
    pub(super) fn write_slices_into(
        self,
        bundle: &mut BundleWriter,
        key: &[u8],
        slices: &[TensorSlice],
    ) -> Result<()> {
        let (dtype, shape) = (self.dtype(), self.shape().clone());
        let tensor = match self.source {
            _ if slices.is_empty() => return self.write_into(bundle, key),
            Source::Tensor(tensor) => tensor,
            Source::Function(make) => {
                made(make, dtype, &shape).map_err(|error| error.for_key(key))?
            }
            Source::Bundle(source, source_key, entry) if !entry.is_partitioned() => {
                source.tensor_of(&source_key, &entry)?
            }
            Source::Reader(mut reader) if follow_each_other(slices, &shape)? => {
                let size = dtype.size().unwrap_or(1) as u64;
                for slice in slices {
                    let len = slice.shape_in(&shape)?.elements() * size;
                    let part = reader.by_ref().take(len);
                    bundle.add_slice_from_reader(key, &shape, slice, dtype, part)?;
                }
                return match io::copy(&mut reader.take(1), &mut io::sink())? {
                    0 => Ok(()),
                    _ => Err(Error::invalid_argument(format!(
                        "the reader has more than the tensor's {} bytes",
                        shape.elements() * size
                    ))
                    .for_key(key)),
                };
            }
            _ => return self.write_into(bundle, key),
        };
        for slice in slices {
            bundle.add_slice(key, &shape, slice, &tensor.slice(slice)?)?;
        }
        Ok(())
    }
}

/// Says whether slices, in their order, are the elements of the whole in theirs.
fn follow_each_other(slices: &[TensorSlice], shape: &Shape) -> Result<bool> {
    let Some(first) = slices.first() else {
        return Ok(true);
    };
    let first = first.resolve(shape)?;
    let dims = first.iter().zip(shape.dims());
    // All but the first dimensions of length 1 are whole, and one between may be cut.
    let mut behind = dims.skip_while(|(_, dim)| **dim == 1).skip(1);
    Ok(behind.all(|((_, length), dim)| length == dim))
}

/// The values of a tree, its own and those that are given besides, in the order of the bundle.
pub(super) struct ObjectValues<'v> {
    values: Vec<(Key, VariableValue<'v>)>,
    object_graph: Vec<u8>,
}

impl<'v> ObjectValues<'v> {
    /// Finds a value for each variable of a tree, and proves that it is one for it.
    pub(super) fn new(
        tree: &ObjectTree,
        given: impl IntoIterator<Item = (Trackable, VariableValue<'v>)>,
    ) -> Result<Self> {
        let TreeValues {
            values: own,
            object_graph,
        } = tree.serialize_values()?;
        let mut by_variable: HashMap<Trackable, Vec<VariableValue<'v>>> = HashMap::new();
        for (variable, value) in given {
            if tree.variable_type(variable)?.is_none() {
                return Err(Error::invalid_argument(
                    "a value is given to an object that is no variable",
                ));
            }
            by_variable.entry(variable).or_default().push(value);
        }
        let mut values = Vec::with_capacity(own.len());
        for TreeValue {
            key,
            variable,
            value,
        } in own
        {
            let given = variable.and_then(|it| by_variable.remove(&it));
            let own = value.map(VariableValue::from);
            let mut all = own.into_iter().chain(given.into_iter().flatten());
            let Some(value) = all.next() else {
                let error = Error::invalid_argument("the variable has no value");
                return Err(error.for_key(&key));
            };
            if all.next().is_some() {
                return Err(two_values(&key));
            }
            if let Some(variable) = variable {
                check_type(tree, variable, &value).map_err(|error| error.for_key(&key))?;
            }
            values.push((key, value));
        }
        Ok(ObjectValues {
            values,
            object_graph,
        })
    }

    /// Returns the serialized `TrackableObjectGraph`.
    pub(super) fn object_graph(&self) -> &[u8] {
        &self.object_graph
    }

    /// Adds all of it to a bundle.
    pub(super) fn write_into(self, bundle: &mut BundleWriter) -> Result<()> {
        let object_graph = Tensor::from_strings(Shape::SCALAR, [&self.object_graph])?;
        for (key, value) in self.values {
            value.write_into(bundle, &key)?;
        }
        bundle.add(CheckpointGraph::KEY, &object_graph)
    }
}

fn check_type(tree: &ObjectTree, variable: Trackable, value: &VariableValue<'_>) -> Result<()> {
    let Some((dtype, shape)) = tree.variable_type(variable)? else {
        return Ok(());
    };
    match value.dtype() == dtype && shape.is_compatible_with(value.shape()) {
        true => Ok(()),
        false => Err(Error::invalid_argument(format!(
            "the variable is {dtype} {shape}, and the value {} {}",
            value.dtype(),
            value.shape()
        ))),
    }
}

use std::collections::HashMap;

use crate::bundle::can_be_cut;
use crate::error::{Error, Result};
use crate::graph::GraphBuilder;
use crate::tensor::{DType, Shape, TensorSlice};

/// A variable as a meta graph declares it.
#[derive(Clone, Debug)]
pub(super) struct DeclaredVariable {
    pub(super) key: String,
    pub(super) dtype: DType,
    pub(super) shape: Shape,
    /// The slices that it is kept in, if it is partitioned.
    pub(super) slices: Vec<TensorSlice>,
}

impl DeclaredVariable {
    /// Returns those of a graph, one for all slices of a partitioned variable.
    pub(super) fn all_of(graph: &GraphBuilder) -> Result<Vec<DeclaredVariable>> {
        let mut declared: Vec<DeclaredVariable> = Vec::new();
        // By the name of a partitioned variable: its place in the list.
        let mut partitioned = HashMap::new();
        for variable in graph.variables() {
            let dtype = variable.dtype();
            let Some(info) = variable.save_slice_info() else {
                declared.push(DeclaredVariable {
                    key: variable.name().to_owned(),
                    dtype,
                    shape: variable.shape().clone(),
                    slices: Vec::new(),
                });
                continue;
            };
            if !can_be_cut(dtype) {
                return Err(Error::unsupported(format!(
                    "TensorFlow saves slices of {dtype} variables, but cannot restore them"
                ))
                .for_key(info.full_name.as_bytes())
                .remedy("declare it as one variable"));
            }
            let place = *partitioned
                .entry(&*info.full_name)
                .or_insert(declared.len());
            if place == declared.len() {
                declared.push(DeclaredVariable {
                    key: info.full_name.clone(),
                    dtype,
                    shape: info.full_shape.clone(),
                    slices: Vec::new(),
                });
            }
            if let Some(whole) = declared.get_mut(place) {
                whole.slices.push(info.slice.clone());
            }
        }
        Ok(declared)
    }

    /// Says whether one is saved and the other restored of the same tensor; in what slices does not
    /// matter.
    pub(super) fn is_same_tensor(&self, other: &DeclaredVariable) -> bool {
        (&self.key, self.dtype, &self.shape) == (&other.key, other.dtype, &other.shape)
    }
}

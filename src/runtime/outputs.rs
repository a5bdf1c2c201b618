use std::fmt;
use std::ops::Index;
use std::sync::Arc;

use crate::tensor::Tensor;

/// The results of a run, by name, in the order of the names.
///
/// Indexing by a name that is not there panics, as with a map; [`get`](Self::get) does not.
#[derive(Clone)]
pub struct Outputs {
    names: Arc<[Box<str>]>,
    tensors: Vec<Tensor>,
}

impl Outputs {
    /// Puts names and as many tensors together.
    pub(super) fn new(names: Arc<[Box<str>]>, tensors: Vec<Tensor>) -> Self {
        Outputs { names, tensors }
    }

    /// Returns the number of tensors.
    pub fn len(&self) -> usize {
        self.tensors.len()
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.tensors.is_empty()
    }

    /// Returns the tensor of that name.
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        let place = self.names.iter().position(|known| **known == *name)?;
        self.tensors.get(place)
    }

    /// Walks names and tensors.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Tensor)> {
        self.names.iter().map(|name| &**name).zip(&self.tensors)
    }

    /// Returns the tensors alone.
    pub fn into_tensors(self) -> Vec<Tensor> {
        self.tensors
    }
}

impl Index<&str> for Outputs {
    type Output = Tensor;

    /// # Panics
    ///
    /// If there is no output of that name.
    fn index(&self, name: &str) -> &Tensor {
        match self.get(name) {
            Some(tensor) => tensor,
            None => panic!("no output `{name}` among {:?}", self.names),
        }
    }
}

impl fmt::Debug for Outputs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

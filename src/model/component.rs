use super::signature::Signature;
use super::tensor_info::{Encoding, TensorInfo};
use crate::error::{Error, Printable, Result};
use crate::tensor::{DType, PartialShape};

/// One tensor of the graph that an input or output of a signature is made of.
///
/// A dense one goes by the name of the input. What is made of several tensors is these, by names of
/// their own: a sparse one is `x/values`, `x/indices` and `x/dense_shape`, another composite one, as
/// a ragged tensor, `x/0`, `x/1` and so on.
///
/// ```
/// use savedmodel::SavedModel;
///
/// let model = SavedModel::open("tests/cli-goldens/models/half_plus_two")?;
/// let signature = model.meta_graph(["serve"])?.signature("serving_default")?;
/// let inputs = signature.input_components()?;
/// assert_eq!((&*inputs[0].name, &*inputs[0].tensor), ("x", "x:0"));
/// assert_eq!(inputs[0].shape.to_string(), "[?, 1]");
/// # Ok::<(), savedmodel::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Component {
    /// The name it is given or returned by.
    pub name: String,
    /// The tensor: `node:output`.
    pub tensor: String,
    /// The type of the elements; of an old variable's, that of its values.
    pub dtype: DType,
    /// What is known of the shape.
    pub shape: PartialShape,
}

impl Component {
    /// Returns the node that the tensor is an output of.
    pub fn node(&self) -> &str {
        match self.tensor.rsplit_once(':') {
            Some((node, _)) => node,
            None => &self.tensor,
        }
    }
}

impl Signature {
    /// Returns the tensors that the inputs are made of, in the order of the inputs' names.
    ///
    /// # Errors
    ///
    /// `Malformed` for an input that names no tensor or is nested beyond reason; what
    /// [`TensorInfo::shape`] answers.
    pub fn input_components(&self) -> Result<Vec<Component>> {
        all(self.inputs.iter())
    }

    /// Returns the tensors that the outputs are made of, in the order of the outputs' names.
    ///
    /// # Errors
    ///
    /// As for [`input_components`](Self::input_components).
    pub fn output_components(&self) -> Result<Vec<Component>> {
        all(self.outputs.iter())
    }
}

fn all<'i>(infos: impl Iterator<Item = (&'i String, &'i TensorInfo)>) -> Result<Vec<Component>> {
    let mut components = Vec::new();
    for (name, info) in infos {
        add(MAX_DEPTH, name, info, &mut components)?;
    }
    Ok(components)
}

/// How deep a composite input may be made of composite ones.
const MAX_DEPTH: usize = 16;

fn add(depth: usize, name: &str, info: &TensorInfo, all: &mut Vec<Component>) -> Result<()> {
    let mut push = |name: String, tensor: &str, dtype: DType, shape: Result<PartialShape>| {
        let shape = shape.map_err(|error| error.for_key(name.as_bytes()))?;
        all.push(Component {
            name,
            tensor: tensor.to_owned(),
            dtype: dtype.base(),
            shape,
        });
        Ok(())
    };
    match &info.encoding {
        Encoding::Name(tensor) => push(name.to_owned(), tensor, info.dtype, info.shape()),
        Encoding::CooSparse {
            values,
            indices,
            dense_shape,
        } => {
            let parts = [
                ("values", values, info.dtype, 1),
                ("indices", indices, DType::INT64, 2),
                ("dense_shape", dense_shape, DType::INT64, 1),
            ];
            let mut parts = parts.into_iter();
            parts.try_for_each(|(part, tensor, dtype, rank)| {
                let shape = PartialShape::new(&vec![None; rank]);
                push(format!("{name}/{part}"), tensor, dtype, shape)
            })
        }
        Encoding::Composite { components, .. } if depth > 0 => {
            let mut components = components.iter().enumerate();
            components.try_for_each(|(i, info)| add(depth - 1, &format!("{name}/{i}"), info, all))
        }
        Encoding::Composite { .. } | Encoding::Unset => Err(Error::malformed(format!(
            "`{}` is no tensor of the graph",
            Printable(name)
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(tensor: &str) -> TensorInfo {
        TensorInfo::new(
            tensor,
            DType::FLOAT,
            &PartialShape::new(&[Some(2)]).unwrap(),
        )
    }

    fn with(encoding: Encoding) -> TensorInfo {
        let mut info = named("");
        info.encoding = encoding;
        info
    }

    fn names(info: TensorInfo) -> Result<Vec<(String, String)>> {
        let signature = Signature::new([("x".to_owned(), info)], [], "");
        let components = signature.input_components()?.into_iter();
        Ok(components.map(|it| (it.name, it.tensor)).collect())
    }

    #[test]
    fn what_is_made_of_several_tensors_has_names_for_them() {
        let sparse = with(Encoding::CooSparse {
            values: "v:0".to_owned(),
            indices: "i:0".to_owned(),
            dense_shape: "s:0".to_owned(),
        });
        let composite = with(Encoding::Composite {
            type_spec: None,
            components: vec![named("a:0"), sparse],
        });
        let names = names(composite).unwrap();
        let names: Vec<(&str, &str)> = names.iter().map(|(a, b)| (&**a, &**b)).collect();
        assert_eq!(
            names,
            [
                ("x/0", "a:0"),
                ("x/1/values", "v:0"),
                ("x/1/indices", "i:0"),
                ("x/1/dense_shape", "s:0"),
            ]
        );
    }

    #[test]
    fn what_is_no_tensor_is_refused() {
        let error = names(with(Encoding::Unset)).unwrap_err();
        assert!(error.to_string().contains("`x` is no tensor"), "{error}");
        let mut deep = named("a:0");
        for _ in 0..MAX_DEPTH + 1 {
            deep = with(Encoding::Composite {
                type_spec: None,
                components: vec![deep],
            });
        }
        assert!(names(deep).is_err());
    }
}

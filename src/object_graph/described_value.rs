use super::function::{FullArgSpec, FunctionSpec, JitCompile};
use super::structured_value::{NamedTuple, StructuredValue, TensorSpec, TypeSpec};
use crate::error::Result;
use crate::proto::structured_value::Kind;
use crate::proto::{self, BoundedTensorSpecProto, TensorSpecProto};
use crate::tensor::{DType, PartialShape};

/// Values and parameters as a program describes them, and the messages of them:
/// `tensorflow/python/saved_model/nested_structure_coder.py`.
impl StructuredValue {
    /// Makes a dict.
    ///
    /// ```
    /// use savedmodel::object_graph::{StructuredValue, TensorSpec};
    /// use savedmodel::{DType, PartialShape};
    ///
    /// let image = TensorSpec::new(DType::FLOAT, PartialShape::UNKNOWN).named("image");
    /// let inputs = StructuredValue::dict([("image", image.into()), ("flip", false.into())]);
    /// assert_eq!(StructuredValue::from_proto(&inputs.to_proto()?)?, inputs);
    /// # Ok::<(), savedmodel::Error>(())
    /// ```
    pub fn dict<'a>(entries: impl IntoIterator<Item = (&'a str, StructuredValue)>) -> Self {
        let entries = entries.into_iter();
        StructuredValue::Dict(entries.map(|(key, it)| (key.to_owned(), it)).collect())
    }

    /// Makes the message.
    ///
    /// # Errors
    ///
    /// `Unsupported` for a tensor in it that a `TensorProto` cannot hold.
    pub fn to_proto(&self) -> Result<proto::StructuredValue> {
        let elements = |values: &[StructuredValue]| -> Result<Vec<_>> {
            values.iter().map(StructuredValue::to_proto).collect()
        };
        let kind = match self {
            StructuredValue::None => Kind::NoneValue(proto::NoneValue {}),
            StructuredValue::Float(value) => Kind::Float64Value(*value),
            StructuredValue::Int(value) => Kind::Int64Value(*value),
            StructuredValue::String(text) => Kind::StringValue(text.clone()),
            StructuredValue::Bool(value) => Kind::BoolValue(*value),
            StructuredValue::TensorShape(shape) => Kind::TensorShapeValue(shape.to_proto()),
            StructuredValue::DType(dtype) => Kind::TensorDtypeValue(dtype.number()),
            StructuredValue::TensorSpec(spec) => Kind::TensorSpecValue(spec.to_proto()),
            StructuredValue::BoundedTensorSpec(bounded) => {
                let TensorSpecProto { name, shape, dtype } = bounded.spec.to_proto();
                Kind::BoundedTensorSpecValue(Box::new(BoundedTensorSpecProto {
                    name,
                    shape,
                    dtype,
                    minimum: Some(bounded.minimum.to_proto()?),
                    maximum: Some(bounded.maximum.to_proto()?),
                }))
            }
            StructuredValue::TypeSpec(spec) => Kind::TypeSpecValue(Box::new(spec.to_proto()?)),
            StructuredValue::List(values) => Kind::ListValue(proto::ListValue {
                values: elements(values)?,
            }),
            StructuredValue::Tuple(values) => Kind::TupleValue(proto::TupleValue {
                values: elements(values)?,
            }),
            StructuredValue::Dict(entries) => Kind::DictValue(proto::DictValue {
                fields: entries
                    .iter()
                    .map(|(key, value)| {
                        Ok(proto::dict_value::FieldsEntry {
                            key: Some(key.clone()),
                            value: Some(value.to_proto()?),
                        })
                    })
                    .collect::<Result<_>>()?,
            }),
            StructuredValue::NamedTuple(tuple) => Kind::NamedTupleValue(tuple.to_proto()?),
            StructuredValue::Tensor(tensor) => Kind::TensorValue(Box::new(tensor.to_proto()?)),
            StructuredValue::Numpy(array) => Kind::NumpyValue(Box::new(array.to_proto()?)),
        };
        Ok(proto::StructuredValue { kind: Some(kind) })
    }
}

impl TensorSpec {
    /// Describes tensors of that type and shape, without a name.
    pub fn new(dtype: DType, shape: impl Into<PartialShape>) -> TensorSpec {
        TensorSpec {
            name: None,
            shape: shape.into(),
            dtype,
        }
    }

    /// Sets the name.
    pub fn named(mut self, name: &str) -> TensorSpec {
        self.name = Some(name.to_owned());
        self
    }

    /// Makes the message.
    pub fn to_proto(&self) -> TensorSpecProto {
        TensorSpecProto {
            name: self.name.clone().unwrap_or_default(),
            shape: Some(self.shape.to_proto()),
            dtype: self.dtype.number(),
        }
    }
}

impl TypeSpec {
    fn to_proto(&self) -> Result<proto::TypeSpecProto> {
        Ok(proto::TypeSpecProto {
            type_spec_class: self.class.0,
            type_state: Some(Box::new(self.state.to_proto()?)),
            type_spec_class_name: self.class_name.clone(),
            num_flat_components: self.num_flat_components,
        })
    }
}

impl NamedTuple {
    fn to_proto(&self) -> Result<proto::NamedTupleValue> {
        let fields = self.fields.iter();
        let values = fields.map(|(key, value)| {
            Ok(proto::PairValue {
                key: key.clone(),
                value: Some(value.to_proto()?),
            })
        });
        Ok(proto::NamedTupleValue {
            name: self.name.clone(),
            values: values.collect::<Result<_>>()?,
        })
    }
}

impl FullArgSpec {
    /// Describes parameters that can be given by position, none of them with a default.
    ///
    /// ```
    /// use savedmodel::object_graph::FullArgSpec;
    ///
    /// // def __call__(self, x, training=False, *, scale=1.0)
    /// let parameters = FullArgSpec::new(["x", "training"])
    ///     .defaults([false.into()])
    ///     .keyword_only("scale", Some(1.0.into()));
    /// assert_eq!(FullArgSpec::from_value(&parameters.to_value())?, parameters);
    /// # Ok::<(), savedmodel::Error>(())
    /// ```
    pub fn new<T: Into<String>>(args: impl IntoIterator<Item = T>) -> FullArgSpec {
        FullArgSpec {
            args: args.into_iter().map(Into::into).collect(),
            varargs: None,
            varkw: None,
            defaults: None,
            kwonlyargs: Vec::new(),
            kwonlydefaults: None,
        }
    }

    /// Sets the defaults of the last of the parameters.
    pub fn defaults(mut self, defaults: impl IntoIterator<Item = StructuredValue>) -> Self {
        self.defaults = Some(defaults.into_iter().collect());
        self
    }

    /// Adds a parameter that can be given by keyword alone.
    pub fn keyword_only(mut self, name: &str, default: Option<StructuredValue>) -> Self {
        self.kwonlyargs.push(name.to_owned());
        if let Some(default) = default {
            let defaults = self.kwonlydefaults.get_or_insert_default();
            defaults.push((name.to_owned(), default));
        }
        self
    }

    /// Makes the named tuple that stands for it in a file.
    pub fn to_value(&self) -> StructuredValue {
        let text = |name: &String| StructuredValue::String(name.clone());
        let names = |names: &[String]| StructuredValue::List(names.iter().map(text).collect());
        let optional = |name: &Option<String>| name.as_ref().map_or(StructuredValue::None, text);
        let defaults = self.defaults.clone().map(StructuredValue::Tuple);
        let keyword_defaults = self.kwonlydefaults.clone().map(StructuredValue::Dict);
        let fields = [
            ("args", names(&self.args)),
            ("varargs", optional(&self.varargs)),
            ("varkw", optional(&self.varkw)),
            ("defaults", defaults.unwrap_or(StructuredValue::None)),
            ("kwonlyargs", names(&self.kwonlyargs)),
            (
                "kwonlydefaults",
                keyword_defaults.unwrap_or(StructuredValue::None),
            ),
            ("annotations", StructuredValue::Dict(Vec::new())),
        ];
        StructuredValue::NamedTuple(NamedTuple {
            name: "FullArgSpec".to_owned(),
            fields: fields.map(|(name, it)| (name.to_owned(), it)).into(),
        })
    }
}

impl FunctionSpec {
    /// Makes the message.
    ///
    /// # Errors
    ///
    /// As for [`StructuredValue::to_proto`].
    pub fn to_proto(&self) -> Result<proto::FunctionSpec> {
        let signature = self.input_signature.as_ref();
        let signature = signature.unwrap_or(&StructuredValue::None);
        let jit_compile = match self.jit_compile {
            JitCompile::Default => proto::function_spec::JitCompile::Default,
            JitCompile::On => proto::function_spec::JitCompile::On,
            JitCompile::Off => proto::function_spec::JitCompile::Off,
        };
        Ok(proto::FunctionSpec {
            fullargspec: Some(self.fullargspec.to_value().to_proto()?),
            // The parameter `self` is left out, so to TensorFlow it is none.
            is_method: false,
            input_signature: Some(signature.to_proto()?),
            jit_compile: jit_compile.into(),
        })
    }
}

/// Describes a function that takes those parameters, of any type, and that nobody compiles.
impl From<FullArgSpec> for FunctionSpec {
    fn from(fullargspec: FullArgSpec) -> Self {
        FunctionSpec {
            fullargspec,
            is_method: false,
            input_signature: None,
            jit_compile: JitCompile::Default,
        }
    }
}

impl From<TensorSpec> for StructuredValue {
    fn from(spec: TensorSpec) -> Self {
        StructuredValue::TensorSpec(spec)
    }
}

impl From<TypeSpec> for StructuredValue {
    fn from(spec: TypeSpec) -> Self {
        StructuredValue::TypeSpec(Box::new(spec))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object_graph::{BoundedTensorSpec, TypeSpecClass};
    use crate::tensor::Tensor;

    #[test]
    fn every_value_is_read_as_it_was_written() {
        let shape = PartialShape::try_from([None, Some(3)]).unwrap();
        let spec = TensorSpec::new(DType::FLOAT, shape.clone()).named("x");
        let values = StructuredValue::Tuple(vec![
            StructuredValue::None,
            1.5.into(),
            (-7i64).into(),
            "text".into(),
            true.into(),
            StructuredValue::TensorShape(PartialShape::UNKNOWN),
            StructuredValue::DType(DType::HALF),
            spec.clone().into(),
            StructuredValue::BoundedTensorSpec(Box::new(BoundedTensorSpec {
                spec: TensorSpec::new(DType::INT32, shape.clone()),
                minimum: Tensor::scalar(1i32),
                maximum: Tensor::scalar(5i32),
            })),
            TypeSpec {
                class: TypeSpecClass::RAGGED_TENSOR,
                class_name: "RaggedTensorSpec".to_owned(),
                state: StructuredValue::Tuple(vec![StructuredValue::TensorShape(shape)]),
                num_flat_components: 2,
            }
            .into(),
            StructuredValue::List(vec![StructuredValue::List(vec![])]),
            StructuredValue::dict([("b", spec.into()), ("a", StructuredValue::None)]),
            StructuredValue::NamedTuple(NamedTuple {
                name: "Point".to_owned(),
                fields: vec![("x".to_owned(), 1i64.into())],
            }),
            StructuredValue::Tensor(Tensor::scalar(2f32)),
            StructuredValue::Numpy(Tensor::scalar(2f64)),
        ]);
        let read = StructuredValue::from_proto(&values.to_proto().unwrap()).unwrap();
        assert_eq!(read, values);
    }

    #[test]
    fn parameters_are_read_as_they_were_written() {
        let mut parameters = FullArgSpec::new(["x", "training"])
            .defaults([false.into()])
            .keyword_only("mask", None)
            .keyword_only("scale", Some(1.0.into()));
        parameters.varargs = Some("more".to_owned());
        let spec = FunctionSpec {
            input_signature: Some(StructuredValue::Tuple(vec![])),
            jit_compile: JitCompile::On,
            ..FunctionSpec::from(parameters)
        };
        let read = FunctionSpec::from_proto(&spec.to_proto().unwrap()).unwrap();
        assert_eq!(read, spec);
    }
}

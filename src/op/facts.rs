use std::borrow::Borrow;
use std::fmt;
use std::ops::Range;

use super::text;
use crate::error::{Error, Result};
use crate::proto::attr_value::Value;
use crate::proto::op_def::{ArgDef, AttrDef};
use crate::proto::{AttrValue, FullTypeDef, OpDef, OpDeprecation};
use crate::tensor::DType;

/// A node with more outputs than this is a mistake or an attack.
const MAX_OUTPUTS: u64 = 1 << 20;

/// What TensorFlow 2.21 knows of an op, without documentation: its `OpDef`
/// (`tensorflow/core/framework/op_def.proto`).
///
/// ```
/// use savedmodel::{DType, op};
///
/// let op = op::find("BiasAdd").unwrap();
/// let format = op.attr("data_format").unwrap();
/// assert_eq!(format.type_name(), "string");
/// assert_eq!(format.to_string(), r#"data_format: {"NHWC", "NCHW"} = "NHWC""#);
///
/// let input = op.inputs().next().unwrap();
/// assert_eq!((input.name(), input.dtype(), input.type_attr()), ("value", None, Some("T")));
/// ```
#[derive(Clone, Copy)]
pub struct OpFacts {
    name: &'static str,
    inputs: &'static str,
    outputs: &'static str,
    flags: &'static str,
    attrs: &'static str,
}

impl OpFacts {
    pub(super) fn of_line(line: &'static str) -> OpFacts {
        let mut columns = line.splitn(5, '\t');
        let mut column = || columns.next().unwrap_or("");
        OpFacts {
            name: column(),
            inputs: column(),
            outputs: column(),
            flags: column(),
            attrs: column(),
        }
    }

    /// Returns the name, as in `NodeDef.op`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the inputs, in order.
    pub fn inputs(&self) -> impl Iterator<Item = ArgFacts> + use<> {
        args(*self, self.inputs)
    }

    /// Returns the outputs, in order. One of them may be several tensors, or none:
    /// [`output_count`](Self::output_count) says how many there are of a node.
    pub fn outputs(&self) -> impl Iterator<Item = ArgFacts> + use<> {
        args(*self, self.outputs)
    }

    /// Returns the attrs, in the order of the op's registration.
    pub fn attrs(&self) -> impl Iterator<Item = AttrFacts> + use<> {
        self.attrs
            .split('\t')
            .filter(|attr| !attr.is_empty())
            .map(|attr| {
                let (name, spec) = attr.split_once(": ").unwrap_or((attr, ""));
                AttrFacts { name, spec }
            })
    }

    /// Returns the attr of that name.
    pub fn attr(&self, name: &str) -> Option<AttrFacts> {
        self.attrs().find(|attr| attr.name == name)
    }

    /// Returns whether running it has an effect or depends on more than its inputs.
    pub fn is_stateful(&self) -> bool {
        self.has_flag("is_stateful")
    }

    /// Returns whether `op(a, b) == op(b, a)` for all inputs.
    pub fn is_commutative(&self) -> bool {
        self.has_flag("is_commutative")
    }

    /// Returns whether it takes any number of inputs of one type and gives one output of the same,
    /// in whatever order and grouping.
    pub fn is_aggregate(&self) -> bool {
        self.has_flag("is_aggregate")
    }

    /// Returns whether its inputs may be variables that have no value yet.
    pub fn allows_uninitialized_input(&self) -> bool {
        self.has_flag("allows_uninitialized_input")
    }

    /// Returns whether it speaks to other machines.
    pub fn is_distributed_communication(&self) -> bool {
        self.has_flag("is_distributed_communication")
    }

    /// Returns the version of the graph format from which on new graphs may not use it.
    pub fn deprecation(&self) -> Option<i32> {
        self.flags
            .split(' ')
            .find_map(|flag| flag.strip_prefix("deprecation="))?
            .parse()
            .ok()
    }

    /// Returns how many outputs a node of this op has; `attr` looks up the node's attrs, and the
    /// op's defaults stand in for those it answers `None` to.
    ///
    /// ```
    /// use savedmodel::op;
    /// use savedmodel::proto::{AttrValue, attr_value::Value};
    ///
    /// let split = op::find("Split").unwrap();
    /// let num_split = AttrValue { value: Some(Value::I(3)) };
    /// let count = split.output_count(|name| (name == "num_split").then_some(&num_split))?;
    /// assert_eq!(count, 3);
    /// # Ok::<(), savedmodel::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `Malformed` if the number of outputs hangs on an attr that is absent and has no default, or
    /// is not of its type, or negative.
    pub fn output_count<V: Borrow<AttrValue>>(
        &self,
        mut attr: impl FnMut(&str) -> Option<V>,
    ) -> Result<u64> {
        self.outputs().try_fold(0u64, |count, output| {
            Ok(count.saturating_add(self.count(&output, &mut attr)?))
        })
    }

    /// Returns of every output tensor of a node the argument it belongs to and its element type, a
    /// reference type where the op says so; `attr` is as for [`output_count`](Self::output_count).
    ///
    /// ```
    /// use savedmodel::proto::{AttrValue, attr_value::Value};
    /// use savedmodel::{DType, op};
    ///
    /// let unique = op::find("Unique").unwrap();
    /// let half = AttrValue { value: Some(Value::Type(DType::HALF.number())) };
    /// let outputs = unique.output_tensors(|name| (name == "T").then_some(&half))?;
    /// assert_eq!(outputs, [("y", DType::HALF), ("idx", DType::INT32)]);
    /// # Ok::<(), savedmodel::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`output_count`](Self::output_count); `Malformed` too for more than a million outputs.
    pub fn output_tensors<V: Borrow<AttrValue>>(
        &self,
        mut attr: impl FnMut(&str) -> Option<V>,
    ) -> Result<Vec<(&'static str, DType)>> {
        let mut tensors: Vec<(&str, DType)> = Vec::new();
        for output in self.outputs() {
            let count = self.count(&output, &mut attr)?;
            if count.saturating_add(tensors.len() as u64) > MAX_OUTPUTS {
                let what = format!("a node of op {} has {count} outputs", self.name);
                return Err(Error::malformed(what));
            }
            let mut value = |name: &str| -> Option<AttrValue> {
                let given = attr(name).map(|value| value.borrow().clone());
                given.or_else(|| self.attr(name)?.default())
            };
            let fault = |name: &str| {
                let what = format!("attr `{name}` of a node of op {} is no type", self.name);
                Error::malformed(what)
            };
            let mut dtypes = Vec::new();
            if let Some(list) = output.type_list_attr() {
                match value(list).and_then(|value| value.value) {
                    Some(Value::List(list)) => {
                        dtypes.extend(list.r#type.iter().map(|&it| DType::from_number(it)));
                    }
                    _ => return Err(fault(list)),
                }
            } else {
                let dtype = match (output.dtype(), output.type_attr()) {
                    (Some(dtype), _) => dtype,
                    (None, attr) => {
                        let attr = attr.unwrap_or_default();
                        match value(attr).and_then(|value| value.value) {
                            Some(Value::Type(number)) => DType::from_number(number),
                            _ => return Err(fault(attr)),
                        }
                    }
                };
                dtypes.extend((0..count).map(|_| dtype));
            }
            tensors.extend(dtypes.into_iter().map(|dtype| match output.is_ref() {
                true => (output.name(), dtype.to_ref()),
                false => (output.name(), dtype),
            }));
        }
        Ok(tensors)
    }

    /// Returns at which places of a node's inputs, control inputs left out, the tensors of the
    /// argument `name` stand; `None` if the op has no such input. `attr` is as for
    /// [`output_count`](Self::output_count).
    ///
    /// ```
    /// use savedmodel::op;
    /// use savedmodel::proto::{AttrValue, attr_value::Value};
    ///
    /// let concat = op::find("ConcatV2").unwrap();
    /// let n = AttrValue { value: Some(Value::I(3)) };
    /// let axis = concat.input_range("axis", |name| (name == "N").then_some(&n))?;
    /// assert_eq!(axis, Some(3..4));
    /// # Ok::<(), savedmodel::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`output_count`](Self::output_count).
    pub fn input_range<V: Borrow<AttrValue>>(
        &self,
        name: &str,
        mut attr: impl FnMut(&str) -> Option<V>,
    ) -> Result<Option<Range<u64>>> {
        let mut start = 0u64;
        for input in self.inputs() {
            let end = start.saturating_add(self.count(&input, &mut attr)?);
            if input.name == name {
                return Ok(Some(start..end));
            }
            start = end;
        }
        Ok(None)
    }

    fn count<V: Borrow<AttrValue>>(
        &self,
        arg: &ArgFacts,
        attr: &mut impl FnMut(&str) -> Option<V>,
    ) -> Result<u64> {
        let Some(name) = arg.number_attr().or(arg.type_list_attr()) else {
            return Ok(1);
        };
        let fault = |what: String| {
            Error::malformed(format!(
                "attr `{name}` of a node of op {} {what}",
                self.name
            ))
        };
        let given = attr(name);
        let default = match given {
            Some(_) => None,
            None => self.attr(name).and_then(|attr| attr.default()),
        };
        let Some(value) = given.as_ref().map(Borrow::borrow).or(default.as_ref()) else {
            return Err(fault("is missing".into()));
        };
        match (&value.value, arg.number_attr()) {
            (Some(Value::I(number)), Some(_)) => {
                u64::try_from(*number).map_err(|_| fault(format!("is negative: {number}")))
            }
            (Some(Value::List(list)), None) => Ok(list.r#type.len() as u64),
            (_, Some(_)) => Err(fault("is not an int".into())),
            (_, None) => Err(fault("is not a list(type)".into())),
        }
    }

    /// Makes the message, its descriptions empty: what `MetaInfoDef.stripped_op_list` holds.
    pub fn to_proto(&self) -> OpDef {
        OpDef {
            name: self.name.to_owned(),
            input_arg: self.inputs().map(|arg| arg.to_proto()).collect(),
            output_arg: self.outputs().map(|arg| arg.to_proto()).collect(),
            attr: self.attrs().map(|attr| attr.to_proto()).collect(),
            deprecation: self.deprecation().map(|version| OpDeprecation {
                version,
                ..Default::default()
            }),
            is_commutative: self.is_commutative(),
            is_aggregate: self.is_aggregate(),
            is_stateful: self.is_stateful(),
            allows_uninitialized_input: self.allows_uninitialized_input(),
            is_distributed_communication: self.is_distributed_communication(),
            ..Default::default()
        }
    }

    fn has_flag(&self, name: &str) -> bool {
        self.flags.split(' ').any(|flag| flag == name)
    }
}

fn args(op: OpFacts, column: &'static str) -> impl Iterator<Item = ArgFacts> {
    column
        .split(", ")
        .filter(|arg| !arg.is_empty())
        .map(move |arg| ArgFacts::of_text(op, arg))
}

/// Shows the op as its line in the table, columns apart by semicolons.
impl fmt::Debug for OpFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({}) -> ({})", self.name, self.inputs, self.outputs)?;
        for attr in self.attrs() {
            write!(f, "; {attr}")?;
        }
        match self.flags {
            "" => Ok(()),
            flags => write!(f, "; {flags}"),
        }
    }
}

/// An input or output of an op: one tensor, or as many as an attr says.
///
/// | in the table | tensors | of type |
/// |---|---|---|
/// | `x: float` | one | [`dtype`](Self::dtype) |
/// | `x: T`, T a type | one | attr [`type_attr`](Self::type_attr) |
/// | `x: N * T` | attr [`number_attr`](Self::number_attr) | as the above |
/// | `x: T`, T a list(type) | the length of attr [`type_list_attr`](Self::type_list_attr) | each its own in that attr |
#[derive(Clone, Copy, Debug)]
pub struct ArgFacts {
    name: &'static str,
    number_attr: Option<&'static str>,
    kind: Kind,
    is_ref: bool,
    full_type: Option<&'static str>,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    DType(DType),
    TypeAttr(&'static str),
    TypeListAttr(&'static str),
}

impl ArgFacts {
    fn of_text(op: OpFacts, text: &'static str) -> ArgFacts {
        let (name, spec) = text.split_once(": ").unwrap_or((text, ""));
        let (spec, full_type) = match spec.split_once(" ~ ") {
            Some((spec, full_type)) => (spec, Some(full_type)),
            None => (spec, None),
        };
        let referred = spec
            .strip_prefix("Ref(")
            .and_then(|spec| spec.strip_suffix(')'));
        let spec = referred.unwrap_or(spec);
        let (number_attr, spec) = match spec.split_once(" * ") {
            Some((number_attr, spec)) => (Some(number_attr), spec),
            None => (None, spec),
        };
        let kind = match op.attr(spec) {
            None => Kind::DType(text::dtype(spec)),
            Some(attr) if attr.type_name() == "list(type)" => Kind::TypeListAttr(spec),
            Some(_) => Kind::TypeAttr(spec),
        };
        ArgFacts {
            name,
            number_attr,
            kind,
            is_ref: referred.is_some(),
            full_type,
        }
    }

    /// Returns the name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the element type, if it is the same for all nodes.
    pub fn dtype(&self) -> Option<DType> {
        match self.kind {
            Kind::DType(dtype) => Some(dtype),
            _ => None,
        }
    }

    /// Returns the attr that holds the element type.
    pub fn type_attr(&self) -> Option<&'static str> {
        match self.kind {
            Kind::TypeAttr(name) => Some(name),
            _ => None,
        }
    }

    /// Returns the attr that lists the element types, a tensor each.
    pub fn type_list_attr(&self) -> Option<&'static str> {
        match self.kind {
            Kind::TypeListAttr(name) => Some(name),
            _ => None,
        }
    }

    /// Returns the attr that holds how many tensors there are, all of one type.
    pub fn number_attr(&self) -> Option<&'static str> {
        self.number_attr
    }

    /// Returns whether it is a reference to a tensor, which ops that assign change.
    pub fn is_ref(&self) -> bool {
        self.is_ref
    }

    /// Returns the full type, which some ops on datasets and other variants have.
    pub fn full_type(&self) -> Option<FullTypeDef> {
        self.full_type.map(text::full_type)
    }

    fn to_proto(self) -> ArgDef {
        ArgDef {
            name: self.name.to_owned(),
            r#type: self.dtype().map_or(0, DType::number),
            type_attr: self.type_attr().unwrap_or_default().to_owned(),
            number_attr: self.number_attr.unwrap_or_default().to_owned(),
            type_list_attr: self.type_list_attr().unwrap_or_default().to_owned(),
            is_ref: self.is_ref,
            experimental_full_type: self.full_type(),
            ..Default::default()
        }
    }
}

/// An attr of an op: what a node may say there, and what counts if it says nothing.
///
/// It is shown as TensorFlow's registrations write it: `T: {float, double} = float`.
#[derive(Clone, Copy)]
pub struct AttrFacts {
    name: &'static str,
    spec: &'static str,
}

impl AttrFacts {
    /// Returns the name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the type in TensorFlow's words: `int`, `type`, `func`, `list(shape)`.
    pub fn type_name(&self) -> &'static str {
        text::attr(self.spec).type_name
    }

    /// Returns the value that counts for a node without this attr; `None` if nodes must have it.
    pub fn default(&self) -> Option<AttrValue> {
        let attr = text::attr(self.spec);
        attr.default.map(|text| text::value(attr.type_name, text))
    }

    /// Returns the list of values it may have, or for a list each element; `None` where all are
    /// allowed.
    pub fn allowed_values(&self) -> Option<AttrValue> {
        text::attr(self.spec).allowed.map(text::allowed_values)
    }

    /// Returns the least value of an int, or the least length of a list.
    pub fn minimum(&self) -> Option<i64> {
        text::attr(self.spec).minimum
    }

    fn to_proto(self) -> AttrDef {
        AttrDef {
            name: self.name.to_owned(),
            r#type: self.type_name().to_owned(),
            default_value: self.default(),
            has_minimum: self.minimum().is_some(),
            minimum: self.minimum().unwrap_or(0),
            allowed_values: self.allowed_values(),
            ..Default::default()
        }
    }
}

impl fmt::Display for AttrFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.spec)
    }
}

impl fmt::Debug for AttrFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::op::{all, find};

    fn int(value: i64) -> AttrValue {
        AttrValue {
            value: Some(Value::I(value)),
        }
    }

    #[test]
    fn an_op_of_every_kind_of_argument() {
        let add = find("AddN").unwrap();
        let inputs = add.inputs().next().unwrap();
        assert_eq!(
            (inputs.number_attr(), inputs.type_attr()),
            (Some("N"), Some("T"))
        );
        assert!(add.is_aggregate() && add.is_commutative());
        assert_eq!(add.attr("N").unwrap().minimum(), Some(1));

        let assign = find("AssignAdd").unwrap();
        assert!(assign.outputs().all(|output| output.is_ref()));

        let identity = find("IdentityN").unwrap();
        let input = identity.inputs().next().unwrap();
        assert_eq!(input.type_list_attr(), Some("T"));
        assert_eq!((input.dtype(), input.type_attr()), (None, None));

        let range = find("RangeDataset").unwrap();
        let handle = range.outputs().next().unwrap();
        assert_eq!(handle.dtype(), Some(DType::VARIANT));
        assert_eq!(handle.full_type().unwrap().args.len(), 1);

        assert_eq!(find("Old").unwrap().deprecation(), Some(8));
        assert_eq!(range.deprecation(), None);
    }

    #[test]
    fn outputs_are_counted_by_attrs_and_defaults() {
        let nothing = |_: &str| None::<AttrValue>;
        assert_eq!(find("NoOp").unwrap().output_count(nothing).unwrap(), 0);
        assert_eq!(find("Unique").unwrap().output_count(nothing).unwrap(), 2);
        assert_eq!(
            find("StaticRegexReplace")
                .unwrap()
                .output_count(nothing)
                .unwrap(),
            1
        );

        let unpack = find("Unpack").unwrap();
        assert_eq!(unpack.output_count(|_| Some(int(5))).unwrap(), 5);
        assert_eq!(unpack.output_count(|_| Some(int(0))).unwrap(), 0);
        for (value, message) in [
            (None, "attr `num` of a node of op Unpack is missing"),
            (
                Some(int(-1)),
                "attr `num` of a node of op Unpack is negative: -1",
            ),
            (
                Some(AttrValue { value: None }),
                "attr `num` of a node of op Unpack is not an int",
            ),
        ] {
            let error = unpack.output_count(|_| value.clone()).unwrap_err();
            assert_eq!(error.to_string(), message);
        }
        let identity = find("IdentityN").unwrap();
        assert!(identity.output_count(|_| Some(int(1))).is_err());
        assert!(identity.output_count(nothing).is_err());
    }

    #[test]
    fn every_line_is_understood() {
        for op in all() {
            assert_eq!(op.to_proto().name, op.name());
            assert!(!format!("{op:?}").contains('\t'));
            for arg in op.inputs().chain(op.outputs()) {
                let attr = arg.type_attr().or(arg.type_list_attr());
                assert!(attr.is_none_or(|name| op.attr(name).is_some()));
                assert!(arg.number_attr().is_none_or(|name| {
                    op.attr(name).is_some_and(|attr| attr.type_name() == "int")
                }));
            }
        }
    }
}

use prost::bytes::Bytes;

use super::budget::Budget;
use super::object::{Node, Object};
use crate::error::{Error, Result};
use crate::numpy::descr::{ByteOrder, Descr};
use crate::numpy::literal::Literal;
use crate::numpy::{elements, layout};
use crate::tensor::{DType, Shape, Strings, Tensor};

/// A `dtype` of numpy.
#[derive(Clone, Debug)]
pub(super) struct ElementType {
    /// Kind and size: `f4`.
    code: String,
    /// What numpy has from `ml_dtypes`, where `code` does not say it.
    extension: Option<DType>,
    /// `<`, `>`, `|` or `=`.
    order: String,
    /// Name and type of the only field; nothing in it if there are several.
    fields: Option<Vec<Literal>>,
}

/// Names of types and of the fields that we know are shorter.
const LONGEST_NAME: usize = 32;
/// More dimensions than any array has.
const MAX_RANK: usize = 254;

impl ElementType {
    /// Makes the type of a code, of this machine's byte order until its state says more.
    pub(super) fn new(code: &str) -> Result<ElementType> {
        if code.len() > LONGEST_NAME {
            return Err(Error::malformed("a dtype with a longer name than any has"));
        }
        Ok(ElementType {
            code: code.to_owned(),
            extension: None,
            order: "=".to_owned(),
            fields: None,
        })
    }

    /// Makes a type that numpy has from `ml_dtypes`.
    pub(super) fn extension(dtype: DType) -> ElementType {
        ElementType {
            code: format!("V{}", dtype.size().unwrap_or(1)),
            extension: Some(dtype),
            order: "=".to_owned(),
            fields: None,
        }
    }

    /// Sets what `dtype.__setstate__` sets: version, byte order, type of subarrays, names and types of
    /// fields, and numbers that follow from these.
    pub(super) fn set_state(&mut self, state: &[Object], nodes: &[Node]) -> Result<()> {
        let bad = || Error::malformed("the state of a dtype is not one that numpy writes");
        let [_, Object::Str(order), subarray, names, fields, ..] = state else {
            return Err(bad());
        };
        let fields = match (subarray, names) {
            (Object::None, Object::None) => None,
            (Object::None, Object::Node(_)) => Some(field(names, fields, nodes)),
            (Object::Node(_), _) => Some(Vec::new()),
            _ => return Err(bad()),
        };
        if !matches!(order.as_str(), "<" | ">" | "|" | "=") {
            return Err(bad());
        }
        self.order = order.as_str().to_owned();
        self.fields = fields;
        Ok(())
    }

    /// Returns the type as numpy's files write it.
    fn literal(&self) -> Literal {
        match &self.fields {
            Some(fields) => Literal::List(fields.clone()),
            None => Literal::Text(format!("{}{}", self.order, self.code)),
        }
    }

    fn is_object(&self) -> bool {
        self.fields.is_none() && self.code.starts_with('O')
    }

    fn descr(&self) -> Result<Descr> {
        let literal = self.literal();
        let refusal = |why: &str| {
            let name = literal.repr();
            Error::unsupported(format!("numpy's type {name}: {why}"))
        };
        if let (Some(dtype), None) = (self.extension, &self.fields) {
            let order = match self.order == ">" {
                true => ByteOrder::Big,
                false => ByteOrder::Little,
            };
            return Ok(Descr::Numbers { dtype, order });
        }
        match Descr::parse(&literal)? {
            Descr::Objects => Err(refusal("objects are no numbers")),
            Descr::Refused { why } => Err(refusal(why)),
            Descr::Void { .. } => Err(refusal("it does not say which dtype it stands for")),
            descr => Ok(descr),
        }
    }
}

/// Returns the field of a structure that has only one.
fn field(names: &Object, fields: &Object, nodes: &[Node]) -> Vec<Literal> {
    let (Some([Object::Str(name)]), Some([(_, field)])) =
        (tuple(names, nodes), dict(fields, nodes))
    else {
        return Vec::new();
    };
    if name.as_bytes().len() > LONGEST_NAME {
        return Vec::new();
    }
    let Some([kind, Object::Int(0), ..]) = tuple(field, nodes) else {
        return Vec::new();
    };
    let Some(kind) = element_type(kind, nodes) else {
        return Vec::new();
    };
    let name = Literal::Text(name.as_str().to_owned());
    // A field that is itself a structure is none we know.
    match kind.literal() {
        kind @ Literal::Text(_) => vec![Literal::Tuple(vec![name, kind])],
        _ => Vec::new(),
    }
}

fn tuple<'n>(object: &Object, nodes: &'n [Node]) -> Option<&'n [Object]> {
    match object {
        Object::Node(place) => match nodes.get(*place)? {
            Node::Tuple(elements) => Some(elements),
            _ => None,
        },
        _ => None,
    }
}

fn dict<'n>(object: &Object, nodes: &'n [Node]) -> Option<&'n [(Object, Object)]> {
    match object {
        Object::Node(place) => match nodes.get(*place)? {
            Node::Dict(entries) => Some(entries),
            _ => None,
        },
        _ => None,
    }
}

fn element_type<'n>(object: &Object, nodes: &'n [Node]) -> Option<&'n ElementType> {
    match object {
        Object::Node(place) => match nodes.get(*place)? {
            Node::ElementType(element_type) => Some(element_type),
            _ => None,
        },
        _ => None,
    }
}

/// Makes arrays of what a pickle gives.
pub(super) struct Arrays<'n> {
    pub(super) nodes: &'n [Node],
    pub(super) budget: &'n mut Budget,
}

impl Arrays<'_> {
    /// Makes the array that `ndarray.__setstate__` makes of version, shape, dtype, order, and
    /// elements: bytes, or a list of objects in row-major order.
    pub(super) fn of_state(&mut self, state: &[Object]) -> Result<Node> {
        let bad = || Error::malformed("the state of an array is not one that numpy writes");
        let [_, shape, kind, fortran, data] = state else {
            return Err(bad());
        };
        let shape = self.shape(shape)?;
        let kind = element_type(kind, self.nodes).ok_or_else(bad)?;
        let fortran = match fortran {
            Object::Bool(fortran) => *fortran,
            Object::Int(number) => *number != 0,
            _ => return Err(bad()),
        };
        if let Object::Node(place) = data
            && let Some(Node::List(list)) = self.nodes.get(*place)
            && kind.is_object()
        {
            return match self.strings(list)? {
                Some(strings) => {
                    check_count(&shape, list.len())?;
                    let tensor = Tensor::from_shared_strings(shape, strings)?;
                    Ok(Node::Array(Some(tensor)))
                }
                None => Ok(Node::Objects(shape, *place)),
            };
        }
        let descr = kind.descr()?;
        let data = self.data(data).ok_or_else(bad)?;
        let tensor = self.of_bytes(&descr, shape, data, fortran)?;
        Ok(Node::Array(Some(tensor)))
    }

    /// Makes a scalar of the arguments of `scalar`.
    pub(super) fn scalar(&mut self, arguments: &[Object]) -> Result<Tensor> {
        let bad = || Error::malformed("a scalar is not made of a dtype and bytes");
        let [kind, data] = arguments else {
            return Err(bad());
        };
        let descr = element_type(kind, self.nodes).ok_or_else(bad)?.descr()?;
        let data = self.data(data).ok_or_else(bad)?;
        self.of_bytes(&descr, Shape::new(&[])?, data, false)
    }

    /// Makes an array of the arguments of `_frombuffer`: bytes, dtype, shape, order and, in the order
    /// `K`, which axis comes first, second and so on.
    pub(super) fn of_buffer(&mut self, arguments: &[Object]) -> Result<Tensor> {
        let bad = || Error::malformed("an array is not made of bytes, dtype, shape and order");
        let (data, kind, shape, order, axes) = match arguments {
            [data, kind, shape, Object::Str(order)] => (data, kind, shape, order, None),
            [data, kind, shape, Object::Str(order), axes] => (data, kind, shape, order, Some(axes)),
            _ => return Err(bad()),
        };
        let descr = element_type(kind, self.nodes).ok_or_else(bad)?.descr()?;
        let Object::Bytes(data) = data else {
            return Err(bad());
        };
        let shape = self.shape(shape)?;
        let axes = axes.and_then(|axes| tuple(axes, self.nodes));
        match (order.as_str(), axes) {
            ("C", _) | ("K", None) => self.of_bytes(&descr, shape, data.clone(), false),
            ("F", _) => self.of_bytes(&descr, shape, data.clone(), true),
            ("K", Some(axes)) => {
                let axes = permutation(axes, shape.rank()).ok_or_else(bad)?;
                let size = self.check(&descr, &shape, data)?;
                self.budget.charge(data.len() as u64)?;
                let (shape, data) = layout::transposed(data, shape.dims(), &axes, size);
                self.of_bytes(&descr, Shape::new(&shape)?, data.into(), false)
            }
            _ => Err(bad()),
        }
    }

    fn of_bytes(
        &mut self,
        descr: &Descr,
        shape: Shape,
        mut data: Bytes,
        fortran: bool,
    ) -> Result<Tensor> {
        let size = self.check(descr, &shape, &data)?;
        // Looking at the bytes of many arrays that are the same ones takes time.
        self.budget.charge(data.len() as u64)?;
        let lines = shape.dims().iter().filter(|&&dim| dim > 1).count();
        if fortran && lines > 1 {
            self.budget.charge(data.len() as u64)?;
            data = layout::row_major(&data, shape.dims(), size).into();
        }
        match descr {
            // They are taken as they are, or swapped.
            Descr::Numbers { .. } => {}
            // Each string is copied and has an end.
            _ => {
                let ends = shape.elements().saturating_mul(STRING_OVERHEAD);
                self.budget.charge(ends.saturating_add(data.len() as u64))?;
            }
        }
        elements::decode(descr, None, &shape, data).map_err(Error::without_offset)
    }

    /// Proves that there are as many bytes as the array has; returns those of an element.
    fn check(&self, descr: &Descr, shape: &Shape, data: &Bytes) -> Result<usize> {
        let size = descr.item_size().unwrap_or(0);
        let length = shape.elements().checked_mul(size as u64);
        match length == Some(data.len() as u64) {
            true => Ok(size),
            false => Err(Error::malformed(format!(
                "an array of shape {shape} and elements of {size} bytes has {} bytes",
                data.len()
            ))),
        }
    }

    /// Returns objects that are all texts and byte strings.
    fn strings(&mut self, list: &[Object]) -> Result<Option<Strings>> {
        let mut size = 0u64;
        for object in list {
            let Some(string) = string(object) else {
                return Ok(None);
            };
            size = size.saturating_add(string.len() as u64 + STRING_OVERHEAD);
        }
        self.budget.charge(size)?;
        Ok(list.iter().map(string).collect())
    }

    fn shape(&self, object: &Object) -> Result<Shape> {
        let bad = || Error::malformed("the shape of an array is not a tuple of numbers");
        let dims = tuple(object, self.nodes).ok_or_else(bad)?;
        if dims.len() > MAX_RANK {
            return Err(bad());
        }
        let dims = dims
            .iter()
            .map(|dim| match dim {
                Object::Int(dim) => i64::try_from(*dim).map_err(|_| bad()),
                _ => Err(bad()),
            })
            .collect::<Result<Vec<i64>>>()?;
        Shape::stored(&dims)
    }

    /// Returns the bytes of elements, which Python 2 has in a string.
    fn data(&self, object: &Object) -> Option<Bytes> {
        match object {
            Object::Bytes(bytes) => Some(bytes.clone()),
            // A string of Python 2 that happens to be ASCII.
            Object::Str(text) if text.as_bytes().is_ascii() => Some(text.bytes()),
            _ => None,
        }
    }
}

/// Returns a text or byte string, one of numpy among them.
fn string(object: &Object) -> Option<&[u8]> {
    match object {
        Object::Str(text) => Some(text.as_bytes()),
        Object::Bytes(bytes) => Some(bytes),
        Object::Tensor(tensor) if tensor.shape().is_scalar() => tensor.strings()?.get(0),
        _ => None,
    }
}

/// Proves that an array has as many objects as its shape says.
pub(super) fn check_count(shape: &Shape, count: usize) -> Result<()> {
    match shape.elements() == count as u64 {
        true => Ok(()),
        false => Err(Error::malformed(format!(
            "an array of shape {shape} has {count} elements"
        ))),
    }
}

/// What a string takes besides its bytes.
const STRING_OVERHEAD: u64 = 16;

/// Returns each axis once.
fn permutation(axes: &[Object], rank: usize) -> Option<Vec<usize>> {
    if axes.len() != rank {
        return None;
    }
    let mut seen = vec![false; rank];
    axes.iter()
        .map(|axis| match axis {
            Object::Int(axis) => {
                let axis = usize::try_from(*axis).ok()?;
                let seen = seen.get_mut(axis)?;
                (!std::mem::replace(seen, true)).then_some(axis)
            }
            _ => None,
        })
        .collect()
}

use savedmodel::DType;

use super::arguments::{
    Arguments, ElementType, Term, element_type, integer, integers, required, shape, value,
};
use super::arithmetic::{broadcast, expanded, size};
use super::array::{Array, check_rank, count};
use super::cast::{cast, complex_of, float_of, python_int};
use super::elements::{Elements, widened, wrapped};
use super::natural::{array_of, objects_of};
use super::random::Random;
use super::{Value, draws, sequences};

/// So many elements may all arrays that an expression makes on its way have together.
pub(super) const MAX_ELEMENTS: u64 = 1 << 28;

/// What expressions share: random numbers, and how much they may make.
pub(super) struct Context {
    pub(super) random: Random,
    left: u64,
}

impl Context {
    pub(super) fn new(seed: u64) -> Context {
        Context {
            random: Random::new(seed),
            left: MAX_ELEMENTS,
        }
    }

    /// Takes note of elements that are to be made.
    pub(super) fn charge(&mut self, count: u64) -> Result<(), String> {
        self.left = self.left.checked_sub(count).ok_or_else(|| {
            "more than 2^28 elements on the way to a value; write them to a file for --inputs"
                .to_owned()
        })?;
        Ok(())
    }

    pub(super) fn charge_shape(&mut self, shape: &[u64]) -> Result<usize, String> {
        check_rank(shape.len())?;
        let total = count(shape).ok_or_else(|| "a shape of too many elements".to_owned())?;
        self.charge(total)?;
        Ok(total as usize)
    }
}

/// Functions of numpy, for the message about one that is not there.
pub(super) const KNOWN: &str = "array asarray zeros ones full empty arange linspace eye identity zeros_like \
                     ones_like full_like expand_dims reshape, random.rand randn random \
                     random_sample uniform normal randint, range, list, tuple and types";

/// Returns the constant that a name stands for.
pub(super) fn constant(name: &str) -> Option<Value> {
    let bare = name.strip_prefix("np.").unwrap_or(name);
    Some(match bare {
        "nan" | "NaN" | "NAN" => Value::Float(f64::NAN),
        "inf" | "Inf" | "infty" | "Infinity" | "PINF" => Value::Float(f64::INFINITY),
        "pi" => Value::Float(std::f64::consts::PI),
        "e" if name == "np.e" => Value::Float(std::f64::consts::E),
        "newaxis" => Value::None,
        "True_" | "False_" => {
            let truth = i64::from(bare == "True_");
            Value::Array(Array::scalar(Elements::Ints(DType::BOOL, vec![truth])))
        }
        _ => return None,
    })
}

/// Calls a function by its name.
pub(super) fn call(
    name: &str,
    arguments: Arguments,
    context: &mut Context,
) -> Result<Value, String> {
    if let Some(result) = python_function(name, &arguments, context) {
        return result;
    }
    let bare = name.strip_prefix("np.").unwrap_or(name);
    if let Some(function) = bare.strip_prefix("random.") {
        return draws::call(function, arguments, context);
    }
    match bare {
        "array" | "asarray" | "asanyarray" | "ascontiguousarray" => {
            let [object, dtype] = arguments.bind(name, ["object", "dtype"])?;
            let object = required(object, "object")?;
            context.charge(size(&object))?;
            typed(&object, element_type(dtype)?).map(Value::Array)
        }
        "zeros" | "ones" | "empty" => {
            let [dims, dtype] = arguments.bind(name, ["shape", "dtype"])?;
            let dims = shape(&required(dims, "shape")?)?;
            let dtype = element_type(dtype)?.unwrap_or(ElementType::Number(DType::DOUBLE));
            let fill = Value::Int(i128::from(bare == "ones"));
            filled(dims, &fill, Some(dtype), context)
        }
        "full" => {
            let [dims, fill, dtype] = arguments.bind(name, ["shape", "fill_value", "dtype"])?;
            let dims = shape(&required(dims, "shape")?)?;
            filled(
                dims,
                &required(fill, "fill_value")?,
                element_type(dtype)?,
                context,
            )
        }
        "zeros_like" | "ones_like" | "empty_like" | "full_like" => {
            let (like, fill, dtype) = match bare {
                "full_like" => {
                    let [like, fill, dtype] = arguments.bind(name, ["a", "fill_value", "dtype"])?;
                    (like, required(fill, "fill_value")?, dtype)
                }
                _ => {
                    let [like, dtype] = arguments.bind(name, ["a", "dtype"])?;
                    (like, Value::Int(i128::from(bare == "ones_like")), dtype)
                }
            };
            let like = natural(&required(like, "a")?)?;
            let dtype = element_type(dtype)?.unwrap_or(type_of(&like));
            filled(like.shape().to_vec(), &fill, Some(dtype), context)
        }
        "arange" => sequences::arange(arguments, context),
        "linspace" => sequences::linspace(arguments, context),
        "eye" => {
            let [rows, columns, k, dtype] = arguments.bind(name, ["N", "M", "k", "dtype"])?;
            let rows = required(rows, "N")?;
            let columns = match value(columns)? {
                None | Some(Value::None) => rows.clone(),
                Some(columns) => columns,
            };
            let k = value(k)?.map_or(Ok(0), |k| integer(&k))?;
            eye(&rows, &columns, k, element_type(dtype)?, context)
        }
        "identity" => {
            let [n, dtype] = arguments.bind(name, ["n", "dtype"])?;
            let n = required(n, "n")?;
            eye(&n, &n, 0, element_type(dtype)?, context)
        }
        "expand_dims" => {
            let [array, axis] = arguments.bind(name, ["a", "axis"])?;
            let array = natural(&required(array, "a")?)?;
            expand_dims(array, &integers(&required(axis, "axis")?)?)
        }
        "reshape" => {
            let [array, dims] = arguments.bind(name, ["a", "shape"])?;
            let array = natural(&required(array, "a")?)?;
            let dims = integers(&required(dims, "shape")?)?;
            array.reshaped(&dims).map(Value::Array)
        }
        "transpose" => {
            let [array] = arguments.bind(name, ["a"])?;
            Ok(Value::Array(natural(&required(array, "a")?)?.transposed()))
        }
        _ => match ElementType::named(name) {
            Some(dtype) => {
                let [object] = arguments.bind(name, ["object"])?;
                let object = value(object)?.unwrap_or(match dtype {
                    ElementType::Number(_) => Value::Int(0),
                    _ => Value::Str(String::new()),
                });
                context.charge(size(&object))?;
                typed(&object, Some(dtype)).map(Value::Array)
            }
            None => Err(format!("no function `{name}` here; there are {KNOWN}")),
        },
    }
}

/// Calls a function of Python itself; `None` if the name is none.
fn python_function(
    name: &str,
    arguments: &Arguments,
    context: &mut Context,
) -> Option<Result<Value, String>> {
    if !matches!(
        name,
        "range" | "list" | "tuple" | "set" | "int" | "float" | "complex" | "bool" | "str"
    ) {
        return None;
    }
    let values: Result<Vec<Value>, String> = arguments
        .positional
        .iter()
        .map(|term| match term {
            Term::Value(value) => Ok(value.clone()),
            Term::Name(name) => Err(format!("`{name}` is a function or type, not a value")),
        })
        .collect();
    let text = |error: super::CastError| error.to_string();
    Some(values.and_then(|values| match (name, &values[..]) {
        _ if !arguments.named.is_empty() => Err(format!("{name} takes no arguments by name")),
        ("range", [..]) => sequences::range(&values, context),
        ("list", []) => Ok(Value::List(Vec::new())),
        ("tuple", []) => Ok(Value::Tuple(Vec::new())),
        ("set", []) => Ok(Value::Set(Vec::new())),
        ("list", [value]) => sequence(value, context).map(Value::List),
        ("tuple", [value]) => sequence(value, context).map(Value::Tuple),
        ("int", []) => Ok(Value::Int(0)),
        ("int", [value]) => python_int(value).map(Value::Int).map_err(text),
        ("float", []) => Ok(Value::Float(0.0)),
        ("float", [value @ Value::None]) => Err(format!(
            "float() argument must be a string or a real number, not '{}'",
            value.type_name()
        )),
        ("float", [value]) => float_of(value).map(Value::Float).map_err(text),
        ("complex", [value]) => complex_of(value).map(Value::Complex).map_err(text),
        ("bool", []) => Ok(Value::Bool(false)),
        ("bool", [value]) => Ok(Value::Bool(value.truth())),
        ("str", []) => Ok(Value::Str(String::new())),
        ("str", [Value::Array(_)]) => Err("str of an array is not supported".to_owned()),
        ("str", [value]) => Ok(Value::Str(value.str())),
        _ => Err(format!("{name} takes no {} arguments", values.len())),
    }))
}

/// Returns the elements that `list` makes of a value.
fn sequence(value: &Value, context: &mut Context) -> Result<Vec<Value>, String> {
    context.charge(size(value).saturating_mul(8))?;
    match value {
        Value::List(elements) | Value::Tuple(elements) | Value::Set(elements) => {
            Ok(elements.clone())
        }
        Value::Dict(entries) => Ok(entries.iter().map(|(key, _)| key.clone()).collect()),
        Value::Str(text) => Ok(text.chars().map(|c| Value::Str(c.into())).collect()),
        Value::Bytes(bytes) => Ok(bytes.iter().map(|b| Value::Int((*b).into())).collect()),
        // Nested lists for rows, which are the same to an array.
        Value::Array(array) if !array.shape().is_empty() => match to_list(array, context)? {
            Value::List(elements) => Ok(elements),
            other => Ok(vec![other]),
        },
        other => Err(format!("'{}' object is not iterable", other.type_name())),
    }
}

/// Does what `tolist` does.
fn to_list(array: &Array, context: &mut Context) -> Result<Value, String> {
    // Lists of nothing count too: as many as all dimensions before a 0 make.
    let lists: Vec<u64> = array.shape().iter().map(|dim| (*dim).max(1)).collect();
    let lists = match array.shape().iter().position(|dim| *dim == 0) {
        Some(zero) => count(lists.get(..zero).unwrap_or_default()),
        None => count(&lists),
    };
    context.charge(lists.unwrap_or(u64::MAX).saturating_mul(8))?;
    Ok(array.to_list())
}

/// Calls a method of an array.
pub(super) fn method(
    array: Array,
    name: &str,
    arguments: Arguments,
    context: &mut Context,
) -> Result<Value, String> {
    match name {
        "astype" => {
            let [dtype] = arguments.bind("astype", ["dtype"])?;
            let dtype =
                element_type(dtype)?.ok_or_else(|| "the argument `dtype` is missing".to_owned())?;
            context.charge(array.elements().len() as u64)?;
            converted(array, dtype).map(Value::Array)
        }
        "reshape" => {
            if !arguments.named.is_empty() {
                return Err("reshape takes no arguments by name here".to_owned());
            }
            let mut dims = Vec::new();
            for term in arguments.positional {
                dims.push(required(Some(term), "shape")?);
            }
            let dims = match &dims[..] {
                [only] => integers(only)?,
                _ => integers(&Value::Tuple(dims))?,
            };
            array.reshaped(&dims).map(Value::Array)
        }
        "tolist" => {
            let [] = arguments.bind("tolist", [])?;
            to_list(&array, context)
        }
        "flatten" | "ravel" => {
            let [] = arguments.bind(name, [])?;
            array.reshaped(&[-1]).map(Value::Array)
        }
        _ => Err(no_method(name)),
    }
}

pub(super) fn no_method(name: &str) -> String {
    format!("no attribute `{name}` here; there are astype, reshape, tolist, flatten and T")
}

pub(super) fn natural(value: &Value) -> Result<Array, String> {
    array_of(value).map_err(|error| error.to_string())
}

fn type_of(array: &Array) -> ElementType {
    match array.elements() {
        Elements::Texts(_) => ElementType::Texts,
        Elements::Strings(_) => ElementType::Strings,
        Elements::Objects(_) => ElementType::Objects,
        numbers => ElementType::Number(numbers.dtype().unwrap_or(DType::DOUBLE)),
    }
}

/// Makes an array of a value, of that type of elements if one is asked for. Integers of Python that
/// do not fit are refused, as numpy does for values that are no arrays.
fn typed(value: &Value, dtype: Option<ElementType>) -> Result<Array, String> {
    let dtype = match dtype {
        None => return natural(value),
        Some(ElementType::Objects) => return Ok(objects_of(value)),
        Some(dtype) => dtype,
    };
    let array = natural(value)?;
    if let (ElementType::Number(dtype), Elements::Ints(from, values)) = (dtype, array.elements())
        && !matches!(value, Value::Array(_))
        && dtype.is_integer()
    {
        let fits = |value: i64| {
            let value = widened(*from, value);
            widened(dtype, wrapped(dtype, value)) == value
        };
        if let Some(value) = values.iter().find(|value| !fits(**value)) {
            return Err(format!(
                "Python integer {} out of bounds for {dtype}",
                widened(*from, *value)
            ));
        }
    }
    converted(array, dtype)
}

pub(super) fn converted(array: Array, dtype: ElementType) -> Result<Array, String> {
    let elements = array.elements();
    let values = || (0..elements.len()).map(|index| elements.value(index));
    let converted = match dtype {
        ElementType::Number(dtype) => cast(elements, dtype).map_err(|error| error.to_string())?,
        ElementType::Texts => Elements::Texts(values().map(|value| value.str()).collect()),
        ElementType::Strings => Elements::Strings(
            values()
                .map(|value| match value {
                    Value::Bytes(bytes) => bytes,
                    other => other.str().into_bytes(),
                })
                .collect(),
        ),
        ElementType::Objects => Elements::Objects(values().collect()),
    };
    Array::new(array.shape().to_vec(), converted).ok_or_else(String::new)
}

fn filled(
    dims: Vec<u64>,
    fill: &Value,
    dtype: Option<ElementType>,
    context: &mut Context,
) -> Result<Value, String> {
    let total = context.charge_shape(&dims)?;
    let fill = typed(fill, dtype)?;
    if broadcast(fill.shape(), &dims)? != dims {
        return Err("the value to fill with has more elements than the shape".to_owned());
    }
    // Strings and objects are more than an element each.
    let filling = size(&Value::Array(fill.clone())) / fill.elements().len().max(1) as u64;
    context.charge(filling.saturating_mul(total as u64))?;
    let mut elements = expanded(fill, &dims);
    if elements.len() == 1 {
        elements = elements.picked(&vec![0; total]);
    }
    Array::new(dims, elements)
        .map(Value::Array)
        .ok_or_else(String::new)
}

fn eye(
    rows: &Value,
    columns: &Value,
    k: i128,
    dtype: Option<ElementType>,
    context: &mut Context,
) -> Result<Value, String> {
    let dims = [shape(rows)?, shape(columns)?].concat();
    let [_, columns] = dims[..] else {
        return Err("`N` and `M` are integers".to_owned());
    };
    let total = context.charge_shape(&dims)?;
    let is_one = |index: usize| {
        let (row, column) = (index as u64 / columns, index as u64 % columns);
        i128::from(column) - i128::from(row) == k
    };
    let values = (0..total).map(|index| f64::from(u8::from(is_one(index))));
    let array = Array::new(
        dims.clone(),
        Elements::Floats(DType::DOUBLE, values.collect()),
    );
    let array = array.ok_or_else(String::new)?;
    match dtype {
        Some(dtype) => converted(array, dtype).map(Value::Array),
        None => Ok(Value::Array(array)),
    }
}

fn expand_dims(array: Array, axes: &[i128]) -> Result<Value, String> {
    let rank = array.shape().len() + axes.len();
    check_rank(rank)?;
    let mut is_new = vec![false; rank];
    for axis in axes {
        let index = if *axis < 0 {
            *axis + rank as i128
        } else {
            *axis
        };
        let slot = usize::try_from(index)
            .ok()
            .and_then(|index| is_new.get_mut(index));
        match slot {
            Some(slot @ false) => *slot = true,
            Some(_) => return Err("repeated axis".to_owned()),
            None => {
                return Err(format!(
                    "axis {axis} is out of bounds for array of dimension {rank}"
                ));
            }
        }
    }
    let mut old = array.shape().iter();
    let dims: Vec<u64> = is_new
        .iter()
        .map(|is_new| match is_new {
            true => 1,
            false => old.next().copied().unwrap_or(1),
        })
        .collect();
    Array::new(dims, array.into_elements())
        .map(Value::Array)
        .ok_or_else(String::new)
}

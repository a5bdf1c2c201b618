//! Tag sets, signatures and ops as text.

use std::collections::BTreeSet;
use std::io::{self, Write};

use savedmodel::DType;
use savedmodel::proto::tensor_info::Encoding;
use savedmodel::proto::{SignatureDef, TensorInfo, TensorShapeProto};

use crate::python;

/// Writes the tag sets, sorted; inside each the tags are sorted too.
pub(crate) fn write_tag_sets(out: &mut impl Write, mut sets: Vec<Vec<&str>>) -> io::Result<()> {
    writeln!(out, "The given SavedModel contains the following tag-sets:")?;
    sets.sort();
    for mut tags in sets {
        tags.sort_unstable();
        writeln!(out, "{}", python::text_repr(&tags.join(", ")))?;
    }
    Ok(())
}

/// Writes the keys of signatures, sorted.
pub(crate) fn write_signature_keys<'a>(
    out: &mut impl Write,
    keys: impl IntoIterator<Item = &'a str>,
) -> io::Result<()> {
    writeln!(
        out,
        "The given SavedModel MetaGraphDef contains SignatureDefs with the following keys:"
    )?;
    for key in keys {
        writeln!(out, "SignatureDef key: \"{key}\"")?;
    }
    Ok(())
}

/// Writes one signature, each line behind `indent`.
pub(crate) fn write_signature(
    out: &mut impl Write,
    signature: &SignatureDef,
    indent: &str,
) -> io::Result<()> {
    writeln!(
        out,
        "{indent}The given SavedModel SignatureDef contains the following input(s):"
    )?;
    let inputs = signature
        .inputs
        .iter()
        .map(|entry| (entry.key(), &entry.value));
    write_tensors(out, "inputs", inputs, indent)?;
    writeln!(
        out,
        "{indent}The given SavedModel SignatureDef contains the following output(s):"
    )?;
    let outputs = signature
        .outputs
        .iter()
        .map(|entry| (entry.key(), &entry.value));
    write_tensors(out, "outputs", outputs, indent)?;
    writeln!(out, "{indent}Method name is: {}", signature.method_name)
}

fn write_tensors<'a>(
    out: &mut impl Write,
    side: &str,
    tensors: impl Iterator<Item = (&'a str, &'a Option<TensorInfo>)>,
    indent: &str,
) -> io::Result<()> {
    // The last of several entries under one key is the one that counts.
    let tensors: std::collections::BTreeMap<_, _> = tensors.collect();
    let none = TensorInfo::default();
    for (key, tensor) in tensors {
        let tensor = tensor.as_ref().unwrap_or(&none);
        let name = match &tensor.encoding {
            Some(Encoding::Name(name)) => name,
            _ => "",
        };
        writeln!(out, "{indent}  {side}['{key}'] tensor_info:")?;
        writeln!(out, "{indent}      dtype: {}", dtype_name(tensor.dtype))?;
        writeln!(
            out,
            "{indent}      shape: {}",
            shape_text(tensor.tensor_shape.as_ref())
        )?;
        writeln!(out, "{indent}      name: {name}")?;
    }
    Ok(())
}

fn dtype_name(number: i32) -> String {
    let dtype = DType::from_number(number);
    match dtype.is_known() || number == 0 {
        true => dtype.proto_name().into_owned(),
        // The stock tool has no word for it.
        false => number.to_string(),
    }
}

fn shape_text(shape: Option<&TensorShapeProto>) -> String {
    match shape {
        Some(shape) if shape.unknown_rank => "unknown_rank".to_owned(),
        Some(shape) => {
            let dims: Vec<String> = shape.dim.iter().map(|dim| dim.size.to_string()).collect();
            format!("({})", dims.join(", "))
        }
        None => "()".to_owned(),
    }
}

/// Writes the line of ops; they are in the order to be shown.
pub(crate) fn write_ops(
    out: &mut impl Write,
    tags: &[&str],
    ops: &BTreeSet<&str>,
) -> io::Result<()> {
    writeln!(
        out,
        "The MetaGraph with tag set {} contains the following ops: {}",
        python::list_repr(tags),
        python::set_repr(ops)
    )
}

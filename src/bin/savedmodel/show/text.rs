//! Tag sets, signatures and ops as text.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use savedmodel::{DType, Signature, TensorInfo};

use super::Style;
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
pub(crate) fn write_signature_keys(
    out: &mut impl Write,
    keys: &[String],
    style: Style,
) -> io::Result<()> {
    writeln!(
        out,
        "The given SavedModel MetaGraphDef contains SignatureDefs with the following keys:"
    )?;
    for key in keys {
        writeln!(out, "SignatureDef key: \"{}\"", style.name(key))?;
    }
    Ok(())
}

/// Writes one signature, each line behind `indent`.
pub(crate) fn write_signature(
    out: &mut impl Write,
    signature: &Signature,
    indent: &str,
    style: Style,
) -> io::Result<()> {
    writeln!(
        out,
        "{indent}The given SavedModel SignatureDef contains the following input(s):"
    )?;
    write_tensors(out, "inputs", &signature.inputs, indent, style)?;
    writeln!(
        out,
        "{indent}The given SavedModel SignatureDef contains the following output(s):"
    )?;
    write_tensors(out, "outputs", &signature.outputs, indent, style)?;
    writeln!(
        out,
        "{indent}Method name is: {}",
        style.name(&signature.method_name)
    )
}

fn write_tensors(
    out: &mut impl Write,
    side: &str,
    tensors: &BTreeMap<String, TensorInfo>,
    indent: &str,
    style: Style,
) -> io::Result<()> {
    for (key, tensor) in tensors {
        writeln!(out, "{indent}  {side}['{}'] tensor_info:", style.name(key))?;
        writeln!(out, "{indent}      dtype: {}", dtype_name(tensor.dtype))?;
        writeln!(out, "{indent}      shape: {}", shape_text(tensor))?;
        writeln!(
            out,
            "{indent}      name: {}",
            style.name(tensor.name().unwrap_or_default())
        )?;
    }
    Ok(())
}

fn dtype_name(dtype: DType) -> String {
    match dtype.is_known() || dtype == DType::INVALID {
        true => dtype.proto_name().into_owned(),
        // The stock tool has no word for it.
        false => dtype.number().to_string(),
    }
}

fn shape_text(tensor: &TensorInfo) -> String {
    match tensor.stored_dims() {
        None => "unknown_rank".to_owned(),
        Some(dims) => {
            let dims: Vec<String> = dims.iter().map(i64::to_string).collect();
            format!("({})", dims.join(", "))
        }
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

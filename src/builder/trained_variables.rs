use prost::Message;
use prost::bytes::Bytes;

use crate::error::Result;
use crate::graph::{GraphBuilder, SaveSliceInfo, Variable};
use crate::proto::{SaveSliceInfoDef, VariableDef};
use crate::tensor::{DType, Shape, Tensor};

/// Adds what a `VariableDef` names: a first value, and nodes that assign it and read the variable.
pub(super) fn describe(graph: &mut GraphBuilder, variable: &Variable) -> Result<VariableDef> {
    let name = variable.name().to_owned();
    let dims: Vec<i64> = variable
        .shape()
        .dims()
        .iter()
        .map(|&dim| dim as i64)
        .collect();
    let rank = Shape::new(&[dims.len() as u64])?;
    let dims = Tensor::from_slice(rank, &dims)?;
    let dims = graph.constant(&format!("{name}/Initializer/zeros/shape_as_tensor"), &dims)?;
    let zero = zero(variable.dtype())?;
    let zero = graph.constant(&format!("{name}/Initializer/zeros/Const"), &zero)?;
    let value = graph
        .op("Fill")
        .name(&format!("{name}/Initializer/zeros"))
        .input(&dims)
        .input(&zero)
        .output()?;
    let assign = graph.assign(variable, &value)?;
    let read = graph.read(variable)?;
    Ok(VariableDef {
        variable_name: variable.handle().tensor_name(),
        initial_value_name: value.tensor_name(),
        initializer_name: assign.name().to_owned(),
        snapshot_name: read.tensor_name(),
        is_resource: true,
        trainable: variable.is_trainable(),
        save_slice_info_def: variable.save_slice_info().map(slice_info).transpose()?,
        ..VariableDef::default()
    })
}

fn slice_info(info: &SaveSliceInfo) -> Result<SaveSliceInfoDef> {
    let dims = |dims: &mut dyn Iterator<Item = u64>| dims.map(|dim| dim as i64).collect();
    let slice = info.slice.resolve(&info.full_shape)?;
    Ok(SaveSliceInfoDef {
        full_name: info.full_name.clone(),
        full_shape: dims(&mut info.full_shape.dims().iter().copied()),
        var_offset: dims(&mut slice.iter().map(|(start, _)| *start)),
        var_shape: dims(&mut slice.iter().map(|(_, length)| *length)),
    })
}

/// Returns a scalar of that type whose bits are all zero; for strings the empty one.
fn zero(dtype: DType) -> Result<Tensor> {
    match dtype.size() {
        Some(size) => Tensor::from_bytes(dtype, Shape::SCALAR, vec![0; size]),
        None => Tensor::from_strings(Shape::SCALAR, [""]),
    }
}

/// Returns the encoded message, as collections hold it.
pub(super) fn encode(def: &VariableDef) -> Bytes {
    def.encode_to_vec().into()
}

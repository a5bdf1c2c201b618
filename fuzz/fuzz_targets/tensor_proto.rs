//! A `TensorProto`: to a tensor and back.

#![no_main]

use libfuzzer_sys::fuzz_target;
use prost::Message;
use savedmodel::proto::TensorProto;
use savedmodel::{DType, Shape, Tensor};

fuzz_target!(|bytes: &[u8]| {
    let Ok(proto) = TensorProto::decode(bytes) else {
        return;
    };
    // A few values may stand for many; that is slow to repeat here and not what is looked for.
    if let Some(shape) = &proto.tensor_shape
        && Shape::from_proto(shape).is_ok_and(|shape| shape.elements() > 1 << 20)
    {
        return;
    }
    let Ok(tensor) = Tensor::from_proto(&proto) else {
        return;
    };
    let _ = tensor.statistics();
    let _ = tensor.to_f64s();
    let again = tensor.to_proto().unwrap();
    let same = Tensor::from_proto(&again).unwrap();
    // The unused bits of narrow elements are nobody's.
    let narrow = [
        DType::INT4,
        DType::UINT4,
        DType::INT2,
        DType::UINT2,
        DType::FLOAT4_E2M1FN,
    ];
    assert!(same == tensor || narrow.contains(&tensor.dtype()));
    let decoded = TensorProto::decode(&again.encode_to_vec()[..]).unwrap();
    assert_eq!(Tensor::from_proto(&decoded).unwrap(), same);
});

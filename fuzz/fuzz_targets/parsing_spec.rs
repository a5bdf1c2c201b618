//! A `GraphDef`: what its nodes take out of examples, and an example that they take.

#![no_main]

use libfuzzer_sys::fuzz_target;
use prost::Message;
use savedmodel::example::ParsingSpec;
use savedmodel::proto::GraphDef;

fuzz_target!(|bytes: &[u8]| {
    let Ok(graph) = GraphDef::decode(bytes) else {
        return;
    };
    let library = graph.library.unwrap_or_default();
    let specs = match ParsingSpec::find(&graph.node, &library.function) {
        Ok(specs) => specs,
        Err(error) => {
            assert!(!error.to_string().contains(char::is_control), "{error:?}");
            return;
        }
    };
    for spec in specs {
        for feature in spec.features().iter().chain(spec.feature_lists()) {
            assert!(!feature.to_string().contains(char::is_control));
        }
        // Large ones are allowed to be: two to the power of 24 values, for which a few bytes ask.
        let small = spec
            .features()
            .iter()
            .all(|feature| match feature.layout() {
                savedmodel::example::Layout::Dense(shape) => {
                    let dims = shape.dims().unwrap_or_default();
                    let dims = dims.iter().map(|dim| dim.unwrap_or(1));
                    dims.fold(1u64, |product, dim| product.saturating_mul(dim)) < 1 << 12
                }
                _ => true,
            });
        if !small {
            continue;
        }
        if let Ok(example) = spec.placeholder()
            && !spec.takes_sequences()
            && let Err(error) = spec.check(&example)
        {
            assert!(!error.to_string().contains(char::is_control), "{error:?}");
        }
    }
});

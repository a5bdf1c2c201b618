//! The text of a `checkpoint` file.

#![no_main]

use libfuzzer_sys::fuzz_target;
use savedmodel::bundle::CheckpointState;

fuzz_target!(|text: &str| {
    match CheckpointState::parse(text) {
        Ok(state) => {
            let mut parts = state.all_model_checkpoint_paths.iter();
            assert!(parts.all(|path| path.len() <= text.len()));
        }
        Err(error) => assert!(error.offset().is_some_and(|at| at <= text.len() as u64)),
    }
});

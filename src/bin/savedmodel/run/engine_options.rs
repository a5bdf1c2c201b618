use std::path::{Path, PathBuf};

/// How TensorFlow is found, and how it runs a model.
#[derive(Default)]
#[cfg_attr(
    not(feature = "tf-runtime"),
    allow(dead_code, reason = "there is nothing that reads them")
)]
pub(crate) struct EngineOptions<'a> {
    pub(crate) library: Option<&'a Path>,
    pub(crate) op_libraries: &'a [PathBuf],
    pub(crate) threads: Option<u16>,
    pub(crate) is_inline: bool,
    pub(crate) assigns_variables: bool,
    /// Variables without a value are TensorFlow's business, as in its own tool.
    pub(crate) is_stock: bool,
}

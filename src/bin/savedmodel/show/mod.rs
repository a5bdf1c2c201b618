//! What a model holds, as text: tag sets, signatures, ops, functions. The text is that of the stock
//! tool; `savedmodel show` and the stock persona print it alike.

pub(crate) mod concrete_functions;
pub(crate) mod library;
pub(crate) mod text;

//! Inputs of `savedmodel run`.

pub(crate) mod examples;
pub(crate) mod expression;
pub(crate) mod feed;

#[cfg(test)]
mod vectors;

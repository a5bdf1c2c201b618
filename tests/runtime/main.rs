//! Models run through TensorFlow's library.
//!
//! A program of its own, because TensorFlow is in it. Tests whose names contain `interop` need the
//! environment variable `SAVEDMODEL_TF_PYTHON` to name a Python that has
//! `tests/interop/requirements.txt`; without it they pass after saying that they were skipped.

mod calls;
mod comparison;
mod forge;
mod libraries;
mod models;
mod tensorflow;

//! This library's side of writing, and that of safetensors.

use std::cell::RefCell;
use std::error::Error;
use std::io::{self, Read};
use std::path::Path;
use std::thread;

use safetensors_peer::Dtype;
use safetensors_peer::tensor::TensorView as SafeView;
use savedmodel::builder::{MetaGraphBuilder, SavedModelBuilder, VariableValue};
use savedmodel::bundle::{Durability, MergeOptions, merge_bundles};
use savedmodel::graph::GraphBuilder;
use savedmodel::{BundleWriter, DType, PartialShape, Shape, Signature, Tensor, TensorView};

use crate::harness::meter::{self, Start};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The tensors of a case of the peer's generator.
#[derive(Default)]
struct Data {
    names: Vec<String>,
    shape: Shape,
    /// Those of all numbers, one behind the other.
    numbers: Vec<f32>,
    /// In place of numbers.
    strings: Option<Tensor>,
}

pub(crate) fn serve() -> Result<()> {
    let data = RefCell::new(Data::default());
    meter::serve(|words| match *words {
        ["gen", case] => {
            *data.borrow_mut() = Data::generate(case)?;
            Ok(r#"{"op":"gen"}"#.to_owned())
        }
        [command, prefix, ref arguments @ ..] => {
            data.borrow().measure(command, Path::new(prefix), arguments)
        }
        _ => Err(format!("what is `{}`?", words.join(" ")).into()),
    })
}

impl Data {
    fn generate(case: &str) -> Result<Self> {
        let numbers = |names: Vec<String>, dims: &[u64]| -> Result<Self> {
            let shape = Shape::new(dims)?;
            let mut x = 1u64;
            let count = names.len() * shape.elements() as usize;
            Ok(Data {
                names,
                shape,
                numbers: (0..count)
                    .map(|_| f32::from_bits(next(&mut x) as u32))
                    .collect(),
                strings: None,
            })
        };
        match case {
            "a" => {
                let names = (0..16).map(|i| format!("big/kernel_{}", 100 + i));
                numbers(names.collect(), &[4096, 4096])
            }
            "b" => numbers((0..100_000).map(tiny_name).collect(), &[256]),
            "c" => numbers((0..1_000_000).map(tiny_name).collect(), &[2]),
            "d" => {
                let mut x = 88_172_645_463_325_252u64;
                let strings = (0..1_000_000).map(|_| {
                    let mut string = [0; 100];
                    for part in string.chunks_mut(4) {
                        let bytes = next(&mut x).to_le_bytes();
                        for (to, byte) in part.iter_mut().zip(bytes) {
                            *to = b'a' + (byte & 15);
                        }
                    }
                    string
                });
                Ok(Data {
                    names: vec!["table/keys".to_owned()],
                    strings: Some(Tensor::from_strings([1_000_000], strings)?),
                    ..Data::default()
                })
            }
            _ => Err(format!("what is case `{case}`?").into()),
        }
    }

    /// Names, and the values under each.
    fn tensors(&self) -> impl Iterator<Item = (&str, &[f32])> {
        let elements = (self.shape.elements() as usize).max(1);
        let names = self.names.iter().map(String::as_str);
        names.zip(self.numbers.chunks(elements))
    }

    fn measure(&self, command: &str, prefix: &Path, arguments: &[&str]) -> Result<String> {
        let (count, durability) = match *arguments {
            [count, "sync"] => (count.parse()?, Durability::Sync),
            [count, _] => (count.parse()?, Durability::None),
            _ => (1, Durability::None),
        };
        let writer = |threads| {
            let options = BundleWriter::options().threads(threads);
            options.durability(durability).create(prefix)
        };
        match command {
            "write" => {
                let start = Start::now()?;
                let mut bundle = writer(count)?;
                self.add_each(&mut bundle, 0, 1)?;
                bundle.finish()?;
                start.report(self.names.len())
            }
            "shards" => {
                let start = Start::now()?;
                let shards = thread::scope(|scope| {
                    let writer = &writer;
                    let threads: Vec<_> = (0..count)
                        .map(|i| {
                            scope.spawn(move || {
                                let mut bundle = writer(1)?;
                                self.add_each(&mut bundle, i, count)?;
                                Ok::<_, savedmodel::Error>(bundle)
                            })
                        })
                        .collect();
                    let finished = threads.into_iter().map(|thread| thread.join());
                    finished
                        .map(|shard| shard.expect("no thread panics"))
                        .collect::<savedmodel::Result<Vec<_>>>()
                })?;
                BundleWriter::finish_together(shards)?;
                start.report(self.names.len())
            }
            "stream" => {
                let start = Start::now()?;
                let mut bundle = writer(1)?;
                for (name, values) in self.tensors() {
                    let reader = Slow(bytes_of(values));
                    bundle.add_from_reader(name, DType::FLOAT, self.shape.clone(), reader)?;
                }
                bundle.finish()?;
                start.report(self.names.len())
            }
            "model" => {
                let start = Start::now()?;
                self.build_model(prefix, durability)?;
                start.report(self.names.len())
            }
            "merge" => {
                let parts = [0, 1].map(|i| prefix.with_file_name(format!("out_part{i}")));
                for (i, part) in parts.iter().enumerate() {
                    let options = BundleWriter::options().durability(Durability::None);
                    let mut bundle = options.create(part)?;
                    self.add_each(&mut bundle, i, 2)?;
                    bundle.finish()?;
                }
                let start = Start::now()?;
                let options = MergeOptions::default().durability(durability);
                merge_bundles(&parts, prefix, &options)?;
                start.report(self.names.len())
            }
            "safetensors" => {
                let start = Start::now()?;
                let dims: Vec<usize> = self.shape.dims().iter().map(|dim| *dim as usize).collect();
                let mut views = Vec::with_capacity(self.names.len());
                for (name, values) in self.tensors() {
                    views.push((
                        name,
                        SafeView::new(Dtype::F32, dims.clone(), bytes_of(values))?,
                    ));
                }
                safetensors_peer::serialize_to_file(views, None, prefix)?;
                start.report(self.names.len())
            }
            _ => Err(format!("what is `{command}`?").into()),
        }
    }

    /// Writes a model whose variables are the tensors, which come from readers.
    fn build_model(&self, directory: &Path, durability: Durability) -> savedmodel::Result<()> {
        let mut graph = GraphBuilder::new();
        let rows = PartialShape::new(&[None, Some(4096)])?;
        let x = graph.placeholder("x", DType::FLOAT, rows)?;
        let mut y = x.clone();
        for name in &self.names {
            let variable = graph.variable(name, DType::FLOAT, self.shape.clone())?;
            let kernel = graph.read(&variable)?;
            y = graph.matmul(&y, &kernel)?;
        }
        let signature = Signature::predict([("x", &x)], [("y", &y)])?;
        let meta_graph = MetaGraphBuilder::new(graph, ["serve"]);
        let meta_graph = meta_graph.signature("serving_default", signature);
        let values = self.tensors().map(|(name, values)| {
            let reader = Slow(bytes_of(values));
            let value = VariableValue::from_reader(DType::FLOAT, self.shape.clone(), reader);
            Ok((name, value?))
        });
        let values = values.collect::<savedmodel::Result<Vec<_>>>()?;
        let options = SavedModelBuilder::options().durability(durability);
        let mut builder = options.create(directory)?;
        builder.add_meta_graph_and_variables(meta_graph, values)?;
        builder.save().map(drop)
    }

    /// Adds every tensor whose number is `first` or a multiple of `step` more.
    fn add_each(
        &self,
        bundle: &mut BundleWriter,
        first: usize,
        step: usize,
    ) -> savedmodel::Result<()> {
        if let Some(strings) = &self.strings {
            return bundle.add(&self.names[0], strings);
        }
        for (name, values) in self.tensors().skip(first).step_by(step) {
            bundle.add(name, TensorView::from_slice(self.shape.clone(), values)?)?;
        }
        Ok(())
    }
}

/// Gives a MiB at most, as a pipe or a decoder does.
struct Slow<'b>(&'b [u8]);

impl Read for Slow<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let len = out.len().min(1 << 20);
        self.0.read(&mut out[..len])
    }
}

fn bytes_of(values: &[f32]) -> &[u8] {
    bytemuck::cast_slice(values)
}

fn next(x: &mut u64) -> u64 {
    *x ^= *x << 13;
    *x ^= *x >> 7;
    *x ^= *x << 17;
    *x
}

fn tiny_name(i: usize) -> String {
    format!(
        "model/block_{}/layer_with_weights-{}/kernel/.ATTRIBUTES/VARIABLE_VALUE",
        i / 100,
        i % 100
    )
}

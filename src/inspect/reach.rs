use super::program::Program;

/// How a function can come to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Reach {
    /// Nodes of the graph call it, or functions that they call: signatures lead to it.
    Graph,
    /// Objects do: after `tf.saved_model.load` it can be called from Python, and in no other way.
    Objects,
    /// It is the gradient of something that can run, and runs in training alone.
    Gradients,
    /// Nothing calls it.
    Nothing,
}

impl Reach {
    /// Returns the word for it, as it is serialized.
    pub fn name(self) -> &'static str {
        match self {
            Reach::Graph => "graph",
            Reach::Objects => "objects",
            Reach::Gradients => "gradients",
            Reach::Nothing => "nothing",
        }
    }

    /// Returns for each function how it can come to run; `from_objects` are those that objects hold.
    pub(super) fn of(
        program: &Program<'_>,
        from_objects: impl Iterator<Item = usize>,
    ) -> Vec<Reach> {
        let mut reach = vec![Reach::Nothing; program.functions.len()];
        let spread = |mark, mut open: Vec<usize>, reach: &mut [Reach]| {
            while let Some(function) = open.pop() {
                if reach[function] == Reach::Nothing {
                    reach[function] = mark;
                    let body = &program.functions[function].body;
                    open.extend(&body.calls);
                    if mark == Reach::Gradients {
                        open.extend(program.gradients.get(&function));
                        open.extend(&body.gradients);
                    }
                }
            }
        };
        spread(Reach::Graph, program.main.calls.clone(), &mut reach);
        spread(Reach::Objects, from_objects.collect(), &mut reach);
        let mut gradients = program.main.gradients.clone();
        for (function, reach) in reach.iter().enumerate() {
            if *reach != Reach::Nothing {
                gradients.extend(program.gradients.get(&function));
                gradients.extend(&program.functions[function].body.gradients);
            }
        }
        spread(Reach::Gradients, gradients, &mut reach);
        reach
    }
}

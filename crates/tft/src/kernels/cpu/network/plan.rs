//! Where every parameter lies in the flat buffer, and where what is made of it does.
//!
//! ```text
//!     parameters   the flat buffer, in the module's order
//!     exchanged    matrices that the way back multiplies by, rows and columns exchanged
//!     gradients    of parameters, without tables of categories: each at its `slot`; then those of what is derived (`derived`)
//! ```

use std::collections::HashMap;
use std::ops::Range;

use burn::tensor::backend::Backend;

use crate::model::{TemporalFusionTransformer, parameter_names};

/// A multiple of this many columns is what narrow matrices are padded to: the most lanes that a machine has.
pub(super) const LANES: usize = 16;

/// So many columns, padded.
pub(super) fn padded(columns: usize) -> usize {
    columns.next_multiple_of(LANES)
}

/// A parameter.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// In the flat buffer.
    pub at: usize,
    /// Among gradients.
    pub slot: usize,
}

impl Place {
    /// So many numbers later.
    pub fn after(self, numbers: usize) -> Self {
        Self {
            at: self.at + numbers,
            slot: self.slot + numbers,
        }
    }
}

/// A matrix that the way back multiplies by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Matrix {
    pub place: Place,
    pub rows: usize,
    pub columns: usize,
    /// Where it lies exchanged.
    pub exchanged: usize,
}

/// A matrix and a bias.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dense {
    pub weight: Matrix,
    pub bias: Place,
}

/// What `gated` works with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gated {
    pub second: Option<Dense>,
    pub gate: Dense,
    pub scale: Place,
    pub shift: Place,
}

/// A gated residual network with its first layer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Residual {
    pub first: Dense,
    pub context: Option<Matrix>,
    pub gated: Gated,
}

/// An LSTM.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lstm {
    pub input: Matrix,
    pub hidden: Matrix,
    pub bias: Place,
}

/// A variable selection and the embedding of its variables.
#[derive(Debug, Clone)]
pub(super) struct Selection {
    pub continuous: usize,
    /// Slopes and intercepts of the embedding: [continuous, width] each.
    pub slopes: Option<Place>,
    pub intercepts: Option<Place>,
    /// Start and rows of each categorical variable's table.
    pub tables: Vec<(usize, usize)>,
    /// [variables, width, width]
    pub first: Place,
    pub first_bias: Place,
    pub context: Option<Matrix>,
    pub second: Dense,
    /// [width, 2 · variables]
    pub gate: Place,
    pub gate_bias: Place,
    /// [variables, width, variables]
    pub skip: Place,
    pub skip_bias: Place,
    /// Scale and shift.
    pub norm: Option<[Place; 2]>,
    /// [variables, width, width] and [variables, width]
    pub own: Place,
    pub own_bias: Place,
    /// Of each variable.
    pub each: Vec<Gated>,
}

impl Selection {
    pub fn variables(&self) -> usize {
        self.continuous + self.tables.len()
    }
}

/// What is known of a window before its first step.
#[derive(Debug, Clone)]
pub(super) struct Fixed {
    pub selection: Selection,
    /// Selection, enrichment, hidden, cell.
    pub contexts: [Residual; 4],
}

/// The whole network.
#[derive(Debug, Clone)]
pub struct Plan {
    pub(super) width: usize,
    pub(super) heads: usize,
    pub(super) context: usize,
    pub(super) horizon: usize,
    /// Targets · outputs.
    pub(super) numbers: usize,
    pub(super) targets: usize,
    pub(super) dropout: f64,
    pub(super) fixed: Option<Fixed>,
    pub(super) past: Selection,
    pub(super) future: Option<Selection>,
    pub(super) recurrence: [Lstm; 2],
    pub(super) recurrence_gate: Gated,
    pub(super) enrichment: Residual,
    pub(super) query: Matrix,
    /// [width, width] and [width, width / heads]
    pub(super) key: Place,
    pub(super) value: Place,
    pub(super) attention_output: Matrix,
    pub(super) attention_gate: Gated,
    pub(super) position_wise: Residual,
    pub(super) output_gate: Gated,
    /// [width, numbers] and [numbers]
    pub(super) output: Place,
    pub(super) output_bias: Place,
    /// Numbers of the flat buffer.
    pub(super) parameters: usize,
    /// Numbers of `exchanged`.
    pub(super) exchanged: usize,
    /// Numbers of gradients, without those of what is derived.
    pub(super) slots: usize,
    /// What has slots: where in the flat buffer, and from which slot on.
    pub(super) stretches: Vec<(Range<usize>, usize)>,
}

/// Parameters by name.
struct Names {
    found: HashMap<String, (Place, Vec<usize>)>,
    exchanged: usize,
}

impl Names {
    fn place(&self, name: &str) -> Option<Place> {
        self.found.get(name).map(|(place, _)| *place)
    }
    fn matrix_at(&mut self, place: Place, rows: usize, columns: usize) -> Matrix {
        let exchanged = self.exchanged;
        self.exchanged += rows * columns;
        Matrix {
            place,
            rows,
            columns,
            exchanged,
        }
    }
    fn matrix(&mut self, name: &str) -> Option<Matrix> {
        let (place, shape) = self.found.get(name)?.clone();
        let [rows, columns] = *shape.as_slice() else {
            return None;
        };
        Some(self.matrix_at(place, rows, columns))
    }
    fn dense(&mut self, name: &str) -> Option<Dense> {
        Some(Dense {
            weight: self.matrix(&format!("{name}.weight"))?,
            bias: self.place(&format!("{name}.bias"))?,
        })
    }
    /// A gate with its norm; a layer before the gate, if there is one.
    fn gated(&mut self, name: &str) -> Option<Gated> {
        let second = format!("{name}.second");
        Some(Gated {
            second: self.dense(&second),
            gate: self.dense(&format!("{name}.gate"))?,
            scale: self.place(&format!("{name}.norm.scale"))?,
            shift: self.place(&format!("{name}.norm.shift"))?,
        })
    }
    fn residual(&mut self, name: &str) -> Option<Residual> {
        Some(Residual {
            first: self.dense(&format!("{name}.first"))?,
            context: self.matrix(&format!("{name}.context.weight")),
            gated: self.gated(name)?,
        })
    }
    fn lstm(&mut self, name: &str) -> Option<Lstm> {
        Some(Lstm {
            input: self.matrix(&format!("{name}.input"))?,
            hidden: self.matrix(&format!("{name}.hidden"))?,
            bias: self.place(&format!("{name}.bias"))?,
        })
    }
    /// Among the first so many continuous and categorical variables of an embedding.
    fn selection(
        &mut self,
        name: &str,
        embedding: &str,
        [continuous, categorical]: [usize; 2],
        width: usize,
    ) -> Option<Selection> {
        let variables = continuous + categorical;
        let table = |at: usize| {
            let (place, shape) = self.found.get(&format!("{embedding}.tables.{at}"))?;
            Some((place.at, *shape.first()?))
        };
        let tables = (0..categorical).map(table).collect::<Option<Vec<_>>>()?;
        let (second, second_bias) = (
            self.place(&format!("{name}.variables.second.weight"))?,
            self.place(&format!("{name}.variables.second.bias"))?,
        );
        let (gate, gate_bias) = (
            self.place(&format!("{name}.variables.gate.weight"))?,
            self.place(&format!("{name}.variables.gate.bias"))?,
        );
        let (scale, shift) = (
            self.place(&format!("{name}.variables.scale"))?,
            self.place(&format!("{name}.variables.shift"))?,
        );
        let each = (0..variables).map(|variable| {
            let square = variable * width * width;
            Gated {
                second: Some(Dense {
                    weight: self.matrix_at(second.after(square), width, width),
                    bias: second_bias.after(variable * width),
                }),
                gate: Dense {
                    weight: self.matrix_at(gate.after(2 * square), width, 2 * width),
                    bias: gate_bias.after(2 * variable * width),
                },
                scale: scale.after(variable * width),
                shift: shift.after(variable * width),
            }
        });
        let each = each.collect();
        let norm = [
            self.place(&format!("{name}.joint.norm.scale")),
            self.place(&format!("{name}.joint.norm.shift")),
        ];
        Some(Selection {
            continuous,
            slopes: self.place(&format!("{embedding}.slopes")),
            intercepts: self.place(&format!("{embedding}.intercepts")),
            tables,
            first: self.place(&format!("{name}.joint.first"))?,
            first_bias: self.place(&format!("{name}.joint.bias"))?,
            context: self.matrix(&format!("{name}.joint.context.weight")),
            second: self.dense(&format!("{name}.joint.second"))?,
            gate: self.place(&format!("{name}.joint.gate.weight"))?,
            gate_bias: self.place(&format!("{name}.joint.gate.bias"))?,
            skip: self.place(&format!("{name}.joint.skip"))?,
            skip_bias: self.place(&format!("{name}.joint.skip_bias"))?,
            norm: if let [Some(scale), Some(shift)] = norm {
                Some([scale, shift])
            } else {
                None
            },
            own: self.place(&format!("{name}.variables.first.weight"))?,
            own_bias: self.place(&format!("{name}.variables.first.bias"))?,
            each,
        })
    }
}

impl Plan {
    /// Of a network; `None`: its parameters are not those that are known here.
    #[must_use]
    pub fn new<B: Backend>(network: &TemporalFusionTransformer<B>) -> Option<Self> {
        let (mut found, mut stretches): (HashMap<_, _>, Vec<(Range<usize>, usize)>) = (HashMap::new(), Vec::new());
        let (mut at, mut slot) = (0, 0);
        for (name, shape) in parameter_names(network) {
            let length: usize = shape.iter().product();
            let is_table = name.contains("embedding.tables.");
            if !is_table {
                match stretches.last_mut().filter(|(range, _)| range.end == at) {
                    Some((range, _)) => range.end += length,
                    None => stretches.push((at..at + length, slot)),
                }
            }
            found.insert(name, (Place { at, slot }, shape));
            at += length;
            slot += if is_table { 0 } else { length };
        }
        let mut names = Names { found, exchanged: 0 };
        let (width, names) = (network.width, &mut names);
        let tables = |names: &Names, name: &str| {
            (0..)
                .take_while(|at| names.found.contains_key(&format!("{name}.{at}")))
                .count()
        };
        let continuous = |names: &Names, name: &str| {
            names
                .found
                .get(name)
                .and_then(|(_, shape)| shape.first().copied())
                .unwrap_or(0)
        };
        let fixed = match &network.fixed {
            None => None,
            Some(_) => {
                let count = [
                    continuous(names, "fixed.embedding.slopes"),
                    tables(names, "fixed.embedding.tables"),
                ];
                Some(Fixed {
                    selection: names.selection("fixed.selection", "fixed.embedding", count, width)?,
                    contexts: [
                        names.residual("fixed.contexts.selection")?,
                        names.residual("fixed.contexts.enrichment")?,
                        names.residual("fixed.contexts.hidden")?,
                        names.residual("fixed.contexts.cell")?,
                    ],
                })
            }
        };
        let past = [continuous(names, "embedding.slopes"), tables(names, "embedding.tables")];
        let known = [network.known_continuous, network.known_categorical];
        let future = match &network.future {
            None => None,
            Some(_) => Some(names.selection("future", "embedding", known, width)?),
        };
        let (_, output) = names.found.get("output.weight")?;
        let numbers = *output.get(1)?;
        Some(Self {
            width,
            heads: network.attention.heads,
            context: network.context,
            horizon: network.horizon,
            numbers,
            targets: network.targets,
            dropout: network.dropout,
            fixed,
            past: names.selection("past", "embedding", past, width)?,
            future,
            recurrence: [names.lstm("recurrence.encoder")?, names.lstm("recurrence.decoder")?],
            recurrence_gate: names.gated("recurrence_gate")?,
            enrichment: names.residual("enrichment")?,
            query: names.matrix("attention.query.weight")?,
            key: names.place("attention.key.weight")?,
            value: names.place("attention.value.weight")?,
            attention_output: names.matrix("attention.output.weight")?,
            attention_gate: names.gated("attention_gate")?,
            position_wise: names.residual("position_wise")?,
            output_gate: names.gated("output_gate")?,
            output: names.place("output.weight")?,
            output_bias: names.place("output.bias")?,
            parameters: at,
            exchanged: names.exchanged,
            slots: slot,
            stretches,
        })
    }
    /// Every matrix that the way back multiplies by.
    pub(super) fn matrices(&self) -> Vec<Matrix> {
        let gated = |gated: &Gated| {
            let second = gated.second.map(|second| second.weight);
            second.into_iter().chain([gated.gate.weight]).collect::<Vec<_>>()
        };
        let residual = |residual: &Residual| {
            let mut found = gated(&residual.gated);
            found.push(residual.first.weight);
            found.extend(residual.context);
            found
        };
        let selection = |selection: &Selection| {
            let mut found: Vec<_> = selection.each.iter().flat_map(gated).collect();
            found.push(selection.second.weight);
            found.extend(selection.context);
            found
        };
        let mut found = vec![self.query, self.attention_output];
        found.extend(self.recurrence.iter().flat_map(|lstm| [lstm.input, lstm.hidden]));
        found.extend(
            [self.recurrence_gate, self.attention_gate, self.output_gate]
                .iter()
                .flat_map(gated),
        );
        found.extend([self.enrichment, self.position_wise].iter().flat_map(residual));
        found.extend(selection(&self.past));
        found.extend(self.future.iter().flat_map(selection));
        if let Some(fixed) = &self.fixed {
            found.extend(selection(&fixed.selection));
            found.extend(fixed.contexts.iter().flat_map(residual));
        }
        found
    }
}

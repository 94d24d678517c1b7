//! A whole sequence of LSTM steps as one operation: an encoder's steps, then a decoder's with its own weights.
//!
//! ```text
//!     z = W xₜ + U hₜ₋₁ + b          gates i, f, g, o = σ, σ, tanh, σ of z's four quarters
//!     cₜ = f ⊙ cₜ₋₁ + i ⊙ g          hₜ = o ⊙ tanh(cₜ)
//! ```
//!
//! W x of all steps is one product; only U h is done step by step. Backward, one pass over the steps gives the gradient of every z, and
//! one product each gives those of W, U, x. Automatic differentiation of the same steps would write zeros of the whole sequence for
//! each slice: quadratic in the steps.
//!
//! Cost: 8·width² multiplications a row and step forward, twice that backward; memory 6·width numbers a row and step.
//! Awkward: at a step that is absent the state stays as it is, so that a padded series gives what the unpadded one gives.
//! Source: Hochreiter & Schmidhuber, *Long short-term memory*, 1997, with forget gates (Gers, Schmidhuber, Cummins, 2000); gates in
//! PyTorch's order.

use burn::backend::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{Tensor, TensorPrimitive};

use super::Kernels;
use super::residual::sigmoid;

/// The weights of one LSTM.
#[derive(Debug, Clone)]
pub struct LstmWeights<B: Backend> {
    /// W: [width, 4 · width]
    pub input: Tensor<B, 2>,
    /// U: [width, 4 · width]
    pub hidden: Tensor<B, 2>,
    /// b: [4 · width]
    pub bias: Tensor<B, 1>,
}

/// Everything that goes in.
#[derive(Debug, Clone)]
pub struct LstmInputs<B: Backend> {
    /// x: [batch, steps, width]
    pub input: Tensor<B, 3>,
    /// For the first `context` steps.
    pub encoder: LstmWeights<B>,
    /// For the steps after them.
    pub decoder: LstmWeights<B>,
    /// h before the first step: [batch, width]
    pub hidden: Tensor<B, 2>,
    /// c before the first step: [batch, width]
    pub cell: Tensor<B, 2>,
    /// [batch, steps]: 0 where the state stays as it is; without a gradient. `None`: it never does.
    pub steps_present: Option<Tensor<B, 2>>,
    /// Steps of the encoder.
    pub context: usize,
}

/// What the backward pass needs.
#[derive(Debug, Clone)]
pub struct LstmTrace<B: Backend> {
    /// h after each step: [batch, steps, width]
    pub hidden: Tensor<B, 3>,
    /// i, f, g, o: [batch, steps, 4 · width]
    pub gates: Tensor<B, 3>,
    /// c after each step, as if every step were present: [batch, steps, width]
    pub cells: Tensor<B, 3>,
    /// c before each step: [batch, steps, width]
    pub before: Tensor<B, 3>,
}

/// Gradients, of the shapes of what they are gradients of.
#[derive(Debug, Clone)]
pub struct LstmGradients<B: Backend> {
    /// Of x.
    pub input: Tensor<B, 3>,
    /// Of the encoder's weights.
    pub encoder: LstmWeights<B>,
    /// Of the decoder's weights.
    pub decoder: LstmWeights<B>,
    /// Of h before the first step.
    pub hidden: Tensor<B, 2>,
    /// Of c before the first step.
    pub cell: Tensor<B, 2>,
}

impl<B: Backend> LstmInputs<B> {
    /// The encoder's and the decoder's weights, with the steps that they are for; without those that have none.
    fn stretches(&self) -> Vec<(&LstmWeights<B>, usize, usize)> {
        let [_, steps, _] = self.input.dims();
        let context = self.context.min(steps);
        let both = [(&self.encoder, 0, context), (&self.decoder, context, steps - context)];
        both.into_iter().filter(|(_, _, length)| *length > 0).collect()
    }
    /// Whether a step is present: [batch, 1]; `None`: it is, everywhere.
    fn present(&self, step: usize) -> Option<Tensor<B, 2>> {
        let present = self.steps_present.as_ref()?;
        Some(present.clone().narrow(1, step, 1))
    }
}

/// One step of a sequence: [batch, steps, width] → [batch, width].
fn at<B: Backend>(sequence: &Tensor<B, 3>, step: usize) -> Tensor<B, 2> {
    let [batch, _, width] = sequence.dims();
    sequence.clone().narrow(1, step, 1).reshape([batch, width])
}

/// [batch, steps, inputs] × [inputs, outputs], as one product over all rows.
fn product<B: Backend>(sequence: Tensor<B, 3>, weight: Tensor<B, 2>) -> Tensor<B, 3> {
    let [batch, steps, inputs] = sequence.dims();
    let [_, outputs] = weight.dims();
    let rows = sequence.reshape([batch * steps, inputs]).matmul(weight);
    rows.reshape([batch, steps, outputs])
}

/// The state with which a step leaves those rows in which it is present, the old one elsewhere.
fn kept<B: Backend>(present: &Option<Tensor<B, 2>>, new: Tensor<B, 2>, old: Tensor<B, 2>) -> Tensor<B, 2> {
    match present {
        Some(present) => old.clone() + (new - old) * present.clone(),
        None => new,
    }
}

/// The forward pass in Burn's operations; `B` must not record a graph.
pub fn forward<B: Backend>(inputs: &LstmInputs<B>) -> LstmTrace<B> {
    let [_, _, width] = inputs.input.dims();
    let (mut hidden, mut cell) = (inputs.hidden.clone(), inputs.cell.clone());
    let (mut hiddens, mut gates, mut cells, mut before) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (weights, start, length) in inputs.stretches() {
        let input = inputs.input.clone().narrow(1, start, length);
        let ahead = product(input, weights.input.clone()) + weights.bias.clone().unsqueeze::<3>();
        for step in 0..length {
            let z = at(&ahead, step) + hidden.clone().matmul(weights.hidden.clone());
            let quarter = |number: usize| z.clone().narrow(1, number * width, width);
            let [i, f, o] = [0, 1, 3].map(|number| sigmoid(quarter(number)));
            let g = quarter(2).tanh();
            let present = inputs.present(start + step);
            let new = f.clone() * cell.clone() + i.clone() * g.clone();
            before.push(cell.clone());
            cells.push(new.clone());
            gates.push(Tensor::cat(vec![i, f, g, o.clone()], 1));
            hidden = kept(&present, o * new.clone().tanh(), hidden);
            cell = kept(&present, new, cell);
            hiddens.push(hidden.clone());
        }
    }
    LstmTrace {
        hidden: Tensor::stack(hiddens, 1),
        gates: Tensor::stack(gates, 1),
        cells: Tensor::stack(cells, 1),
        before: Tensor::stack(before, 1),
    }
}

/// The backward pass in Burn's operations; `B` must not record a graph.
pub fn backward<B: Backend>(inputs: &LstmInputs<B>, trace: &LstmTrace<B>, gradient: Tensor<B, 3>) -> LstmGradients<B> {
    let [batch, steps, width] = inputs.input.dims();
    let device = inputs.input.device();
    let mut of_hidden = Tensor::<B, 2>::zeros([batch, width], &device);
    let mut of_cell = of_hidden.clone();
    let mut of_z = Vec::with_capacity(steps);
    for (weights, start, length) in inputs.stretches().into_iter().rev() {
        let back = weights.hidden.clone().transpose();
        for step in (start..start + length).rev() {
            let gates = at(&trace.gates, step);
            let [i, f, g, o] = [0, 1, 2, 3].map(|number| gates.clone().narrow(1, number * width, width));
            let tanh = at(&trace.cells, step).tanh();
            let total = at(&gradient, step) + of_hidden;
            let present = inputs.present(step);
            let here = |gradient: &Tensor<B, 2>| match &present {
                Some(present) => gradient.clone() * present.clone(),
                None => gradient.clone(),
            };
            let (hidden, mut cell) = (here(&total), here(&of_cell));
            let (past_hidden, past_cell) = (total - hidden.clone(), of_cell - cell.clone());
            let of_o = hidden.clone() * tanh.clone();
            cell = cell + hidden * o.clone() * (tanh.clone() * tanh).neg().add_scalar(1.0);
            let of_i = cell.clone() * g.clone();
            let of_f = cell.clone() * at(&trace.before, step);
            let of_g = cell.clone() * i.clone();
            of_cell = cell * f.clone() + past_cell;
            let through_sigmoid = |gradient: Tensor<B, 2>, gate: Tensor<B, 2>| {
                let slope = gate.clone() - gate.clone() * gate;
                gradient * slope
            };
            let of_g = of_g * (g.clone() * g).neg().add_scalar(1.0);
            let parts = vec![
                through_sigmoid(of_i, i),
                through_sigmoid(of_f, f),
                of_g,
                through_sigmoid(of_o, o),
            ];
            let z = Tensor::cat(parts, 1);
            of_hidden = z.clone().matmul(back.clone()) + past_hidden;
            of_z.push(z);
        }
    }
    of_z.reverse();
    let of_z: Tensor<B, 3> = Tensor::stack(of_z, 1);

    // h before each step: the initial one, then those after the steps before.
    let first = inputs.hidden.clone().unsqueeze_dim::<3>(1);
    let hidden_before = Tensor::cat(vec![first, trace.hidden.clone()], 1).narrow(1, 0, steps);
    let rows = |sequence: &Tensor<B, 3>, start: usize, length: usize| {
        let [batch, _, width] = sequence.dims();
        sequence
            .clone()
            .narrow(1, start, length)
            .reshape([batch * length, width])
    };
    let [_, width_of_z] = inputs.encoder.input.dims();
    let zeros = LstmWeights {
        input: Tensor::zeros([width, width_of_z], &device),
        hidden: Tensor::zeros([width, width_of_z], &device),
        bias: Tensor::zeros([width_of_z], &device),
    };
    let of_weights = |start: usize, length: usize| {
        if length == 0 {
            return zeros.clone();
        }
        let z = rows(&of_z, start, length);
        LstmWeights {
            input: rows(&inputs.input, start, length).transpose().matmul(z.clone()),
            hidden: rows(&hidden_before, start, length).transpose().matmul(z.clone()),
            bias: z.sum_dim(0).reshape([width_of_z]),
        }
    };
    let context = inputs.context.min(steps);
    let of_input = |(weights, start, length): (&LstmWeights<B>, usize, usize)| {
        product(of_z.clone().narrow(1, start, length), weights.input.clone().transpose())
    };
    LstmGradients {
        input: Tensor::cat(inputs.stretches().into_iter().map(of_input).collect(), 1),
        encoder: of_weights(0, context),
        decoder: of_weights(context, steps - context),
        hidden: of_hidden,
        cell: of_cell,
    }
}

#[derive(Debug)]
struct Lstm;

#[derive(Debug, Clone)]
struct State<B: Backend> {
    inputs: LstmInputs<B>,
    trace: LstmTrace<B>,
}

impl<B: Kernels> Backward<B, 9> for Lstm {
    type State = State<B>;

    fn backward(self, ops: Ops<State<B>, 9>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let gradient = Tensor::from_primitive(TensorPrimitive::Float(grads.consume::<B>(&ops.node)));
        let State { inputs, trace } = ops.state;
        let of = B::lstm_backward(&inputs, &trace, gradient);
        let [input, ei, eh, eb, di, dh, db, hidden, cell] = ops.parents;
        let mut give = |parent: Option<_>, gradient: TensorPrimitive<B>| {
            if let Some(id) = parent {
                grads.register::<B>(id, gradient.tensor());
            }
        };
        give(input.map(|node| node.id), of.input.into_primitive());
        give(ei.map(|node| node.id), of.encoder.input.into_primitive());
        give(eh.map(|node| node.id), of.encoder.hidden.into_primitive());
        give(eb.map(|node| node.id), of.encoder.bias.into_primitive());
        give(di.map(|node| node.id), of.decoder.input.into_primitive());
        give(dh.map(|node| node.id), of.decoder.hidden.into_primitive());
        give(db.map(|node| node.id), of.decoder.bias.into_primitive());
        give(hidden.map(|node| node.id), of.hidden.into_primitive());
        give(cell.map(|node| node.id), of.cell.into_primitive());
    }
}

/// The operation as a node of the graph.
pub fn tracked<B: Kernels, C: CheckpointStrategy>(inputs: LstmInputs<Autodiff<B, C>>) -> Tensor<Autodiff<B, C>, 3> {
    let inner = LstmInputs {
        input: inputs.input.clone().inner(),
        encoder: inner(&inputs.encoder),
        decoder: inner(&inputs.decoder),
        hidden: inputs.hidden.clone().inner(),
        cell: inputs.cell.clone().inner(),
        steps_present: inputs.steps_present.map(Tensor::inner),
        context: inputs.context,
    };
    let LstmWeights {
        input: ei,
        hidden: eh,
        bias: eb,
    } = inputs.encoder;
    let LstmWeights {
        input: di,
        hidden: dh,
        bias: db,
    } = inputs.decoder;
    // Kept until the operation is in the graph: a node that nobody holds may be taken out of it.
    let tensors = [
        inputs.input.into_primitive(),
        ei.into_primitive(),
        eh.into_primitive(),
        eb.into_primitive(),
        di.into_primitive(),
        dh.into_primitive(),
        db.into_primitive(),
        inputs.hidden.into_primitive(),
        inputs.cell.into_primitive(),
    ]
    .map(TensorPrimitive::tensor);
    let nodes = tensors.each_ref().map(|tensor| tensor.node.clone());
    let output = match Lstm.prepare::<C>(nodes).compute_bound().stateful() {
        OpsKind::Tracked(prepared) => {
            let trace = B::lstm_forward(&inner);
            let hidden = trace.hidden.clone().into_primitive().tensor();
            prepared.finish(State { inputs: inner, trace }, hidden)
        }
        OpsKind::UnTracked(prepared) => prepared.finish(B::lstm(inner).into_primitive().tensor()),
    };
    drop(tensors);
    Tensor::from_primitive(TensorPrimitive::Float(output))
}

fn inner<B: AutodiffBackend>(weights: &LstmWeights<B>) -> LstmWeights<B::InnerBackend> {
    LstmWeights {
        input: weights.input.clone().inner(),
        hidden: weights.hidden.clone().inner(),
        bias: weights.bias.clone().inner(),
    }
}

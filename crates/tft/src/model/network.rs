//! The whole network (paper, figure 2).

use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use super::architecture::Architecture;
use super::attention::InterpretableAttention;
use super::columns::WindowTensors;
use super::contexts::StaticContexts;
use super::dropout::Pass;
use super::embedding::Embedding;
use super::gating::GateAddNorm;
use super::linear::Linear;
use super::parameters::Parameters;
use super::recurrence::{Recurrence, Start};
use super::residual::GatedResidual;
use super::selection::{Selectable, SelectionContext, VariableSelection};
use crate::TftError;
use crate::kernels::Kernels;

/// A Temporal Fusion Transformer.
#[derive(Module, Debug)]
pub struct TemporalFusionTransformer<B: Backend> {
    /// What there is of static variables; `None`: none.
    pub fixed: Option<Fixed<B>>,
    /// Vectors of the variables that change: known ones first, then observed ones.
    pub embedding: Embedding<B>,
    /// Among known and observed variables.
    pub past: VariableSelection<B>,
    /// Among known variables; `None`: nothing is known in advance, and the decoder starts from its state alone.
    pub future: Option<VariableSelection<B>>,
    /// What came just before.
    pub recurrence: Recurrence<B>,
    /// After the recurrence: one for context and horizon.
    pub recurrence_gate: GateAddNorm<B>,
    /// What is known of the window enters every step (section 4.5.2).
    pub enrichment: GatedResidual<B>,
    /// Which steps matter.
    pub attention: InterpretableAttention<B>,
    /// After attention.
    pub attention_gate: GateAddNorm<B>,
    /// At each step on its own (section 4.5.4).
    pub position_wise: GatedResidual<B>,
    /// Around attention and what follows it.
    pub output_gate: GateAddNorm<B>,
    /// width → targets · outputs
    pub output: Linear<B>,
    /// Known continuous variables.
    pub known_continuous: usize,
    /// Known categorical variables.
    pub known_categorical: usize,
    /// Steps looked back.
    pub context: usize,
    /// Steps looked ahead.
    pub horizon: usize,
    /// The hidden size.
    pub width: usize,
    /// Targets.
    pub targets: usize,
    /// The share dropped while training.
    pub dropout: f64,
}

/// What is learned of static variables.
#[derive(Module, Debug)]
pub struct Fixed<B: Backend> {
    /// Their vectors.
    pub embedding: Embedding<B>,
    /// Among them.
    pub selection: VariableSelection<B>,
    /// What is made of them.
    pub contexts: StaticContexts<B>,
}

/// A forecast and its explanation.
#[derive(Debug, Clone)]
pub struct Explained<B: Backend> {
    /// [batch, horizon, targets, outputs], in scaled units.
    pub forecast: Tensor<B, 4>,
    /// How much each static variable counted: [batch, variables]; `None`: there are none.
    pub fixed: Option<Tensor<B, 2>>,
    /// How much each known and observed variable counted: [batch, context, variables].
    pub past: Tensor<B, 3>,
    /// How much each known variable counted: [batch, horizon, variables]; `None`: there are none.
    pub future: Option<Tensor<B, 3>>,
    /// How much each step of the horizon attended to each step: [batch, horizon, context + horizon].
    pub attention: Tensor<B, 3>,
}

impl<B: Backend> TemporalFusionTransformer<B> {
    /// A network as drawn from a seed.
    ///
    /// # Errors
    /// `Architecture` for what cannot be built.
    pub fn new(architecture: &Architecture, seed: u64, device: &B::Device) -> Result<Self, TftError> {
        architecture.check()?;
        let (width, parameters) = (architecture.width, Parameters::new(seed, device));
        let is_fixed = !architecture.fixed.is_empty();
        let context = if is_fixed {
            SelectionContext::Window
        } else {
            SelectionContext::None
        };
        let past = architecture.past();
        let known = &architecture.known;
        let selection = |name: &str, variables| VariableSelection::new(&parameters.of(name), variables, width, context);
        let enrichment = parameters.of("enrichment");
        Ok(Self {
            fixed: is_fixed.then(|| Fixed::new(&parameters.of("fixed"), architecture)),
            embedding: Embedding::new(&parameters.of("embedding"), &past, width),
            past: selection("past", past.len()),
            future: (!known.is_empty()).then(|| selection("future", known.len())),
            recurrence: Recurrence::new(&parameters.of("recurrence"), width),
            recurrence_gate: GateAddNorm::new(&parameters.of("recurrence_gate"), width),
            enrichment: if is_fixed {
                GatedResidual::with_context(&enrichment, width)
            } else {
                GatedResidual::new(&enrichment, width)
            },
            attention: InterpretableAttention::new(&parameters.of("attention"), width, architecture.heads),
            attention_gate: GateAddNorm::new(&parameters.of("attention_gate"), width),
            position_wise: GatedResidual::new(&parameters.of("position_wise"), width),
            output_gate: GateAddNorm::new(&parameters.of("output_gate"), width),
            output: Linear::new(
                &parameters.of("output"),
                width,
                architecture.targets * architecture.outputs.len(),
            ),
            known_continuous: known.continuous.len(),
            known_categorical: known.categorical.len(),
            context: architecture.context,
            horizon: architecture.horizon,
            width,
            targets: architecture.targets,
            dropout: architecture.dropout,
        })
    }
}

impl<B: Backend> Fixed<B> {
    fn new(parameters: &Parameters<B>, architecture: &Architecture) -> Self {
        let (fixed, width) = (&architecture.fixed, architecture.width);
        let selection = parameters.of("selection");
        Self {
            embedding: Embedding::new(&parameters.of("embedding"), fixed, width),
            selection: VariableSelection::new(&selection, fixed.len(), width, SelectionContext::None),
            contexts: StaticContexts::new(&parameters.of("contexts"), width),
        }
    }
}

impl<B: Kernels> TemporalFusionTransformer<B> {
    /// Forecasts the windows of a batch.
    ///
    /// # Errors
    /// `Columns` for windows without the variables that the network was built for.
    pub fn forward(&self, windows: WindowTensors<B>, pass: Pass) -> Result<Explained<B>, TftError> {
        let (batch, dropout) = (windows.batch, self.dropout);
        let (contexts, fixed_weights) = match (&self.fixed, windows.fixed) {
            (Some(fixed), Some(columns)) => {
                let selectable = Selectable {
                    embedded: fixed.embedding.all(),
                    columns,
                    batch,
                    context: None,
                };
                let selected = fixed.selection.forward(selectable, dropout, pass.part(0));
                let selected = selected.ok_or(TftError::Columns { kind: "static" })?;
                let [_, _, variables] = selected.weights.dims();
                let contexts = fixed.contexts.forward(selected.output, dropout, pass.part(1));
                (Some(contexts), Some(selected.weights.reshape([batch, variables])))
            }
            (None, None) => (None, None),
            _ => return Err(TftError::Columns { kind: "static" }),
        };
        let context = contexts.as_ref().map(|contexts| &contexts.selection);

        let past = Selectable {
            embedded: self.embedding.all(),
            columns: windows.past,
            batch,
            context,
        };
        let past = self.past.forward(past, dropout, pass.part(2));
        let past = past.ok_or(TftError::Columns { kind: "past" })?;
        let device = past.output.device();
        let (selected, future_weights) = match (&self.future, windows.future) {
            (Some(selection), Some(columns)) => {
                let future = Selectable {
                    embedded: self.embedding.first(self.known_continuous, self.known_categorical),
                    columns,
                    batch,
                    context,
                };
                let future = selection.forward(future, dropout, pass.part(3));
                let future = future.ok_or(TftError::Columns { kind: "known" })?;
                (future.output, Some(future.weights))
            }
            (None, None) => (Tensor::zeros([batch, self.horizon, self.width], &device), None),
            _ => return Err(TftError::Columns { kind: "known" }),
        };

        let steps_present = windows.steps_present.map(|present| {
            let ahead = Tensor::ones([batch, self.horizon], &device);
            Tensor::cat(vec![present, ahead], 1)
        });
        let input = Tensor::cat(vec![past.output, selected], 1);
        let (forecast, attention) = self.decode(
            input,
            contexts.as_ref().map(|c| (&c.hidden, &c.cell, &c.enrichment)),
            steps_present,
            pass,
        );
        Ok(Explained {
            forecast,
            fixed: fixed_weights,
            past: past.weights,
            future: future_weights,
            attention,
        })
    }

    /// From what was selected, [batch, context + horizon, width], to forecasts and attention.
    fn decode(
        &self,
        input: Tensor<B, 3>,
        contexts: Option<(&Tensor<B, 2>, &Tensor<B, 2>, &Tensor<B, 2>)>,
        steps_present: Option<Tensor<B, 2>>,
        pass: Pass,
    ) -> (Tensor<B, 4>, Tensor<B, 3>) {
        let [batch, _, width] = input.dims();
        let dropout = self.dropout;
        let zeros = || Tensor::zeros([batch, width], &input.device());
        let start = Start {
            hidden: contexts.map_or_else(zeros, |(hidden, _, _)| hidden.clone()),
            cell: contexts.map_or_else(zeros, |(_, cell, _)| cell.clone()),
            steps_present: steps_present.clone(),
        };
        let recurrent = self.recurrence.forward(input.clone(), start, self.context);
        let local = self.recurrence_gate.forward(recurrent, input, dropout, pass.part(4));
        let enrichment = contexts.map(|(_, _, enrichment)| enrichment);
        let enriched = self
            .enrichment
            .forward(local.clone(), enrichment, dropout, pass.part(5));
        let attended = self.attention.forward(enriched.clone(), self.horizon, steps_present);

        // From here on, only the horizon.
        let ahead = |tensor: Tensor<B, 3>| tensor.narrow(1, self.context, self.horizon);
        let output = pass.part(6).dropout(attended.output, dropout);
        let attentive = self
            .attention_gate
            .forward(output, ahead(enriched), dropout, pass.part(7));
        let processed = self.position_wise.forward(attentive, None, dropout, pass.part(8));
        let gated = self.output_gate.forward(processed, ahead(local), 0.0, pass.part(9));
        let forecast = self.output.forward_steps(gated);
        let [_, _, numbers] = forecast.dims();
        let shape = [batch, self.horizon, self.targets, numbers / self.targets.max(1)];
        (forecast.reshape(shape), attended.weights)
    }
}

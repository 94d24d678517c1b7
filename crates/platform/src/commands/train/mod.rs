//! `platform train`: dataset, model, evaluation, gates, registration.

mod record;

use std::path::{Path, PathBuf};

use clap::Args;
use definitions::{DatasetRef, LearnerKind, Name, WallTime};
use evaluation::{GateReport, LeakFinding, add_leaks, check_gates};
use feature_store::dataset::{Arguments, Manifest};
use learning::{Control, TrainingMoment};
use registry::{IfUnchanged, NewRun, Registry, RunId};
use serde_json::json;

use crate::applied::{self, Fingerprinted, Wanted};
use crate::card::Origin;
use crate::failure::{Failure, Outcome, at_path};
use crate::progress::Progress;
use crate::repository::Repository;
use crate::screen::{self, Table};
use crate::training::{self, Lesson, RivalModel, Trained};
use crate::{Context, confusion, datasets, folds, forecasts, holder, interrupt, poison, software};

/// Train, evaluate, gate and register a model.
#[derive(Args)]
pub struct Train {
    /// The view: `cpu_fv:v2`, or `cpu_fv` for the newest version.
    #[arg(long)]
    view: Wanted,
    /// The number of an existing dataset of the view. [default: a dataset of the groups as they are now]
    #[arg(long, value_name = "N")]
    dataset: Option<u32>,
    /// The pipeline. [default: the one that trains on the view]
    #[arg(long, value_name = "NAME")]
    pipeline: Option<Name>,
    /// The learner, instead of the pipeline's: lightgbm, or, for a view with `[forecast]`, tft, dlinear or lightgbm.
    #[arg(long, value_name = "LEARNER")]
    learner: Option<String>,
    /// Go on where the same training was interrupted: for learner tft.
    #[arg(long)]
    resume: bool,
}

impl Train {
    /// Trains; a gate that says no leaves a run with its reasons, and no model.
    pub async fn run(self, context: &Context) -> Outcome {
        let repository = Repository::find(&context.start)?;
        let registry = repository.registry().await?;
        let view = applied::view(&registry, &self.view).await?.definition;
        let pipeline = applied::pipeline(&registry, self.pipeline.as_ref(), &view.reference()).await?;
        if pipeline.definition.view != view.reference() {
            let (name, trained_on) = (&pipeline.definition.name, &pipeline.definition.view);
            return Err(Failure::input(format!(
                "pipeline `{name}` trains on `{trained_on}`, not on `{}`",
                view.reference()
            ))
            .hint(format!("platform train --view {trained_on} --pipeline {name}")));
        }
        check_applied(&repository, &pipeline)?;
        let learner = learner_of(self.learner.as_deref(), pipeline.definition.train.learner)?;
        let dataset = match self.dataset {
            Some(number) => {
                registry
                    .dataset(&DatasetRef {
                        view: view.reference(),
                        number,
                    })
                    .await?
            }
            None => {
                let created = datasets::create(
                    &repository,
                    &registry,
                    &view,
                    Arguments::default(),
                    IfUnchanged::Reuse,
                    repository.means,
                )
                .await?
                .0;
                if !context.json {
                    super::dataset::say(&created)?;
                }
                created.dataset().clone()
            }
        };
        let manifest = datasets::recorded_manifest(&repository, &dataset)?;
        datasets::check_files(&repository, &dataset, &manifest)?;
        if let Some(lost) = training::lost_gap(&manifest) {
            screen::say(format!("warning: {lost}"));
        }
        let run = Attempt {
            context,
            repository: &repository,
            registry: &registry,
            pipeline: &pipeline,
            manifest: &manifest,
            learner: training::kind_of(learner, &manifest),
            progress: progress_of(
                &repository,
                &pipeline,
                &manifest,
                training::kind_of(learner, &manifest),
                self.resume,
            )?,
        };
        run.make(&dataset).await
    }
}

/// A pipeline's file that says something else than what was applied would be ignored in silence.
fn check_applied(repository: &Repository, pipeline: &Fingerprinted<definitions::Pipeline>) -> Outcome {
    let name = &pipeline.definition.name;
    let Ok(catalog) = repository.catalog() else {
        return Ok(());
    };
    let file = catalog.pipelines.iter().find(|parsed| parsed.definition.name == *name);
    match file.filter(|parsed| parsed.fingerprint != pipeline.fingerprint) {
        Some(parsed) => {
            let what = format!("pipeline `{name}` in `{}` is not what was applied", parsed.file);
            Err(Failure::input(what).hint("platform apply"))
        }
        None => Ok(()),
    }
}

fn learner_of(asked: Option<&str>, declared: LearnerKind) -> Outcome<LearnerKind> {
    let Some(asked) = asked else { return Ok(declared) };
    let parsed = asked.parse();
    parsed.map_err(|error: definitions::ReferenceError| {
        Failure::input(format!("learner `{asked}`: wanted {}", error.wanted)).hint("--learner lightgbm")
    })
}

/// Where a learner that takes long keeps how far it is, and where it goes on from.
#[derive(Clone, Default)]
struct Kept {
    checkpoint: Option<PathBuf>,
    resume: Option<PathBuf>,
}

fn progress_of(
    repository: &Repository,
    pipeline: &Fingerprinted<definitions::Pipeline>,
    manifest: &Manifest,
    learner: LearnerKind,
    resume: bool,
) -> Outcome<Kept> {
    if learner != LearnerKind::Tft {
        if resume {
            let what = format!(
                "--resume: learner `{}` is quick, and keeps nothing to go on from",
                learner.word()
            );
            return Err(Failure::input(what).hint("the same command without --resume"));
        }
        return Ok(Kept::default());
    }
    let folder = repository.storage.join("checkpoints");
    std::fs::create_dir_all(&folder).map_err(at_path(&folder))?;
    let name = format!(
        "{}-{}.safetensors",
        pipeline.definition.name,
        manifest.fingerprint.short()
    );
    let path = folder.join(name);
    if resume && !path.exists() {
        let what = format!(
            "--resume: there is no interrupted training in `{}`",
            repository.shown(&path)
        );
        return Err(Failure::input(what).hint("the same command without --resume"));
    }
    Ok(Kept {
        resume: resume.then(|| path.clone()),
        checkpoint: Some(path),
    })
}

/// One attempt to train.
struct Attempt<'a> {
    context: &'a Context,
    repository: &'a Repository,
    registry: &'a Registry,
    pipeline: &'a Fingerprinted<definitions::Pipeline>,
    manifest: &'a Manifest,
    learner: LearnerKind,
    progress: Kept,
}

impl Attempt<'_> {
    async fn make(&self, dataset: &registry::Dataset) -> Outcome {
        let pipeline = &self.pipeline.definition;
        let (parameters, software) = (
            training::model_parameters(pipeline, self.learner)?,
            software::versions(),
        );
        let rivals = training::load_rivals(self.repository, self.registry, pipeline, self.context.threads).await?;
        let new = NewRun {
            pipeline: pipeline.name.clone(),
            pipeline_fingerprint: self.pipeline.fingerprint,
            dataset: dataset.reference.clone(),
            learner: self.learner.word().to_owned(),
            seed: pipeline.seed,
            parameters: parameters.clone(),
            software: serde_json::to_value(&software)?,
            holder: holder::own(),
            started_at: WallTime::now(),
        };
        let run = self.registry.start_run(&new).await?;
        let origin = Origin {
            pipeline,
            pipeline_fingerprint: self.pipeline.fingerprint,
            manifest: self.manifest,
            dataset: dataset.reference.to_string(),
            parameters: &parameters,
            learner: self.learner,
            software: &software,
            at: WallTime::now(),
        };
        let done = self.learn_and_record(run, dataset, &rivals, &origin).await;
        if let Err(failure) = &done
            && !self.has_ended(run).await
        {
            self.registry.fail_run(run, &failure.message, WallTime::now()).await?;
        }
        done
    }

    async fn has_ended(&self, run: RunId) -> bool {
        self.registry
            .run(run)
            .await
            .is_ok_and(|details| details.run.finished_at.is_some())
    }

    async fn learn_and_record(
        &self,
        run: RunId,
        dataset: &registry::Dataset,
        rivals: &[RivalModel],
        origin: &Origin<'_>,
    ) -> Outcome {
        let folder = self.repository.storage.join(&dataset.path);
        let mut trained = fit(&Lesson {
            folder: &folder,
            manifest: self.manifest,
            pipeline: origin.pipeline,
            rivals,
            threads: self.context.threads,
            learner: self.learner,
            checkpoint: self.progress.checkpoint.clone(),
            resume: self.progress.resume.clone(),
            telemetry: (self.learner == LearnerKind::Tft)
                .then(|| self.repository.storage.join("telemetry").join(format!("run-{}", run.0))),
        })?;
        if let Some(path) = &self.progress.checkpoint {
            remove_checkpoints(path);
        }
        let poisoned = poison::poisoned_future(self.repository, self.manifest).await?;
        trained.leaks.push(poisoned);
        warn(&trained);
        let mut gates = check_gates(&origin.pipeline.gate, &trained.evaluation);
        add_leaks(&mut gates, origin.pipeline.gate.leaks, &trained.leaks);
        if !self.context.json {
            print_trained(run, self.learner, &trained, &gates)?;
        }
        if !gates.passed {
            self.registry
                .refuse_run(run, &record::evidence(&trained, &gates)?, None, WallTime::now())
                .await?;
            return self.refused(run, &trained, &gates);
        }
        let registered = record::register(self.repository, self.registry, run, origin, &trained, &gates).await?;
        if self.context.json {
            return screen::json(&json!({
                "run": run, "status": "registered", "model": registered.reference, "path": registered.path,
                "dataset": dataset.reference.to_string(), "evaluation": trained.evaluation, "gates": gates,
                "folds": trained.folds, "leaks": trained.leaks,
                "fit_seconds": trained.fit_time.as_secs_f64(),
            }));
        }
        let reference = &registered.reference;
        screen::line(format!("registered {reference}: every gate passed"))?;
        screen::line(format!(
            "next: platform registry alias set {}@champion {}",
            reference.name, reference.version
        ))
    }

    fn refused(&self, run: RunId, trained: &Trained, gates: &GateReport) -> Outcome {
        if self.context.json {
            screen::json(&json!({
                "run": run, "status": "refused", "model": null, "evaluation": trained.evaluation, "gates": gates,
                "folds": trained.folds, "leaks": trained.leaks,
            }))?;
        }
        let said: Vec<String> = gates.failures().map(ToString::to_string).collect();
        Err(Failure::input(format!("not registered: {}", said.join("; "))).hint(format!("platform run show {}", run.0)))
    }
}

/// It is done: there is nothing to go on with. Beside a learner's checkpoint lie those of its parts, which go too; those of its best epochs
/// were asked for, and stay. What cannot be removed is removed by `platform gc`.
fn remove_checkpoints(first: &Path) {
    let start = format!("{}.", first.file_stem().unwrap_or_default().to_string_lossy());
    let folder = first.parent().and_then(|folder| std::fs::read_dir(folder).ok());
    for entry in folder.into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with(&start) && !name.contains(".epoch-") {
            drop(std::fs::remove_file(entry.path()));
        }
    }
}

/// Trains, with progress.
pub fn fit(lesson: &Lesson<'_>) -> Outcome<Trained> {
    let progress = Progress::start("training", 0);
    let says_steps = lesson.kind() == LearnerKind::Tft;
    let mut note = String::new();
    let mut watch = |moment: TrainingMoment<'_>| {
        match moment {
            TrainingMoment::Step { step, of } => progress.at(step, of, &note),
            TrainingMoment::Iteration(report) => {
                let first = report.measured.first();
                let said = first
                    .map(|measured| format!("{} {} {}", measured.set, measured.metric, screen::value(measured.value)));
                note = said.unwrap_or_default();
                // Steps, where there are any, say more than iterations.
                if !says_steps {
                    progress.at(report.iteration as u64, report.of as u64, &note);
                }
            }
        }
        if interrupt::is_asked() {
            Control::Stop
        } else {
            Control::Continue
        }
    };
    let _listening = lesson.checkpoint.as_ref().map(|_| interrupt::listen());
    tokio::task::block_in_place(|| training::train(lesson, &mut watch))
}

/// What a reader of the metrics should know, and would not see in them.
fn warn(trained: &Trained) {
    for (part, left_out) in &trained.left_out {
        if left_out.of_unknown_class > 0 {
            let (rows, are) = match left_out.of_unknown_class {
                1 => ("1 row".to_owned(), "is"),
                many => (screen::things(many, "row"), "are"),
            };
            screen::say(format!(
                "warning: {rows} of {part} {are} of a class that the training part does not have, and in no metric"
            ));
        }
    }
    for warning in &trained.warnings {
        screen::say(format!("warning: {warning}"));
    }
    if trained.is_blind {
        screen::say(
            "warning: there is no labelled validation part, so `early_stopping` has nothing to go by: every round was grown and kept",
        );
    }
}

/// How many leak tests there were, and everything that they found.
fn print_leaks(trained: &Trained) -> Outcome {
    let of = |finding| trained.leaks.iter().filter(move |check| check.finding == finding);
    let (nothing, skipped) = (of(LeakFinding::Nothing).count(), of(LeakFinding::NotApplicable).count());
    let skipped = match skipped {
        1 => "1 does not apply".to_owned(),
        many => format!("{many} do not apply"),
    };
    screen::line(format!("leak tests: {nothing} found nothing, {skipped}"))?;
    let mut found = of(LeakFinding::Leak).chain(of(LeakFinding::Suspicion));
    found.try_for_each(|check| screen::line(format!("  {check}")))
}

fn print_trained(run: RunId, learner: LearnerKind, trained: &Trained, gates: &GateReport) -> Outcome {
    let rows = if trained.explanation.is_some() { "window" } else { "row" };
    let rounds = match learner {
        LearnerKind::Lightgbm | LearnerKind::Auto => "round",
        LearnerKind::Tft => "epoch",
        LearnerKind::Dlinear => "target",
    };
    screen::line(format!(
        "trained {} on {}: {}, the best is {}, fit {:.2} s",
        learner.word(),
        screen::things(trained.train_rows, rows),
        screen::things(trained.history.len(), rounds),
        trained.best_iteration,
        trained.fit_time.as_secs_f64()
    ))?;
    if trained.explanation.is_some() {
        print_forecasts(trained)?;
    } else {
        print_rows(trained)?;
    }
    if let Some(report) = &trained.folds {
        folds::print(&serde_json::to_value(report)?)?;
        screen::line("the model is that of the last fold")?;
    }
    let judged = trained.evaluation.gated_part();
    if let Some((part, matrix)) = judged.and_then(|part| Some((&part.part, part.confusion.as_ref()?))) {
        confusion::print(part, matrix, run.0)?;
    }
    print_leaks(trained)?;
    for check in &gates.checks {
        screen::line(format!("{} {check}", if check.passed { "passed" } else { "FAILED" }))?;
    }
    Ok(())
}

/// Everybody's scores of each part.
fn print_rows(trained: &Trained) -> Outcome {
    let mut table = Table::new(&["part", "subject", "rows", "metric", "value"]);
    for part in &trained.evaluation.parts {
        let model = part.model.iter().map(|score| ("model".to_owned(), part.rows, score));
        let rivals = part.rivals.iter().flat_map(|rival| {
            rival
                .scores
                .iter()
                .map(|score| (evaluation::name_of(&rival.rival), rival.rows, score))
        });
        for (subject, rows, score) in model.chain(rivals) {
            let value = screen::optional_value(score.value);
            table.row([
                part.part.clone(),
                subject,
                screen::count(rows),
                score.metric.to_string(),
                value,
            ]);
        }
    }
    table.print()
}

/// How good forecasts are, and what they rest on.
fn print_forecasts(trained: &Trained) -> Outcome {
    for part in &trained.evaluation.parts {
        if let Some(forecast) = &part.forecast {
            forecasts::print(&part.part, forecast)?;
        }
    }
    trained.explanation.as_ref().map_or(Ok(()), forecasts::explain)
}

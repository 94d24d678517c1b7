//! A booster inside LightGBM: trees, and the datasets they are trained on.

use std::ffi::{CStr, c_char};
use std::ptr;
use std::sync::Arc;

use learning::Matrix;
use lightgbm3_sys as ffi;

use super::dataset::Loan;
use super::{Dataset, c_string, call, count, size};
use crate::TreesError;

/// What is predicted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PredictKind {
    /// Values, or probabilities.
    Normal,
    /// Scores before the objective's transformation.
    Raw,
    /// SHAP values.
    Contributions,
}

impl PredictKind {
    fn code(self) -> i32 {
        let code = match self {
            Self::Normal => ffi::C_API_PREDICT_NORMAL,
            Self::Raw => ffi::C_API_PREDICT_RAW_SCORE,
            Self::Contributions => ffi::C_API_PREDICT_CONTRIB,
        };
        i32::try_from(code).unwrap_or_default()
    }
}

/// A booster. It holds its datasets, because LightGBM's booster points into them.
#[derive(Debug)]
pub(crate) struct Booster {
    handle: ffi::BoosterHandle,
    _train: Option<Arc<Dataset>>,
    evaluations: Vec<Arc<Dataset>>,
}

// SAFETY: a handle is a pointer to memory that any one thread at a time may use; LightGBM keeps nothing of it per thread.
unsafe impl Send for Booster {}

impl Booster {
    /// A booster without trees.
    pub(crate) fn new(train: &Arc<Dataset>, parameters: &str) -> Result<Self, TreesError> {
        let parameters = c_string(parameters)?;
        let mut handle = ptr::null_mut();
        // SAFETY: valid pointers; the dataset is kept alive by the booster.
        call("accept the parameters", || unsafe {
            ffi::LGBM_BoosterCreate(train.handle(), parameters.as_ptr(), &raw mut handle)
        })?;
        Ok(Self {
            handle,
            _train: Some(train.clone()),
            evaluations: Vec::new(),
        })
    }

    /// A booster from the text of a model file.
    pub(crate) fn from_text(text: &str) -> Result<Self, TreesError> {
        let (text, mut iterations, mut handle) = (c_string(text)?, 0, ptr::null_mut());
        // SAFETY: valid pointers; LightGBM copies the text.
        call("read the model", || unsafe {
            ffi::LGBM_BoosterLoadModelFromString(text.as_ptr(), &raw mut iterations, &raw mut handle)
        })?;
        Ok(Self {
            handle,
            _train: None,
            evaluations: Vec::new(),
        })
    }

    /// Adds a set to be measured after every iteration.
    pub(crate) fn add_evaluation(&mut self, dataset: &Arc<Dataset>) -> Result<(), TreesError> {
        // SAFETY: both handles are alive, and the dataset is kept so.
        call("take an evaluation set", || unsafe {
            ffi::LGBM_BoosterAddValidData(self.handle, dataset.handle())
        })?;
        self.evaluations.push(dataset.clone());
        Ok(())
    }

    /// Grows the next trees; says whether there was nothing left to grow.
    pub(crate) fn grow(&mut self) -> Result<bool, TreesError> {
        let mut finished = 0;
        // SAFETY: valid pointers, datasets alive.
        call("grow a tree", || unsafe {
            ffi::LGBM_BoosterUpdateOneIter(self.handle, &raw mut finished)
        })?;
        Ok(finished != 0)
    }

    /// Puts the trees of another booster before its own.
    pub(crate) fn merge_before(&mut self, first: &Self) -> Result<(), TreesError> {
        // SAFETY: two valid handles; LightGBM copies the trees.
        call("merge two models", || unsafe {
            ffi::LGBM_BoosterMerge(self.handle, first.handle)
        })
    }

    /// The names of what is measured.
    pub(crate) fn metric_names(&self) -> Result<Vec<String>, TreesError> {
        let mut length = 0;
        // SAFETY: valid pointers.
        call("count its metrics", || unsafe {
            ffi::LGBM_BoosterGetEvalCounts(self.handle, &raw mut length)
        })?;
        const LONGEST: usize = 256;
        let mut buffers = vec![[0 as c_char; LONGEST]; size(length)];
        let mut pointers: Vec<*mut c_char> = buffers.iter_mut().map(|buffer| buffer.as_mut_ptr()).collect();
        let (mut written, mut needed) = (0, 0);
        // SAFETY: `length` buffers of `LONGEST` bytes each; LightGBM writes no more than it is told.
        call("name its metrics", || unsafe {
            ffi::LGBM_BoosterGetEvalNames(
                self.handle,
                length,
                &raw mut written,
                LONGEST,
                &raw mut needed,
                pointers.as_mut_ptr(),
            )
        })?;
        // SAFETY: LightGBM ended each with a zero byte.
        let name = |buffer: &[c_char; LONGEST]| {
            unsafe { CStr::from_ptr(buffer.as_ptr()) }
                .to_string_lossy()
                .into_owned()
        };
        Ok(buffers.iter().take(size(written)).map(name).collect())
    }

    /// The metrics of one set: 0 is the training set, then the evaluation sets in order.
    pub(crate) fn measure(&self, set: usize, metrics: usize) -> Result<Vec<f64>, TreesError> {
        let (mut values, mut written) = (vec![0.0; metrics], 0);
        let set = count("evaluation sets", set)?;
        // SAFETY: room for every metric, as counted by `metric_names`.
        call("measure itself", || unsafe {
            ffi::LGBM_BoosterGetEval(self.handle, set, &raw mut written, values.as_mut_ptr())
        })?;
        values.truncate(size(written));
        Ok(values)
    }

    /// Iterations grown.
    pub(crate) fn iterations(&self) -> Result<usize, TreesError> {
        self.number("count its trees", ffi::LGBM_BoosterGetCurrentIteration)
    }

    /// Features it takes.
    pub(crate) fn features(&self) -> Result<usize, TreesError> {
        self.number("count its features", ffi::LGBM_BoosterGetNumFeature)
    }

    /// Outputs: classes where there are more than two, else one.
    pub(crate) fn outputs(&self) -> Result<usize, TreesError> {
        self.number("count its classes", ffi::LGBM_BoosterGetNumClasses)
    }

    fn number(
        &self,
        doing: &'static str,
        ask: unsafe extern "C" fn(ffi::BoosterHandle, *mut i32) -> i32,
    ) -> Result<usize, TreesError> {
        let mut number = 0;
        // SAFETY: each of the callers' functions writes one number.
        call(doing, || unsafe { ask(self.handle, &raw mut number) })?;
        Ok(size(number))
    }

    /// Predictions, row by row; for contributions, outputs × (features + 1) values a row.
    pub(crate) fn predict(&self, matrix: &Matrix, kind: PredictKind) -> Result<Vec<f64>, TreesError> {
        let (wanted, found) = (self.features()?, matrix.schema().fields().len());
        if wanted != found {
            return Err(TreesError::Features { wanted, found });
        }
        let rows = count("rows", matrix.rows())?;
        if rows == 0 {
            return Ok(Vec::new());
        }
        let mut length = 0;
        // SAFETY: valid pointers.
        call("count its predictions", || unsafe {
            ffi::LGBM_BoosterCalcNumPredict(self.handle, rows, kind.code(), 0, -1, &raw mut length)
        })?;
        let mut values = vec![0.0; usize::try_from(length).unwrap_or(0)];
        let (mut loan, mut written) = (Loan::new(matrix)?, 0);
        // SAFETY: room for as many predictions as LightGBM said; the Arrow structs are released as in `Dataset::new`.
        call("predict", || unsafe {
            ffi::LGBM_BoosterPredictForArrow(
                self.handle,
                loan.len(),
                loan.chunks(),
                loan.schema(),
                kind.code(),
                0,
                -1,
                c"verbosity=-1".as_ptr(),
                &raw mut written,
                values.as_mut_ptr(),
            )
        })?;
        values.truncate(usize::try_from(written).unwrap_or(0));
        Ok(values)
    }

    /// Each feature's total gain, or how often it is split on.
    pub(crate) fn importance(&self, by_gain: bool) -> Result<Vec<f64>, TreesError> {
        let kind = if by_gain {
            ffi::C_API_FEATURE_IMPORTANCE_GAIN
        } else {
            ffi::C_API_FEATURE_IMPORTANCE_SPLIT
        };
        let mut values = vec![0.0; self.features()?];
        // SAFETY: room for one value a feature.
        let kind = i32::try_from(kind).unwrap_or_default();
        call("weigh its features", || unsafe {
            ffi::LGBM_BoosterFeatureImportance(self.handle, -1, kind, values.as_mut_ptr())
        })?;
        Ok(values)
    }

    /// The model file's text, with the first so many iterations.
    pub(crate) fn text(&self, iterations: usize) -> Result<String, TreesError> {
        let iterations = count("iterations", iterations)?;
        let mut needed = 0;
        let mut buffer: Vec<u8> = Vec::new();
        for _ in 0..2 {
            let room = i64::try_from(buffer.len()).unwrap_or(0);
            // SAFETY: LightGBM writes no more than `room` bytes, and says how many it needs.
            call("write the model", || unsafe {
                ffi::LGBM_BoosterSaveModelToString(
                    self.handle,
                    0,
                    iterations,
                    i32::try_from(ffi::C_API_FEATURE_IMPORTANCE_GAIN).unwrap_or_default(),
                    room,
                    &raw mut needed,
                    buffer.as_mut_ptr().cast(),
                )
            })?;
            let length = usize::try_from(needed).unwrap_or(0);
            if length <= buffer.len() {
                buffer.truncate(length.saturating_sub(1));
                break;
            }
            buffer = vec![0; length];
        }
        String::from_utf8(buffer).map_err(|error| TreesError::LightGbm {
            doing: "write the model",
            said: error.to_string(),
        })
    }
}

impl Drop for Booster {
    fn drop(&mut self) {
        // SAFETY: the handle came from LightGBM and is freed once, before the datasets it points into.
        unsafe { ffi::LGBM_BoosterFree(self.handle) };
    }
}

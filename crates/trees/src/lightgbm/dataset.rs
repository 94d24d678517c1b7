//! A dataset inside LightGBM: binned features and their labels.

use std::ffi::{CString, c_char, c_void};
use std::ptr;
use std::sync::Arc;

use arrow::array::{Array, StructArray};
use arrow::ffi::{FFI_ArrowArray, FFI_ArrowSchema, to_ffi};
use learning::{Labelled, Matrix};
use lightgbm3_sys as ffi;

use super::{c_string, call, count};
use crate::TreesError;

/// A matrix on loan to C: the batches are not copied, only counted as used until both structs are released.
pub(super) struct Loan {
    chunks: Vec<FFI_ArrowArray>,
    schema: FFI_ArrowSchema,
}

impl Loan {
    pub(super) fn new(matrix: &Matrix) -> Result<Self, TreesError> {
        let schema = FFI_ArrowSchema::try_from(matrix.schema().as_ref())?;
        let filled = matrix.batches().iter().filter(|batch| batch.num_rows() > 0);
        let chunks = filled.map(|batch| {
            let (array, _) = to_ffi(&StructArray::from(batch.clone()).into_data())?;
            Ok(array)
        });
        Ok(Self {
            chunks: chunks.collect::<Result<_, TreesError>>()?,
            schema,
        })
    }
    pub(super) fn len(&self) -> i64 {
        i64::try_from(self.chunks.len()).unwrap_or(i64::MAX)
    }
    /// Both structs have the layout of the C data interface, on either side of the border.
    pub(super) fn chunks(&mut self) -> *const ffi::ArrowArray {
        self.chunks.as_mut_ptr().cast()
    }
    pub(super) fn schema(&mut self) -> *const ffi::ArrowSchema {
        ptr::from_mut(&mut self.schema).cast()
    }
}

/// What a dataset is made with besides its rows.
pub(crate) struct DatasetOptions<'a> {
    /// Parameters, as LightGBM writes them.
    pub(crate) parameters: &'a str,
    /// The dataset whose bins to use; `None`: it makes its own.
    pub(crate) reference: Option<&'a Arc<Dataset>>,
    /// One start score a row and output; `None`: LightGBM's own.
    pub(crate) init_score: Option<&'a [f64]>,
}

/// A dataset inside LightGBM.
#[derive(Debug)]
pub(crate) struct Dataset {
    handle: ffi::DatasetHandle,
    /// Bins are shared with the dataset they came from.
    _reference: Option<Arc<Dataset>>,
}

// SAFETY: a handle is a pointer to memory that any thread may use and free; LightGBM keeps nothing of it per thread. A dataset is
// never changed after `new`, and a booster reads it under its own lock.
unsafe impl Send for Dataset {}
// SAFETY: as above: there is no method that changes it.
unsafe impl Sync for Dataset {}

impl Dataset {
    /// Bins a matrix. Its memory is read where it lies, and is the caller's again afterwards.
    pub(crate) fn new(data: &Labelled, options: &DatasetOptions<'_>) -> Result<Arc<Self>, TreesError> {
        let (rows, labels) = (data.matrix.rows(), data.labels.len());
        match (rows, data.matrix.schema().fields().len()) {
            (0, _) => return Err(TreesError::NoRows),
            // LightGBM would read the first of no columns.
            (_, 0) => return Err(TreesError::NoFeatures),
            _ if rows != labels => return Err(TreesError::Labels { rows, labels }),
            _ => count("rows", rows)?,
        };
        let parameters = c_string(options.parameters)?;
        let reference = options.reference.map_or(ptr::null_mut(), |dataset| dataset.handle);
        let mut loan = Loan::new(&data.matrix)?;
        let mut handle = ptr::null_mut();
        // SAFETY: the pointers are valid for the call; LightGBM releases the Arrow structs before it returns, or leaves them to `loan`.
        call("read the table", || unsafe {
            ffi::LGBM_DatasetCreateFromArrow(
                loan.len(),
                loan.chunks(),
                loan.schema(),
                parameters.as_ptr(),
                reference,
                &raw mut handle,
            )
        })?;
        let dataset = Self {
            handle,
            _reference: options.reference.cloned(),
        };
        dataset.set_labels(&data.labels)?;
        if let Some(scores) = options.init_score {
            dataset.set_field("init_score", scores, ffi::C_API_DTYPE_FLOAT64)?;
        }
        if options.reference.is_none() {
            dataset.set_names(&data.matrix.feature_names())?;
        }
        Ok(Arc::new(dataset))
    }

    pub(super) fn handle(&self) -> ffi::DatasetHandle {
        self.handle
    }

    #[expect(clippy::cast_possible_truncation, reason = "LightGBM keeps labels as 32-bit floats")]
    fn set_labels(&self, labels: &[f64]) -> Result<(), TreesError> {
        let labels: Vec<f32> = labels.iter().map(|label| *label as f32).collect();
        self.set_field("label", &labels, ffi::C_API_DTYPE_FLOAT32)
    }

    /// `kind` must be the type of `values`.
    fn set_field<T>(&self, field: &str, values: &[T], kind: u32) -> Result<(), TreesError> {
        let (field, length) = (c_string(field)?, count("labels", values.len())?);
        let kind = i32::try_from(kind).unwrap_or_default();
        // SAFETY: LightGBM copies `length` values of the type that `kind` names; both callers name the type they pass.
        call("take the labels", || unsafe {
            let data: *const c_void = values.as_ptr().cast();
            ffi::LGBM_DatasetSetField(self.handle, field.as_ptr(), data, length, kind)
        })
    }

    fn set_names(&self, names: &[String]) -> Result<(), TreesError> {
        let length = count("columns", names.len())?;
        let names: Vec<CString> = names.iter().map(|name| c_string(name)).collect::<Result<_, _>>()?;
        let mut pointers: Vec<*const c_char> = names.iter().map(|name| name.as_ptr()).collect();
        // SAFETY: `length` C strings that live until the call returns; LightGBM copies them.
        call("take the column names", || unsafe {
            ffi::LGBM_DatasetSetFeatureNames(self.handle, pointers.as_mut_ptr(), length)
        })
    }
}

impl Drop for Dataset {
    fn drop(&mut self) {
        // SAFETY: the handle came from LightGBM and is freed once. A failure to free cannot be mended here.
        unsafe { ffi::LGBM_DatasetFree(self.handle) };
    }
}

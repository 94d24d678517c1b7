//! One file per command; each holds its arguments and a `run`.

pub mod apply;
pub mod dataset;
pub mod doctor;
pub mod featuregroup;
pub mod featureview;
pub mod gc;
pub mod init;
pub mod model;
pub mod plan;
pub mod predict;
pub mod query;
pub mod registry;
pub mod reproduce;
pub mod run;
pub mod simulate;
pub mod train;

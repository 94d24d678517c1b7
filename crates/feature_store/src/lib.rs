//! feature_store

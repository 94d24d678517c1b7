//! The names that a mistyped or half-typed one may have meant.

use definitions::nearest;

/// Up to three candidates that begin as `wanted` does, or that it begins as; where there are none, the one that is nearest.
pub(crate) fn near(wanted: &str, candidates: &[String]) -> Vec<String> {
    let begins_alike = |candidate: &&String| candidate.starts_with(wanted) || wanted.starts_with(candidate.as_str());
    let mut near: Vec<String> = candidates.iter().filter(begins_alike).take(3).cloned().collect();
    if near.is_empty() {
        near.extend(nearest(wanted, candidates.iter().map(String::as_str)).map(str::to_owned));
    }
    near
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistyped_name_finds_its_neighbour_and_no_stranger() {
        let names = ["cpu_forecaster", "cpu_forecaster_eu", "disk_model"].map(str::to_owned);
        assert_eq!(near("cpu_forcaster", &names), ["cpu_forecaster"]);
        assert_eq!(near("cpu", &names), ["cpu_forecaster", "cpu_forecaster_eu"]);
        assert_eq!(near("disk_model_v2", &names), ["disk_model"]);
        assert!(near("latency", &names).is_empty());
    }
}

//! An amount of memory, as people write it: `512MB`, `2GB`, `1.5GiB`.

use std::str::FromStr;

/// Bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory(pub u64);

/// Less than this, and nothing can be done.
const LEAST: u64 = 64 << 20;

/// The units, longest first, so that each is found whole.
const UNITS: [(&str, u64); 7] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("kB", 1_000),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
];

impl FromStr for Memory {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wanted = "wanted a number and `MB`, `GB`, `MiB` or `GiB`, such as `512MB`";
        let text = text.trim();
        let unit = UNITS.into_iter().find(|(name, _)| text.ends_with(name));
        let (name, size) = unit.ok_or_else(|| wanted.to_owned())?;
        let number = text.strip_suffix(name).unwrap_or(text).trim();
        let number: f64 = number.parse().map_err(|_| wanted.to_owned())?;
        if !number.is_finite() || number < 0.0 {
            return Err(wanted.to_owned());
        }
        let bytes = (number * size as f64) as u64;
        if bytes < LEAST {
            return Err(format!(
                "too little to work with: wanted at least 64MiB, found {bytes} bytes"
            ));
        }
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::Memory;

    #[test]
    fn amounts_are_read_with_their_units() {
        let bytes = |text: &str| text.parse::<Memory>().map(|memory| memory.0);
        assert_eq!(bytes("512MB"), Ok(512_000_000));
        assert_eq!(bytes("2 GiB"), Ok(2 << 30));
        assert_eq!(bytes("1.5GB"), Ok(1_500_000_000));
        for wrong in ["", "512", "MB", "-1GB", "lots", "NaNGB", "1e400GB", "1kB", "2TB"] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
    }
}

//! A sine of additions and multiplications alone, so that it is the same on every machine.

/// `sin(2 π turns)`, within 0.0011 of it: Bhaskara's parabola, improved by its own square.
pub(crate) fn wave(turns: f64) -> f64 {
    let phase = turns - turns.floor();
    let centred = if phase < 0.5 { phase } else { phase - 1.0 };
    let parabola = 8.0 * centred - 16.0 * centred * centred.abs();
    0.225 * (parabola * parabola.abs() - parabola) + parabola
}

/// Three decimals, as a monitoring agent would print them.
pub(crate) fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_sine() {
        for step in -1000..2000 {
            let turns = f64::from(step) / 700.0;
            assert!(
                (wave(turns) - (std::f64::consts::TAU * turns).sin()).abs() < 0.0012,
                "{turns}"
            );
        }
    }
}

//! A curve as a picture in PNG: a frame, and straight lines from point to point. No text: the tag says what it is.
//!
//! The file is not compressed (blocks of deflate that are stored as they are). Source: PNG (RFC 2083), zlib (RFC 1950).

pub(super) const WIDTH: usize = 480;
pub(super) const HEIGHT: usize = 320;
const MARGIN: usize = 12;

/// Points, from left to right.
#[derive(Debug, Clone, Copy)]
pub struct Curve<'a> {
    /// Across.
    pub across: &'a [f64],
    /// Up, as many; what is not finite is left out.
    pub up: &'a [f64],
}

impl Curve<'_> {
    /// The picture's file.
    pub(super) fn png(&self) -> Vec<u8> {
        let mut pixels = vec![255_u8; WIDTH * HEIGHT];
        let mut dot = |x: usize, y: usize, shade: u8| {
            if let (true, Some(pixel)) = (x < WIDTH, pixels.get_mut(y * WIDTH + x)) {
                *pixel = shade;
            }
        };
        for x in MARGIN..WIDTH - MARGIN {
            dot(x, HEIGHT - MARGIN, 160);
        }
        for y in MARGIN..HEIGHT - MARGIN {
            dot(MARGIN, y, 160);
        }
        let points: Vec<(f64, f64)> = self
            .across
            .iter()
            .copied()
            .zip(self.up.iter().copied())
            .filter(|(x, y)| x.is_finite() && y.is_finite())
            .collect();
        let range = |of: fn(&(f64, f64)) -> f64| {
            let least = points.iter().map(of).fold(f64::INFINITY, f64::min);
            let most = points.iter().map(of).fold(f64::NEG_INFINITY, f64::max);
            (least, (most - least).max(f64::MIN_POSITIVE))
        };
        let ((left, wide), (low, high)) = (range(|point| point.0), range(|point| point.1));
        let place = |(x, y): &(f64, f64)| {
            let (width, height) = ((WIDTH - 2 * MARGIN) as f64, (HEIGHT - 2 * MARGIN) as f64);
            (
                MARGIN as f64 + (x - left) / wide * width,
                (HEIGHT - MARGIN) as f64 - (y - low) / high * height,
            )
        };
        for (from, to) in points.iter().zip(points.iter().skip(1)) {
            let ((x, y), (later_x, later_y)) = (place(from), place(to));
            let steps = (later_x - x).abs().max((later_y - y).abs()).ceil().max(1.0);
            for step in 0..=steps as usize {
                let share = step as f64 / steps;
                dot(
                    (x + (later_x - x) * share) as usize,
                    (y + (later_y - y) * share) as usize,
                    0,
                );
            }
        }
        file(&pixels)
    }
}

fn file(pixels: &[u8]) -> Vec<u8> {
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut header = Vec::new();
    header.extend((WIDTH as u32).to_be_bytes());
    header.extend((HEIGHT as u32).to_be_bytes());
    // Eight bits of grey, nothing special.
    header.extend([8, 0, 0, 0, 0]);
    let rows: Vec<u8> = pixels
        .chunks_exact(WIDTH)
        .flat_map(|row| std::iter::once(0).chain(row.iter().copied()))
        .collect();
    let mut data = vec![0x78, 0x01];
    let blocks = rows.chunks(65_535);
    let last = blocks.len().saturating_sub(1);
    for (at, block) in blocks.enumerate() {
        let length = block.len() as u16;
        data.push(u8::from(at == last));
        data.extend(length.to_le_bytes());
        data.extend((!length).to_le_bytes());
        data.extend(block);
    }
    data.extend(adler(&rows).to_be_bytes());
    for (name, bytes) in [(b"IHDR", header.as_slice()), (b"IDAT", &data), (b"IEND", &[])] {
        file.extend((bytes.len() as u32).to_be_bytes());
        let part = [name.as_slice(), bytes].concat();
        file.extend(&part);
        file.extend(checksum(&part).to_be_bytes());
    }
    file
}

fn checksum(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
            (sum >> 1) ^ (0xEDB8_8320 & (sum & 1).wrapping_neg())
        })
    })
}

fn adler(bytes: &[u8]) -> u32 {
    let (low, high) = bytes.iter().fold((1_u32, 0_u32), |(low, high), byte| {
        let low = (low + u32::from(*byte)) % 65_521;
        (low, (high + low) % 65_521)
    });
    high << 16 | low
}
